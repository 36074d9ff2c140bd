"""A device that comes and goes: each time it is there is one *session*.

    run():  session -> the device goes -> FAILED, with the reason -> a pause -> session -> ...

A driver writes `_session` only: it acquires the hardware, says READY, serves it, and raises HalError or
OSError when it is gone. The pause grows from `FIRST_PAUSE_S` to `LONGEST_PAUSE_S`, so that a device is
back within two seconds of its wire's return, and a device that never comes costs next to nothing.
"""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from conclave_hal.device import Device, DeviceState, Health
from conclave_hal.errors import HalError, UsageError

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0

S = TypeVar("S", bound=DeviceState)


class HotPlugDevice(Device[S]):
    """The lifecycle of hardware that may be unplugged."""

    def __init__(self, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`pause` waits so many seconds."""
        super().__init__()
        self._pause = pause

    @abstractmethod
    async def _session(self) -> None:
        """Acquire the hardware, publish READY, serve until it goes, and release it whatever happens.

        Raises HalError or OSError when the hardware goes. Returns only to begin the next session at once.
        """

    async def open(self) -> None:
        """Nothing to acquire yet: `run` does. A driver overrides this to refuse what can never work."""

    async def run(self) -> None:
        """Serve one session after another until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._session()
            except UsageError:
                raise
            except (HalError, OSError) as error:
                reason = str(error) if isinstance(error, HalError) else (error.strerror or str(error))
                if self._state.health in (Health.READY, Health.DEGRADED):
                    pause_s = FIRST_PAUSE_S
                if (self._state.health, self._state.reason) != (Health.FAILED, reason):
                    log.warning("%s does not work now: %s", type(self).__name__, reason)
                await self._publish(self._lost(reason))
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
