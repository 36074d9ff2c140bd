"""What the simulated camera and microphone share: frames at a steady pace, made in a thread.

Nothing is captured unless the source is enabled *and* somebody reads `frames`. The newest reader
gets the frames; an earlier iterator ends.
"""

import asyncio
import math
from abc import abstractmethod
from collections.abc import AsyncGenerator
from fractions import Fraction

from av.codec.codec import UnknownCodecError
from av.error import FFmpegError

from conclave_hal.device import DeviceState, Health
from conclave_hal.errors import DeviceError, DeviceGoneError, UsageError
from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame, MediaSource
from conclave_hal.simulated.worker import Worker


class PacedSource(MediaSource):
    """A source that makes one frame each `period` by calling `_capture` in its worker."""

    def __init__(self, codec: Codec, period: Fraction) -> None:
        super().__init__()
        self._codec = codec
        self._period = period
        self._worker: Worker | None = None
        self._is_enabled = True
        self._is_closed = False
        self._switched = asyncio.Event()
        self._reader = 0
        self._wants_keyframe = True

    @abstractmethod
    def _prepare(self) -> None:
        """Make what `_capture` needs. Runs in the worker."""

    @abstractmethod
    def _capture(self, tick: int, wants_keyframe: bool) -> tuple[bytes, bool] | None:
        """Frame number `tick` and whether it decodes alone, or None. Runs in the worker."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what `_prepare` made. Runs in the worker."""

    async def open(self) -> None:
        """Start the worker and the encoder in it. Raises DeviceError if there is no such encoder."""
        self._worker = Worker(f"simulated {self._codec.value} source")
        try:
            await self._worker.call(self._prepare)
        except (FFmpegError, UnknownCodecError) as error:
            raise DeviceError(f"the encoder of {self._codec.value} cannot be started: {error}") from error
        await self._publish(DeviceState(Health.READY))

    async def close(self) -> None:
        """End the iterators, the encoder and the thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._switched.set()
        if self._worker is not None:
            await self._worker.call(self._release)
            await self._worker.close()

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. Frames that were being made while it stopped are thrown away."""
        self._is_enabled = is_enabled
        self._switched.set()

    async def request_keyframe(self) -> None:
        """The next frame can be decoded alone."""
        self._wants_keyframe = True

    async def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Encoded frames at a steady pace until `close`. A late reader misses frames, none queue up."""
        if self._worker is None:
            raise UsageError("the source is not open")
        worker = self._worker
        self._reader += 1
        reader = self._reader
        self._wants_keyframe = True
        loop = asyncio.get_running_loop()
        tick = 0
        while not self._is_closed and reader == self._reader:
            if not self._is_enabled:
                self._switched.clear()
                await self._switched.wait()
                self._wants_keyframe = True
                continue
            # Ticks are counted on the loop's own clock: a slow frame delays no later one.
            tick = max(tick + 1, math.ceil(loop.time() / self._period))
            await asyncio.sleep(float(tick * self._period) - loop.time())
            if not self._may_deliver(reader):
                continue
            wants_keyframe, self._wants_keyframe = self._wants_keyframe, False
            try:
                captured = await worker.call(self._capture, tick, wants_keyframe)
            except FFmpegError as error:
                await self._publish(DeviceState(Health.FAILED, str(error)))
                raise DeviceGoneError(f"the encoder of {self._codec.value} failed: {error}") from error
            if captured is None or not self._may_deliver(reader):
                self._wants_keyframe = True
                continue
            timestamp = int(tick * self._period * CLOCK_HZ[self._codec]) % 2**32
            yield EncodedFrame(self._codec, captured[0], timestamp, captured[1])

    def _may_deliver(self, reader: int) -> bool:
        return self._is_enabled and not self._is_closed and reader == self._reader
