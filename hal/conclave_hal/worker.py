"""A thread that owns one device's codecs, so that the event loop never waits for a picture.

FFmpeg's contexts are not safe to use from two threads at once, and a cancelled task does not
stop the call it started: with one thread for each device the next call simply comes after it.
The thread is a daemon: one that a driver in the kernel never lets go keeps the program from nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from conclave_hal.errors import DeviceGoneError

CLOSING_DEADLINE_S = 5.0
_log = logging.getLogger(__name__)

T = TypeVar("T")
_Job = tuple["Future[Any]", Callable[..., Any], tuple[object, ...]]


class Worker:
    """One thread, started at the first call and ended by `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_closed = False

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function` in the thread, after all calls before it. Raises DeviceGoneError once closed."""
        if self._is_closed:
            raise DeviceGoneError(f"{self._name} is closed")
        return await self._asked(function, *arguments)

    def abandon(self) -> None:
        """Give the thread up without waiting for the call that runs; it ends whenever that returns."""
        if not self._is_closed:
            self._is_closed = True
            self._jobs.put(None)

    async def close(self) -> None:
        """Wait for the call that runs, if any, and end the thread. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSING_DEADLINE_S):
                await self._asked(_nothing)
        except TimeoutError:
            _log.warning("%s does not end", self._name)
        finally:
            self._jobs.put(None)

    async def _asked(self, function: Callable[..., T], *arguments: object) -> T:
        if self._thread is None:
            self._thread = Thread(target=_run, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((future, function, arguments))
        return await asyncio.wrap_future(future)


def _run(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        future, function, arguments = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        else:
            future.set_result(result)
        # Nothing of the last call stays alive while the thread waits for the next.
        del job, future, function, arguments


def _nothing() -> None:
    pass
