"""The simulated camera: pictures of a room that count themselves."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from conclave_hal.camera import Camera, CameraState, Picture, PictureFormat
from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError
from conclave_hal.media import CLOCK_HZ, Codec
from conclave_hal.options import Option, integer, text
from conclave_hal.simulated.paced_device import PacedDevice
from conclave_hal.simulated.picture_code import CELL, MAX_NAME_BYTES, code_rows
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition

if TYPE_CHECKING:
    from conclave_hal.simulated.picture import RoomPicture


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Options of the simulated camera."""

    name: Annotated[str, Option(text(MAX_NAME_BYTES), "what the picture says it shows")] = "simulated room"
    width: Annotated[int, Option(integer(320, 1920, multiple_of=16), "pixels in a line")] = 640
    height: Annotated[int, Option(integer(176, 1088, multiple_of=2), "lines")] = 360
    fps: Annotated[int, Option(integer(1, 60), "pictures in a second")] = 15


class SimulatedCamera(PacedDevice[CameraState, Picture], Camera):
    """Films a drawn room through a shutter, if the simulated room has one."""

    def __init__(self, options: CameraOptions, shutter: SimulatedPrivacySwitch | None = None) -> None:
        super().__init__("the simulated camera", Fraction(1, options.fps))
        self._options = options
        self._format = PictureFormat(options.width, options.height, options.fps)
        self._shutter = shutter
        self._picture: RoomPicture | None = None
        self._counter = 0

    def formats(self) -> tuple[PictureFormat, ...]:
        """The one of its options."""
        return (self._format,)

    def pictures(self) -> AsyncGenerator[Picture, None]:
        """Pictures at a steady pace until `close`; black ones while the lens is covered."""
        return self._captured()

    async def request_keyframe(self) -> None:
        """Nothing to do: it does not encode."""

    def _ready(self, is_capturing: bool) -> CameraState:
        return CameraState(Health.READY, "", self._format, is_capturing)

    def _prepare(self) -> None:
        from conclave_hal.simulated.picture import RoomPicture  # FFmpeg and Pillow: see `ffmpeg`

        options = self._options
        self._picture = RoomPicture(options.name, options.width, options.height, options.fps)

    def _capture(self, tick: int) -> Picture | None:
        if self._picture is None:
            return None
        is_covered = self._shutter is not None and self._shutter.position is SwitchPosition.BLOCKING
        self._counter = (self._counter + 1) % 2**32
        timestamp = int(tick * self._period * CLOCK_HZ[Codec.H264]) % 2**32
        data = self._picture.draw(self._counter, is_covered=is_covered)
        return Picture(self._format.width, self._format.height, data, timestamp)

    def _release(self) -> None:
        self._picture = None


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
