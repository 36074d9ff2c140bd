"""One H.264 stream through FFmpeg: pictures in, access units out. Blocking; belongs in a worker.

What every encoder here makes: constrained baseline, no B pictures, parameter sets before each IDR
(Annex B), a keyframe at least every two seconds. A receiver decodes any of it with no delay.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, cast

from conclave_hal.camera import Picture, PictureFormat
from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext

SECONDS_A_KEYFRAME = 2
LIBX264 = "libx264"
V4L2M2M = "h264_v4l2m2m"
CLOCK = CLOCK_HZ[Codec.H264]

_OPTIONS: dict[str, dict[str, str]] = {
    LIBX264: {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        # One thread: several of them would hold pictures back.
        "x264-params": "threads=1:scenecut=0:repeat-headers=1",
    },
    # Few buffers: each is a picture of delay.
    V4L2M2M: {"num_output_buffers": "4", "num_capture_buffers": "4"},
}


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a stream is made of."""

    codec: str
    """`libx264` or `h264_v4l2m2m`."""
    format: PictureFormat
    bit_rate: int
    """Bits a second."""


class Stream(Protocol):
    """What an encoder needs of a stream; `H264Stream` is the one there is, tests have doubles."""

    def encode(self, picture: Picture, is_keyframe: bool) -> EncodedFrame | None:
        """One picture; None while it is still in the encoder."""

    def close(self) -> None:
        """Forget every picture."""


@dataclass(slots=True)
class H264Stream:
    """An open encoder. Raises FFmpegError or UnknownCodecError where FFmpeg or the kernel refuse."""

    settings: StreamSettings
    _codec: "VideoCodecContext | None" = field(init=False, repr=False)
    _last: int | None = field(init=False, default=None)
    """The last picture's time, counted on beyond 2^32: FFmpeg wants times that only grow."""

    def __post_init__(self) -> None:
        self._codec = _open(self.settings)

    def encode(self, picture: Picture, is_keyframe: bool) -> EncodedFrame | None:
        """Encode one picture of the stream's size."""
        from conclave_hal.pyav import PictureType

        if self._codec is None:
            return None
        frame = video_frame(picture)
        frame.time_base = Fraction(1, CLOCK)
        frame.pts = self._time_of(picture)
        if is_keyframe:
            frame.pict_type = PictureType.I
        packets = self._codec.encode(frame)
        return _access_unit(packets, picture.timestamp)

    def close(self) -> None:
        """Let the encoder and its buffers go. What it still holds is never asked for."""
        self._codec = None

    def _time_of(self, picture: Picture) -> int:
        if self._last is None:
            self._last = picture.timestamp
        else:
            # A camera whose clock stands still must not stop the encoder.
            self._last += max(1, (picture.timestamp - self._last) % 2**32)
        return self._last


def _open(settings: StreamSettings) -> "VideoCodecContext":
    from conclave_hal.pyav import av

    codec = cast("VideoCodecContext", av.CodecContext.create(settings.codec, "w"))
    picture = settings.format
    codec.width, codec.height, codec.pix_fmt = picture.width, picture.height, "yuv420p"
    codec.time_base = Fraction(1, CLOCK)
    codec.framerate = Fraction(picture.fps)
    codec.bit_rate = settings.bit_rate
    codec.gop_size = SECONDS_A_KEYFRAME * picture.fps
    codec.max_b_frames = 0
    codec.thread_count = 1
    codec.options = dict(_OPTIONS[settings.codec])
    codec.open()
    return codec


def _access_unit(packets: "list[Packet[Any]]", timestamp: int) -> EncodedFrame | None:
    data = b"".join(bytes(packet) for packet in packets)
    if not data:
        return None
    times = [packet.pts for packet in packets if packet.pts is not None]
    when = times[0] % 2**32 if times else timestamp
    return EncodedFrame(Codec.H264, data, when, any(packet.is_keyframe for packet in packets))


def video_frame(picture: Picture) -> "VideoFrame":
    """The picture as FFmpeg's frame, whose lines may be padded."""
    from conclave_hal.pyav import VideoFrame

    frame = VideoFrame(picture.width, picture.height, "yuv420p")
    data = memoryview(picture.data)
    start = 0
    for plane, (width, height) in zip(frame.planes, plane_sizes(picture.width, picture.height), strict=True):
        size = width * height
        part = data[start : start + size]
        plane.update(bytes(part) if plane.line_size == width else _padded(part, width, plane.line_size))
        start += size
    return frame


def plane_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Width and height of the three planes of I420."""
    yield width, height
    yield width // 2, height // 2
    yield width // 2, height // 2


def _padded(part: memoryview, width: int, line_size: int) -> bytes:
    padding = bytes(line_size - width)
    return b"".join(bytes(part[start : start + width]) + padding for start in range(0, len(part), width))
