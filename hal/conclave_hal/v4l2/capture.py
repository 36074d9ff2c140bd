"""Pictures of a node through FFmpeg's `v4l2` input. Blocking: runs in a capture thread."""

import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from conclave_hal.camera import Picture
from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame
from conclave_hal.pyav import av
from conclave_hal.v4l2.modes import Chosen

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

IDR = 5
"""nal_unit_type of a picture that decodes alone (H.264 §7.4.1)."""


def capture(path: str, chosen: Chosen) -> Generator[Picture | EncodedFrame, None, None]:
    """Open the node in the chosen mode and yield what it delivers. Raises OSError where it fails."""
    size = chosen.format
    options = {
        "input_format": chosen.input_format,
        "video_size": f"{size.width}x{size.height}",
        "framerate": str(size.fps),
    }
    with av.open(path, format="v4l2", options=options) as container:
        yield from delivered(container, chosen)


def delivered(container: "InputContainer", chosen: Chosen) -> Iterator[Picture | EncodedFrame]:
    """What an open input delivers, as pictures or as the camera's own H.264."""
    stream = container.streams.video[0]
    if not chosen.format.is_encoded:
        stream.thread_count = 1
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        base = packet.time_base
        seconds = packet.pts * base if packet.pts is not None and base is not None else time.monotonic()
        timestamp = int(seconds * CLOCK_HZ[Codec.H264]) % 2**32
        if chosen.format.is_encoded:
            data = bytes(packet)
            yield EncodedFrame(Codec.H264, data, timestamp, is_keyframe(data))
            continue
        for frame in packet.decode():
            yield i420(frame, timestamp)


def i420(frame: "VideoFrame", timestamp: int) -> Picture:
    """A decoded frame as I420 in limited range, cut to even sides."""
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    if frame.format.name != "yuv420p" or (width, height) != (frame.width, frame.height):
        frame = frame.reformat(width, height, "yuv420p", dst_color_range="MPEG")
    planes = (bytes(_plane(plane, plane.line_size, plane.width)) for plane in frame.planes)
    return Picture(width, height, b"".join(planes), timestamp)


def _plane(plane: object, line_size: int, width: int) -> memoryview | bytes:
    data = memoryview(plane)  # type: ignore[arg-type]
    if line_size == width:
        return data
    return b"".join(bytes(data[start : start + width]) for start in range(0, len(data), line_size))


def is_keyframe(access_unit: bytes) -> bool:
    """Whether an access unit in Annex B form holds an IDR picture."""
    start = access_unit.find(b"\0\0\1")
    while 0 <= start < len(access_unit) - 3:
        if access_unit[start + 3] & 0x1F == IDR:
            return True
        start = access_unit.find(b"\0\0\1", start + 3)
    return False
