"""A switch that people move by hand, on the page around the simulated panel."""

from collections.abc import AsyncIterator
from typing import Protocol

from conclave_hal.device import DeviceState, Health
from conclave_hal.switches import HardwareSwitch, SwitchPosition, SwitchState


class Movable(Protocol):
    """What a hand moves around the simulated panel."""

    @property
    def position(self) -> SwitchPosition:
        """Where it really stands."""

    async def move(self, position: SwitchPosition) -> None:
        """Move it, as a hand would."""

    def watch(self) -> AsyncIterator[DeviceState]:
        """See `Device.watch`."""


class SimulatedSwitch(HardwareSwitch):
    """What the two simulated switches have in common. PASSING at start."""

    def __init__(self) -> None:
        super().__init__()
        self._position = SwitchPosition.PASSING

    async def open(self) -> None:
        """Read the switch for the first time."""
        await self._publish(SwitchState(Health.READY, "", self._position))

    async def close(self) -> None:
        """Nothing to release. The switch cannot be read any more."""
        await self._publish(SwitchState(Health.FAILED, "closed", SwitchPosition.UNKNOWN))

    @property
    def position(self) -> SwitchPosition:
        """Where the switch really stands, whether or not anybody can read it."""
        return self._position

    async def move(self, position: SwitchPosition) -> None:
        """Move the switch, as a hand would. UNKNOWN pulls its cable out."""
        self._position = position
        if position is SwitchPosition.UNKNOWN:
            await self._publish(SwitchState(Health.DEGRADED, "the cable is unplugged", position))
        else:
            await self._publish(SwitchState(Health.READY, "", position))
