"""The room's screen as a device on the wall: power and input. What it shows is `VideoSink`."""

from abc import abstractmethod
from dataclasses import dataclass

from conclave_hal.camera_control import Power
from conclave_hal.device import Device, DeviceState, Health


@dataclass(frozen=True, slots=True)
class DisplayState(DeviceState):
    """State of the display, as it last said."""

    power: Power = Power.UNKNOWN
    input: str = ""
    """The input that it shows, as the driver's option calls it; empty if it does not say."""
    model: str = ""


class Display(Device[DisplayState]):
    """A screen that can be switched on and off. It never decides anything about security.

    Each method raises DeviceGoneError while the display does not answer, DeviceTimeoutError past the
    deadline, DeviceError if it refuses.
    """

    def _unknown(self) -> DisplayState:
        return DisplayState()

    @abstractmethod
    async def set_power(self, power: Power) -> None:
        """Switch on or to standby."""

    @abstractmethod
    async def show_us(self) -> None:
        """Switch on and to the input that this device is on."""

    @abstractmethod
    async def refresh(self) -> None:
        """Ask the display how it is now, and publish what it says."""

    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The inputs that it can be switched to."""

    @abstractmethod
    async def set_input(self, name: str) -> None:
        """Show another input. Raises UsageError for one that is not in `inputs`."""

    def _lost(self, reason: str) -> DisplayState:
        return DisplayState(Health.FAILED, reason, model=self._state.model)
