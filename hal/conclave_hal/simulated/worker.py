"""A thread that owns one device's codecs, so that the event loop never waits for a picture.

FFmpeg's contexts are not safe to use from two threads at once, and a cancelled task does not
stop the call it started: with one thread for each device the next call simply comes after it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from conclave_hal.errors import DeviceGoneError

T = TypeVar("T")


class Worker:
    """One thread, started at the first call and ended by `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._is_closed = False

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function` in the thread, after all calls before it. Raises DeviceGoneError once closed."""
        if self._is_closed:
            raise DeviceGoneError(f"{self._name} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def close(self) -> None:
        """Wait for the call that runs, if any, and end the thread. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(self._threads, _nothing)
        self._threads.shutdown(wait=True, cancel_futures=True)


def _nothing() -> None:
    pass
