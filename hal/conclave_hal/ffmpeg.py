"""When FFmpeg is loaded: once something is captured, encoded or decoded, never when a room starts.

PyAV takes 16 MB, and a small processor needs a second to load it; a room that waits for a meeting pays
neither. So no module that is imported when a room starts has `av` at its head: what works with it stands in
a module of its own, and is imported by the function that needs it, in the thread of the device.
"""


def ffmpeg_errors() -> tuple[type[Exception], ...]:
    """What FFmpeg raises, for an `except` clause: that is looked at only when something was raised."""
    from av.codec.codec import UnknownCodecError
    from av.error import FFmpegError

    return FFmpegError, UnknownCodecError
