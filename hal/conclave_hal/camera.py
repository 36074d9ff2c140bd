"""The camera as a source of pictures, and the encoder that makes H.264 of them.

A camera delivers pictures, or H.264 where it encodes by itself; `conclave_hal.video_source` joins it
with the room's encoder and its shutter into what the meeting reads.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from conclave_hal.device import Device, DeviceState
from conclave_hal.media import EncodedFrame


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """What a camera can deliver."""

    width: int
    """Pixels in a line, even."""
    height: int
    """Lines, even."""
    fps: int
    """Pictures in a second."""
    is_encoded: bool = False
    """Delivered as H.264, not as pictures."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as planar YUV 4:2:0, full planes one after the other without padding (I420)."""

    width: int
    height: int
    data: bytes = field(repr=False)
    """`width * height * 3 // 2` bytes: Y, then U and V in half width and height; limited range, and the
    camera's own matrix, which is BT.601 for most."""
    timestamp: int
    """Units of 90 kHz, starting anywhere, modulo 2^32."""


@dataclass(frozen=True, slots=True)
class CameraState(DeviceState):
    """State of a camera."""

    format: PictureFormat | None = None
    """What it delivers; None while it is not there."""
    is_capturing: bool = False
    """What the driver really does, not what was asked of it."""


class Camera(Device[CameraState]):
    """A camera that captures while it is enabled and somebody reads `pictures`."""

    def _unknown(self) -> CameraState:
        return CameraState()

    @abstractmethod
    def formats(self) -> tuple[PictureFormat, ...]:
        """What the hardware can deliver, best first; empty while it is not there."""

    @abstractmethod
    def pictures(self) -> AsyncIterator[Picture | EncodedFrame]:
        """What is captured, until `close`. The newest reader gets it; a late one misses some.

        Ends with DeviceGoneError when the camera goes; the next call waits until it is back.
        """

    @abstractmethod
    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. A stopped camera reads no sensor (its LED goes out): it sends no black."""

    @abstractmethod
    async def request_keyframe(self) -> None:
        """Where the camera encodes: a frame that can be decoded alone, soon. Else nothing to do."""


@dataclass(frozen=True, slots=True)
class VideoEncoderState(DeviceState):
    """State of an encoder."""

    name: str = ""
    """What encodes: `h264_v4l2m2m`, `libx264`."""
    is_hardware: bool = False


class VideoEncoder(Device[VideoEncoderState]):
    """Makes H.264 access units (Annex B, constrained baseline or high, no B pictures) of pictures."""

    def _unknown(self) -> VideoEncoderState:
        return VideoEncoderState()

    @abstractmethod
    async def configure(self, picture: PictureFormat, bit_rate: int) -> None:
        """Begin a stream of such pictures at `bit_rate` bits a second. Raises DeviceError if it cannot."""

    @abstractmethod
    async def encode(self, picture: Picture, *, is_keyframe: bool = False) -> EncodedFrame | None:
        """One picture, with an IDR if asked for. None while the encoder still gathers.

        Raises UsageError for another size than configured, DeviceGoneError if the encoder broke.
        """

    @abstractmethod
    async def set_bit_rate(self, bit_rate: int) -> None:
        """Another rate, bits a second, from some picture on; without a new stream where it can."""

    @abstractmethod
    async def end_stream(self) -> None:
        """Forget the stream, and every picture in it. `configure` begins the next one."""
