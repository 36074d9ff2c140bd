"""The shutter and the mute button: hardware truth beside software wishes.

Hardware and software mute are two booleans. The hardware one is read only, and an unknown
state counts as unsafe, never as muted.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from conclave_hal.device import Device, DeviceState, Health


class SwitchPosition(Enum):
    """Where a hardware switch stands."""

    BLOCKING = "blocking"
    PASSING = "passing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SwitchState(DeviceState):
    """State of a shutter or of a mute switch."""

    health: Health = Health.STARTING
    reason: str = ""
    position: SwitchPosition = SwitchPosition.UNKNOWN


class HardwareSwitch(Device):
    """A switch that people operate by hand; software only reads it."""

    @abstractmethod
    def state(self) -> SwitchState:
        """The present state; UNKNOWN until the hardware has been read."""


class PrivacySwitch(HardwareSwitch):
    """The shutter before the lens."""


class MuteSwitch(HardwareSwitch):
    """The switch in the microphone's line."""
