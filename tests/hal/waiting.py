"""Waiting for what a device says, with a deadline and no delay."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from conclave_hal.device import AnyDevice, Device, DeviceState

DEADLINE_S = 20
S = TypeVar("S", bound=DeviceState)


async def until_state(device: Device[S], is_so: Callable[[S], bool]) -> S:
    """The device's first state for which `is_so`."""
    async with asyncio.timeout(DEADLINE_S):
        async for state in device.watch():
            if is_so(state):
                return state
    raise AssertionError("a device is watched for ever")


@contextlib.asynccontextmanager
async def running(device: AnyDevice) -> AsyncIterator[None]:
    """Open, run, and close in the end."""
    await device.open()
    task = asyncio.create_task(device.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await device.close()


class Clock:
    """Pauses that pass when a test says so."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._tick = asyncio.Condition()
        self._ticks = 0

    async def pause(self, seconds: float) -> None:
        """Wait for the next tick."""
        self.pauses.append(seconds)
        async with self._tick:
            before = self._ticks
            while self._ticks == before:
                await self._tick.wait()

    async def tick(self) -> None:
        """Every pause is over."""
        async with self._tick:
            self._ticks += 1
            self._tick.notify_all()
        await asyncio.sleep(0)


async def no_pause(seconds: float) -> None:
    """As if the time had passed."""
    await asyncio.sleep(0)
