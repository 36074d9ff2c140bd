"""Waiting for what a real machine does in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

PAUSE_S = 0.5
LONG_S = 240.0
Found = TypeVar("Found")


async def eventually(look: Callable[[], Awaitable[Found]], what: str, timeout_s: float = LONG_S) -> Found:
    """What `look` finds as soon as it is something; AssertionError after `timeout_s` seconds."""
    give_up_at = time.monotonic() + timeout_s
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < give_up_at, f"waited {timeout_s:g} s for {what}"
        await asyncio.sleep(PAUSE_S)
