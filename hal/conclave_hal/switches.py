"""The shutter, the mute button and the tamper contact: hardware truth, read only.

Hardware and software mute are two booleans. The hardware one is read only, and an unknown
state counts as unsafe, never as muted.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
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

    position: SwitchPosition = SwitchPosition.UNKNOWN


class HardwareSwitch(Device[SwitchState]):
    """A switch that people operate by hand; software only reads it.

    `state().position` is UNKNOWN until the hardware has been read, and whenever it cannot be read.
    """

    last_read = SwitchPosition.UNKNOWN
    """Where it stood when it could be read last. Who watches the state may miss what lasted a moment only."""

    def _unknown(self) -> SwitchState:
        return SwitchState()

    async def _publish(self, state: SwitchState) -> None:
        if state.position is not SwitchPosition.UNKNOWN:
            self.last_read = state.position
        await super()._publish(state)


class PrivacySwitch(HardwareSwitch):
    """The shutter before the lens."""


class MuteSwitch(HardwareSwitch):
    """The switch in the microphone's line."""


class TamperStatus(Enum):
    """Whether somebody opened the device."""

    INTACT = "intact"
    TRIPPED = "tripped"
    """Latched: stays until `clear`, whatever the contact says later."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TamperState(DeviceState):
    """State of the tamper contact."""

    tamper: TamperStatus = TamperStatus.UNKNOWN
    tripped_at: int = 0
    """When it tripped first: seconds since 1970; 0 while it has not."""


class Tamper(Device[TamperState]):
    """The contact that opens with the case."""

    def _unknown(self) -> TamperState:
        return TamperState()

    @abstractmethod
    async def clear(self) -> None:
        """An admin has looked: forget that it tripped. Raises DeviceError while the case is still open."""

    def _lost(self, reason: str) -> TamperState:
        # What tripped stays tripped; what was intact is not known any more.
        known = self._state.tamper is TamperStatus.TRIPPED
        return replace(
            self._state,
            health=Health.FAILED,
            reason=reason,
            tamper=TamperStatus.TRIPPED if known else TamperStatus.UNKNOWN,
        )
