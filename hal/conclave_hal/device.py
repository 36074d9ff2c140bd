"""What every piece of hardware has in common: one lifecycle and one kind of health.

    open()  -> acquires the device; raises HalError if the configuration can never work
    run()   -> owns the device until cancelled; an unplugged device is an event, not an exception
    close() -> releases everything; safe to call twice, and after a failed open()

`state()` is a snapshot and `watch()` yields one whenever it has changed, the first at once. A device
that is not plugged in does not keep the room from starting: `open` returns, the health is FAILED with
the reason, and `run` finds the device when it comes (`conclave_hal.hot_plug`).
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar

from conclave_hal.errors import HalError

log = logging.getLogger(__name__)


class Health(Enum):
    """How a device is."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    """It works in part; the reason says what does not."""
    FAILED = "failed"
    """It does not work now: unplugged, mute, or broken. It may come back by itself."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A snapshot of a device. Interfaces subclass it with what else they know."""

    health: Health = Health.STARTING
    reason: str = ""
    """Why it is not simply ready, in words for people; never a secret."""


S = TypeVar("S", bound=DeviceState)


class Device(ABC, Generic[S]):
    """The lifecycle of a driver. A driver calls `_publish` whenever its state has changed."""

    driver = ""
    """The name by which `hal.toml` chose it; empty where nothing did."""

    def __init__(self) -> None:
        self._state = self._unknown()
        self._changed = asyncio.Condition()

    @abstractmethod
    async def open(self) -> None:
        """Acquire the device. Raises HalError where no later plugging in could mend it."""

    async def run(self) -> None:
        """Own the device until cancelled. The default has nothing to do but wait for that."""
        await asyncio.Event().wait()

    async def supervise(self) -> None:
        """Run, and turn the device's failure into health: a broken lamp must not end a meeting."""
        try:
            await self.run()
        except HalError as error:
            reason = str(error)
            log.warning("%s failed: %s", type(self).__name__, error)
        except Exception as error:  # the task's root: a driver's bug costs its device, not the room
            log.exception("%s failed", type(self).__name__)
            reason = f"a fault in its driver: {type(error).__name__}"
        else:
            reason = "its driver ended"
        await self._publish(self._lost(reason))

    @abstractmethod
    async def close(self) -> None:
        """Release everything. Safe to call twice."""

    def state(self) -> S:
        """The present state."""
        return self._state

    async def watch(self) -> AsyncIterator[S]:
        """Yield the present state, then each later one. A slow reader sees the newest, not all."""
        seen: S | None = None
        while True:
            async with self._changed:
                while self._state == seen:
                    await self._changed.wait()
                seen = self._state
            yield seen

    @abstractmethod
    def _unknown(self) -> S:
        """The interface's state when nothing is known, as before `open`: STARTING."""

    def _lost(self, reason: str) -> S:
        """The state without the device: FAILED, and nothing believed that only the device can say.

        An interface that still knows something then overrides this.
        """
        return replace(self._unknown(), health=Health.FAILED, reason=reason)

    async def _publish(self, state: S) -> None:
        async with self._changed:
            self._state = state
            self._changed.notify_all()


AnyDevice: TypeAlias = Device[Any]
