"""The simulated tamper contact: the case is opened and closed on the page around the simulated panel."""

import time
from collections.abc import Callable

from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError
from conclave_hal.options import NoOptions
from conclave_hal.switches import SwitchPosition, Tamper, TamperState, TamperStatus


class SimulatedTamper(Tamper):
    """A contact in the case that latches. PASSING: the case is closed; BLOCKING: open; UNKNOWN: no cable."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """`wall` gives seconds since 1970."""
        super().__init__()
        self._wall = wall
        self._position = SwitchPosition.PASSING
        self._tripped_at = 0

    async def open(self) -> None:
        """Read the contact for the first time."""
        await self._read()

    async def close(self) -> None:
        """Nothing to release. What tripped stays tripped."""
        await self._publish(self._lost("closed"))

    @property
    def position(self) -> SwitchPosition:
        """How the case really stands, whether or not anybody can read it."""
        return self._position

    async def move(self, position: SwitchPosition) -> None:
        """Open or close the case, as a hand would. UNKNOWN pulls the contact's cable out."""
        self._position = position
        await self._read()

    async def clear(self) -> None:
        """Forget that it tripped. Raises DeviceError while the case is open, or nobody can say."""
        if self._position is not SwitchPosition.PASSING:
            is_open = self._position is SwitchPosition.BLOCKING
            raise DeviceError(
                "the case is still open" if is_open else "nobody can say whether the case is closed",
                hint="close the case, then clear it again" if is_open else "plug the contact's cable in",
            )
        self._tripped_at = 0
        await self._read()

    async def _read(self) -> None:
        if self._position is SwitchPosition.BLOCKING and not self._tripped_at:
            self._tripped_at = int(self._wall())
        is_unread = self._position is SwitchPosition.UNKNOWN
        status = TamperStatus.UNKNOWN if is_unread else TamperStatus.INTACT
        await self._publish(
            TamperState(
                Health.DEGRADED if is_unread else Health.READY,
                "the cable is unplugged" if is_unread else "",
                TamperStatus.TRIPPED if self._tripped_at else status,
                self._tripped_at,
            )
        )


DRIVER = Driver(NoOptions, lambda options, made: SimulatedTamper())
