"""A thread that reads a device which blocks, and hands what it reads to the event loop.

FFmpeg's capture devices wait in the kernel, where nothing can interrupt them. So each capture has a thread of
its own, which is a daemon: when the hardware hangs it is left behind, and its device with it, and the loop
goes on. What nobody has taken yet is bounded; the oldest goes first.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator
from threading import Event, Thread
from typing import Generic, TypeVar

from conclave_hal.errors import DeviceGoneError, DeviceTimeoutError, HalError
from conclave_hal.ffmpeg import ffmpeg_errors

ENDING_S = 2.0
"""For a thread to end after it was told so."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


class CaptureThread(Generic[T]):
    """One run of a capture; a context manager. One event loop owns it."""

    def __init__(
        self, name: str, items: Callable[[], Generator[T | None, None, None]], *, keeps: int
    ) -> None:
        """`items()` opens the device, yields what it reads and closes it; it runs in the thread.

        A None that it yields is nothing but a chance to stop. `keeps` is how many wait for the loop at most.
        """
        self._name = name
        self._items = items
        self._waiting: deque[T] = deque(maxlen=keeps)
        self._lost = 0
        self._end: BaseException | None = None
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_woken = False
        self._is_told = False
        self._has_ended = False
        self._stop = Event()
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> "CaptureThread[T]":
        Thread(target=self._run, name=self._name, daemon=True).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        self._waiting.clear()
        try:
            async with asyncio.timeout(ENDING_S):
                await self._ended.wait()
        except TimeoutError:
            _log.warning("%s hangs in the kernel; its thread is left behind", self._name)

    @property
    def has_ended(self) -> bool:
        """Whether the thread has let the device go."""
        return self._has_ended

    @property
    def lost(self) -> int:
        """How many items were thrown away because nobody took them in time."""
        return self._lost

    def wake(self) -> None:
        """Let whoever waits in `next` look at what else has changed."""
        self._is_woken = True
        self._arrived.set()

    async def next(self, deadline_s: float) -> T | None:
        """The oldest item that waits, or None after a `wake`.

        Raises DeviceTimeoutError if none comes within `deadline_s`, and once the capture has ended what
        ended it: a HalError, or DeviceGoneError with the system's reason.
        """
        try:
            async with asyncio.timeout(deadline_s):
                while not self._waiting:
                    if self._is_woken:
                        self._is_woken = False
                        return None
                    if self._end is not None:
                        raise self._end
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self._name} delivers nothing for {deadline_s:g} s") from error
        return self._waiting.popleft()

    def _run(self) -> None:
        end: BaseException = DeviceGoneError(f"{self._name} delivers nothing any more")
        try:
            with contextlib.closing(self._items()) as items:
                for item in items:
                    if self._stop.is_set():
                        break
                    if item is not None:
                        self._lost += len(self._waiting) == self._waiting.maxlen
                        self._waiting.append(item)
                        self._tell()
        except HalError as error:
            end = error
        except OSError as error:
            end = self._gone(error)
        except ffmpeg_errors() as error:
            # Not all of FFmpeg's errors are the system's: a camera that is unplugged while it films answers
            # with EINVAL, which becomes a ValueError.
            end = self._gone(error)
        except Exception as error:  # noqa: BLE001 - the thread's root: who reads gets it
            end = error
        self._end = end
        self._has_ended = True
        self._is_told = False
        self._tell()

    def _gone(self, error: Exception) -> DeviceGoneError:
        gone = DeviceGoneError(f"{self._name}: {getattr(error, 'strerror', None) or error}")
        gone.__cause__ = error
        return gone

    def _tell(self) -> None:
        """Wake the loop, once for all that has come until it looks: a fast device must not flood it."""
        if self._is_told:
            return
        self._is_told = True
        # A loop that has ended meanwhile needs nothing any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._is_told = False
        self._arrived.set()
        if self._has_ended:
            self._ended.set()
