"""Where a camera looks, and how: power, pan, tilt, zoom, focus, exposure, white balance, tally.

Positions are in the camera's own steps, between the limits of its capabilities: what VISCA and V4L2
give. Speeds are fractions of the fastest. None of this is a privacy guarantee: a camera in standby
or with a frozen picture is a request to its firmware. The shutter is `PrivacySwitch`.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from conclave_hal.device import Device, DeviceState, Health


class Power(Enum):
    """Whether a device is switched on, as it says."""

    ON = "on"
    STANDBY = "standby"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a camera looks. Steps of the camera; positive is right, up, and near."""

    pan: int
    tilt: int
    zoom: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast it turns: -1.0 to 1.0 of its fastest; positive is right, up, and nearer."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0


STILL = Speed()


@dataclass(frozen=True, slots=True)
class Limits:
    """From least to most, both included."""

    least: int
    most: int


class FocusMode(Enum):
    """Who focuses."""

    AUTO = "auto"
    MANUAL = "manual"


class ExposureMode(Enum):
    """Who chooses shutter, iris and gain."""

    AUTO = "auto"
    MANUAL = "manual"


class WhiteBalance(Enum):
    """Which light is white."""

    AUTO = "auto"
    INDOOR = "indoor"
    OUTDOOR = "outdoor"


class Tally(Enum):
    """The lamp that says that this camera is on the air."""

    OFF = "off"
    ON = "on"


@dataclass(frozen=True, slots=True)
class CameraCapabilities:
    """What a camera can do. A method for what it cannot do raises DeviceError."""

    model: str = ""
    """Vendor and model as far as the camera tells, made safe to show."""
    pan: Limits | None = None
    tilt: Limits | None = None
    zoom: Limits | None = None
    presets: int = 0
    """Presets 0 to `presets` - 1."""
    has_focus: bool = False
    has_exposure: bool = False
    has_white_balance: bool = False
    has_tally: bool = False
    has_power: bool = False


@dataclass(frozen=True, slots=True)
class CameraControlState(DeviceState):
    """State of a camera's controls, as the camera last said."""

    capabilities: CameraCapabilities = CameraCapabilities()
    power: Power = Power.UNKNOWN
    position: Position | None = None
    """None until the camera has said where it looks."""
    is_moving: bool = False
    tally: Tally = Tally.OFF


@dataclass(frozen=True, slots=True)
class FocusAt:
    """Manual focus at a position in the camera's steps; larger is nearer."""

    position: int


class CameraControl(Device[CameraControlState]):
    """A camera that can be turned. Commands are done when they return.

    Each raises DeviceGoneError while the camera is not there, DeviceTimeoutError past its deadline,
    DeviceError if the camera refuses, UsageError for a value outside of the capabilities' limits.
    A newer move takes the place of one that is under way: the older one then raises DeviceError. So does a
    caller that is cancelled while it waits: the camera stops.
    """

    def _unknown(self) -> CameraControlState:
        return CameraControlState()

    @abstractmethod
    async def set_power(self, power: Power) -> None:
        """Switch on or to standby. Takes up to a minute: the mechanics find their zero."""

    @abstractmethod
    async def move_to(self, position: Position, speed: float = 1.0) -> None:
        """Look there; `speed` from above 0 to 1 of the fastest."""

    @abstractmethod
    async def move_by(self, pan: int, tilt: int, zoom: int = 0, speed: float = 1.0) -> None:
        """Look so many steps further. Never sent twice: after a timeout nobody knows whether it happened."""

    @abstractmethod
    async def drive(self, speed: Speed) -> None:
        """Keep turning at this speed until the next call; `STILL` stops.

        A driver that ends stops the camera first. One that has lost its link cannot: the camera then turns on
        to its own end, and is stopped as soon as the link is back.
        """

    @abstractmethod
    async def home(self) -> None:
        """Look to where the camera looks after power-on, at its widest."""

    @abstractmethod
    async def recall_preset(self, number: int) -> None:
        """Look to where a preset says."""

    @abstractmethod
    async def store_preset(self, number: int) -> None:
        """Make the present view a preset."""

    @abstractmethod
    async def adjust(self, setting: FocusMode | FocusAt | ExposureMode | WhiteBalance | Tally) -> None:
        """One of the settings of the picture or of the tally lamp."""

    def _lost(self, reason: str) -> CameraControlState:
        # The model and its limits are as they were; where it looks is not known any more.
        return CameraControlState(Health.FAILED, reason, self._state.capabilities)
