"""What every piece of hardware has in common: one lifecycle and one kind of health.

    open()  -> acquires the device; raises HalError if the configuration can never work
    run()   -> owns the device until cancelled; an unplugged device is an event, not an exception
    close() -> releases everything; safe to call twice, and after a failed open()

`state()` is a snapshot and `watch()` yields one whenever it has changed, the first at once.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

from conclave_hal.errors import HalError

log = logging.getLogger(__name__)


class Health(Enum):
    """How a device is."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A snapshot of a device. Drivers may subclass it with what else they know."""

    health: Health = Health.STARTING
    reason: str = ""


class Device(ABC):
    """The lifecycle of a driver. A driver calls `_publish` whenever its state has changed."""

    def __init__(self) -> None:
        self._state: DeviceState = DeviceState()
        self._changed = asyncio.Condition()

    @abstractmethod
    async def open(self) -> None:
        """Acquire the device. Raises HalError."""

    async def run(self) -> None:
        """Own the device until cancelled. The default has nothing to do but wait for that."""
        await asyncio.Event().wait()

    async def supervise(self) -> None:
        """Run, and turn the device's failure into health: a broken lamp must not end a meeting."""
        try:
            await self.run()
        except HalError as error:
            log.warning("%s failed: %s", type(self).__name__, error)
            await self._publish(DeviceState(Health.FAILED, str(error)))

    @abstractmethod
    async def close(self) -> None:
        """Release everything. Safe to call twice."""

    def state(self) -> DeviceState:
        """The present state."""
        return self._state

    async def watch(self) -> AsyncIterator[DeviceState]:
        """Yield the present state, then each later one. A slow reader sees the newest, not all."""
        seen: DeviceState | None = None
        while True:
            async with self._changed:
                while self._state == seen:
                    await self._changed.wait()
                seen = self._state
            yield seen

    async def _publish(self, state: DeviceState) -> None:
        async with self._changed:
            self._state = state
            self._changed.notify_all()
