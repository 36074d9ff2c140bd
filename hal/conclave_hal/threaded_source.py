"""A camera or microphone that is read in a thread: it comes and goes, and captures only while it is wanted.

Wanted means: enabled, and somebody reads. While it is not wanted the device is closed, so that its lamp is
dark and its line dead, and is looked at now and then, so that an unplugged one is missed. A capture that
fails while the device is still there (another program has it, say) ends for its reader, and leaves the
device DEGRADED until the next one works.
"""

import asyncio
import logging
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import replace
from typing import Generic, TypeVar

from conclave_hal.capture_thread import CaptureThread
from conclave_hal.device import DeviceState, Health
from conclave_hal.errors import DeviceGoneError, DeviceTimeoutError, HalError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.waiting import either
from conclave_hal.worker import Worker

LOOK_DEADLINE_S = 10.0
"""For a device to say what it can do: some USB cameras take seconds."""
FIRST_ITEM_S = 10.0
NEXT_ITEM_S = 4.0
"""Without anything for so long the device has hung, or its signal is gone."""
WATCH_S = 1.0
"""Between two looks whether an idle device is still there."""

_log = logging.getLogger(__name__)

S = TypeVar("S", bound=DeviceState)
F = TypeVar("F")
T = TypeVar("T")


class ThreadedSource(HotPlugDevice[S], Generic[S, F, T]):
    """The lifecycle. `F` is what is found of a device that is there, `T` what it delivers."""

    def __init__(self, name: str, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`pause` waits so many seconds."""
        super().__init__(pause=pause)
        self._name = name
        self._is_enabled = True
        self._is_closed = False
        self._reader: Reader[T] | None = None
        self._turned = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._worker: Worker | None = None
        self._thread: CaptureThread[T] | None = None
        self._last: CaptureThread[T] | None = None

    @abstractmethod
    def _look(self) -> F:
        """What there is. Runs in a worker. Raises HalError if it is not there or cannot be used."""

    @abstractmethod
    def _is_still(self, found: F) -> bool:
        """Whether the idle device is the one that was found. On the loop: a look, no question."""

    @abstractmethod
    def _capture(self, found: F) -> Generator[T | None, None, None]:
        """Open the device and yield what it delivers, as `CaptureThread` has it. Runs in its thread."""

    @abstractmethod
    def _ready(self, found: F, is_capturing: bool) -> S:
        """The state of a device that is there."""

    @abstractmethod
    def _keep(self, waiting: "deque[T]", item: T) -> None:
        """Put `item` to what waits for the reader, and throw away what it was too slow for."""

    def _keeps(self, found: F) -> int:
        """How many items may wait between thread and loop."""
        return 1

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. Stopped, the device is closed, and nothing of before comes later."""
        self._is_enabled = is_enabled
        if not is_enabled and self._reader is not None:
            self._reader.forget()
        self._turn()
        if not is_enabled:
            # As long as a capture takes to end, or to be given up.
            await self._idle.wait()

    async def close(self) -> None:
        """Let readers go. `run` has been cancelled before, and with it the capture."""
        self._is_closed = True
        if self._reader is not None:
            self._reader.end(None)
        if self._worker is not None:
            await self._worker.close()
        await self._publish(self._lost("closed"))

    async def _delivered(self) -> AsyncGenerator[T, None]:
        """For the newest reader: what is captured, until `close`; raises HalError when the device goes."""
        if self._reader is not None:
            self._reader.end(None)
        reader = self._reader = Reader(self._keep)
        self._turn()
        try:
            while not self._is_closed and (item := await reader.next()) is not None:
                yield item
        finally:
            if self._reader is reader:
                self._reader = None
                self._turn()

    async def _session(self) -> None:
        found = await self._looked()
        await self._publish(self._ready(found, False))
        reason = f"{self._name} is gone"
        try:
            while True:
                self._turned.clear()
                if self._is_wanted:
                    await self._try_to_serve(found)
                elif not await either(self._turned.wait(), self._pause(WATCH_S)) and not self._is_still(
                    found
                ):
                    raise DeviceGoneError(f"{self._name} is not there any more")
        except (HalError, OSError) as error:
            reason = str(error)
            raise
        finally:
            self._let_reader_go(reason)

    async def _try_to_serve(self, found: F) -> None:
        """Capture. Raises HalError or OSError when the device has gone, and only then."""
        try:
            await self._serve(found)
        except (HalError, OSError) as error:
            if not self._is_still(found):
                raise
            failed = replace(self._ready(found, False), health=Health.DEGRADED, reason=str(error))
            if self._state != failed:
                _log.warning("%s: %s", self._name, error)
            self._let_reader_go(str(error))
            await self._publish(failed)

    def _let_reader_go(self, reason: str) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not self._is_closed:
            reader.end(DeviceGoneError(reason))

    def _turn(self) -> None:
        """Something else may be wanted from now on."""
        self._turned.set()
        if self._thread is not None:
            self._thread.wake()

    @property
    def _is_wanted(self) -> bool:
        return self._is_enabled and self._reader is not None and not self._is_closed

    async def _looked(self) -> F:
        if self._worker is None:
            self._worker = Worker(self._name)
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S):
                return await self._worker.call(self._look)
        except TimeoutError as error:
            self._worker.abandon()
            self._worker = None
            raise DeviceTimeoutError(f"{self._name} does not answer") from error

    async def _serve(self, found: F) -> None:
        """Capture until nobody wants it any more. Raises HalError when the device goes."""
        thread: CaptureThread[T] = CaptureThread(
            self._name, lambda: self._capture(found), keeps=self._keeps(found)
        )
        if self._last is not None and not self._last.has_ended:
            # Another thread would hang beside it, and then another.
            raise DeviceTimeoutError(f"{self._name} still hangs", hint="unplug it and plug it in again")
        self._idle.clear()
        try:
            async with thread:
                self._thread = self._last = thread
                await self._hand_on(thread, found)
            await self._publish(self._ready(found, False))
        finally:
            self._thread = None
            self._idle.set()

    async def _hand_on(self, thread: CaptureThread[T], found: F) -> None:
        deadline_s = FIRST_ITEM_S
        while self._is_wanted:
            item = await thread.next(deadline_s)
            if item is None or self._reader is None or not self._is_wanted:
                continue
            deadline_s = NEXT_ITEM_S
            capturing = self._ready(found, True)
            if self._state != capturing:
                await self._publish(capturing)
            if self._is_wanted and self._reader is not None:
                self._reader.give(item)


class Reader(Generic[T]):
    """Who reads a source, and what waits for it."""

    def __init__(self, keep: "Callable[[deque[T], T], None]") -> None:
        self._keep = keep
        self._waiting: deque[T] = deque()
        self._end: HalError | None = None
        self._has_ended = False
        self._arrived = asyncio.Event()

    def give(self, item: T) -> None:
        """Another item."""
        self._keep(self._waiting, item)
        self._arrived.set()

    def forget(self) -> None:
        """What waits was captured before the source was stopped: nobody gets it."""
        self._waiting.clear()

    def end(self, error: HalError | None) -> None:
        """Nothing more comes: the reader gets the error, or its end."""
        self._waiting.clear()
        self._has_ended, self._end = True, error
        self._arrived.set()

    async def next(self) -> T | None:
        """The next item, or None at the end."""
        while not self._waiting:
            if self._has_ended:
                if self._end is not None:
                    raise self._end
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()
