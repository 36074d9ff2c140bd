"""Waiting for the first of two things."""

import asyncio
import contextlib
from collections.abc import Awaitable


async def either(first: Awaitable[object], second: Awaitable[object]) -> bool:
    """Wait for either; whether it was (also) the first."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
