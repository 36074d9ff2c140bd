"""Waiting for what a device far down a wire does."""

import asyncio
from collections.abc import Callable

DEADLINE_S = 60.0
"""Only a test that fails waits so long."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Let everything else run until `condition` holds. Raises TimeoutError if it never does."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a pseudo-terminal has no event to wait for
            await asyncio.sleep(0)
