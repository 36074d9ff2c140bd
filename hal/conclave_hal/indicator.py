"""Lamps that everybody in the room sees: the LED ring and the lamp of the microphone.

A lamp says what *is*: it is set from confirmed state only, never from a wish.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from conclave_hal.device import Device, DeviceState


class Light(Enum):
    """What the ring says. Each differs in rhythm too, so that it is never colour alone."""

    OFF = "off"
    """No meeting."""
    ENCRYPTED = "encrypted"
    """In a meeting, locked. Steady green."""
    JOINING = "joining"
    """Slow green pulse."""
    CALLING = "calling"
    """Asked from outside to join: white, quick."""
    ALARM = "alarm"
    """The lock is broken, or the panel cannot show the code. Red, flashing."""
    TAMPERED = "tampered"
    """The case was opened. Red and amber in turn."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What all lamps show."""

    ring: Light = Light.OFF
    is_microphone_muted: bool = False
    """By either mute; the mute lamp is lit exactly then."""
    is_camera_live: bool = False
    """Pictures leave the room."""


@dataclass(frozen=True, slots=True)
class IndicatorState(DeviceState):
    """State of the lamps."""

    shown: Shown | None = None
    """What they really show, as far as the driver can tell; None while that is not known."""


class Indicator(Device[IndicatorState]):
    """The room's lamps."""

    def _unknown(self) -> IndicatorState:
        return IndicatorState()

    @abstractmethod
    async def show(self, shown: Shown) -> None:
        """Show this until the next call. After a return of the device it is shown again by the driver."""
