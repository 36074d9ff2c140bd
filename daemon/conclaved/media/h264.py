"""Which H.264 pictures can be decoded alone."""

_IDR = 5


def is_keyframe(picture: bytes) -> bool:
    """Whether an access unit in Annex B form has an IDR slice (ITU-T H.264 §7.4.1.2.4, NAL type 5).

    Reads NAL headers only, never beyond the first slice; any bytes are fine.
    """
    at = picture.find(b"\0\0\1")
    while at != -1 and at + 3 < len(picture):
        kind = picture[at + 3] & 0x1F
        if 1 <= kind <= _IDR:
            return kind == _IDR
        at = picture.find(b"\0\0\1", at + 3)
    return False
