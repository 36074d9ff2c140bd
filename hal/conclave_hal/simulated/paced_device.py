"""What the simulated camera and microphone share: things made at a steady pace, in a thread.

Nothing is captured, and nothing that capturing needs is made, unless the device is enabled *and* somebody
reads. The newest reader gets what is captured; an earlier iterator ends.
"""

import asyncio
import math
from abc import abstractmethod
from collections.abc import AsyncGenerator
from fractions import Fraction
from typing import Generic, TypeVar

from conclave_hal.device import Device, DeviceState
from conclave_hal.errors import DeviceGoneError, UsageError
from conclave_hal.ffmpeg import ffmpeg_errors
from conclave_hal.worker import Worker

S = TypeVar("S", bound=DeviceState)
T = TypeVar("T")


class PacedDevice(Device[S], Generic[S, T]):
    """A device that makes one thing each `period` by calling `_capture` in its worker."""

    def __init__(self, name: str, period: Fraction) -> None:
        super().__init__()
        self._name = name
        self._period = period
        self._worker: Worker | None = None
        self._is_enabled = True
        self._is_closed = False
        self._is_prepared = False
        self._switched = asyncio.Event()
        self._reader = 0

    @abstractmethod
    def _prepare(self) -> None:
        """Make what `_capture` needs, before the first one. Runs in the worker."""

    @abstractmethod
    def _capture(self, tick: int) -> T | None:
        """What there is at `tick` periods of the loop's clock, or None. Runs in the worker."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what `_prepare` made. Runs in the worker."""

    @abstractmethod
    def _ready(self, is_capturing: bool) -> S:
        """The state of the open device."""

    async def open(self) -> None:
        """Start the worker."""
        self._worker = Worker(self._name)
        await self._publish(self._ready(False))

    async def close(self) -> None:
        """End the iterators and the thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._switched.set()
        if self._worker is not None:
            await self._worker.call(self._release)
            await self._worker.close()

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. What was being made while it stopped is thrown away."""
        self._is_enabled = is_enabled
        self._switched.set()

    async def _captured(self) -> AsyncGenerator[T, None]:
        """One thing each period until `close`. A late reader misses some, none queue up."""
        if self._worker is None:
            raise UsageError(f"{self._name} is not open")
        worker = self._worker
        self._reader += 1
        reader = self._reader
        loop = asyncio.get_running_loop()
        tick = 0
        try:
            while not self._is_closed and reader == self._reader:
                if not self._is_enabled:
                    await self._publish(self._ready(False))
                    self._switched.clear()
                    await self._switched.wait()
                    continue
                # Ticks are counted on the loop's own clock: a slow one delays no later one.
                tick = max(tick + 1, math.ceil(loop.time() / self._period))
                await asyncio.sleep(float(tick * self._period) - loop.time())
                if not self._may_deliver(reader):
                    continue
                if self._state != self._ready(True):
                    await self._publish(self._ready(True))
                try:
                    made = await worker.call(self._prepared_capture, tick)
                except ffmpeg_errors() as error:
                    reason = f"{self._name} failed: {error}"
                    await self._publish(self._lost(reason))
                    raise DeviceGoneError(reason) from error
                if made is not None and self._may_deliver(reader):
                    yield made
        finally:
            if reader == self._reader and self._state == self._ready(True):
                await self._publish(self._ready(False))

    def _prepared_capture(self, tick: int) -> T | None:
        if not self._is_prepared:
            self._prepare()
            self._is_prepared = True
        return self._capture(tick)

    def _may_deliver(self, reader: int) -> bool:
        return self._is_enabled and not self._is_closed and reader == self._reader
