"""The simulated camera: pictures of a room that count themselves, encoded as H.264."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError
from conclave_hal.media import CLOCK_HZ, Codec, VideoSource
from conclave_hal.options import Option, integer, text
from conclave_hal.simulated.paced_source import PacedSource
from conclave_hal.simulated.picture import RoomPicture
from conclave_hal.simulated.picture_code import CELL, MAX_NAME_BYTES, code_rows
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition

SECONDS_A_KEYFRAME = 2
_BITS_A_PIXEL = Fraction(400_000, 640 * 360 * 15)


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Options of the simulated camera."""

    name: Annotated[str, Option(text(MAX_NAME_BYTES), "what the picture says it shows")] = "simulated room"
    width: Annotated[int, Option(integer(320, 1920, multiple_of=16), "pixels in a line")] = 640
    height: Annotated[int, Option(integer(176, 1088, multiple_of=2), "lines")] = 360
    fps: Annotated[int, Option(integer(1, 60), "pictures in a second")] = 15


class SimulatedCamera(PacedSource, VideoSource):
    """Films a drawn room through a shutter, if the simulated room has one."""

    def __init__(self, options: CameraOptions, shutter: SimulatedPrivacySwitch | None = None) -> None:
        super().__init__(Codec.H264, Fraction(1, options.fps))
        self._options = options
        self._shutter = shutter
        self._picture: RoomPicture | None = None
        self._encoder: VideoCodecContext | None = None
        self._counter = 0

    def _prepare(self) -> None:
        options = self._options
        self._picture = RoomPicture(options.name, options.width, options.height, options.fps)
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = options.width, options.height, "yuv420p"
        encoder.time_base = Fraction(1, CLOCK_HZ[Codec.H264])
        encoder.framerate = Fraction(options.fps)
        encoder.bit_rate = int(_BITS_A_PIXEL * options.width * options.height * options.fps)
        encoder.gop_size = SECONDS_A_KEYFRAME * options.fps
        encoder.thread_count = 1
        encoder.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": "threads=1:scenecut=0",
        }
        encoder.open()
        self._encoder = encoder

    def _capture(self, tick: int, wants_keyframe: bool) -> tuple[bytes, bool] | None:
        if self._encoder is None or self._picture is None:
            return None
        is_covered = self._shutter is not None and self._shutter.position is SwitchPosition.BLOCKING
        self._counter = (self._counter + 1) % 2**32
        frame = self._picture.frame(self._counter, is_covered=is_covered)
        frame.time_base = self._encoder.time_base
        frame.pts = int(tick * self._period * CLOCK_HZ[Codec.H264])
        if wants_keyframe:
            frame.pict_type = PictureType.I
        packets = self._encoder.encode(frame)
        data = b"".join(bytes(packet) for packet in packets)
        return (data, any(packet.is_keyframe for packet in packets)) if data else None

    def _release(self) -> None:
        self._encoder = self._picture = None


def _make(options: CameraOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedCamera:
    rows = code_rows(options.name, options.width)
    if 2 * rows * CELL > options.height:
        raise ConfigurationError(
            f"name: is too long for a picture of {options.width} x {options.height}: "
            f"its code needs a height of {2 * rows * CELL}"
        )
    shutter = made.get(Slot.PRIVACY_SWITCH)
    return SimulatedCamera(options, shutter if isinstance(shutter, SimulatedPrivacySwitch) else None)


DRIVER = Driver(CameraOptions, _make)
