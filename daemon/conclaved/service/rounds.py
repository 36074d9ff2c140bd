"""Lets somebody outside of a loop see that it still turns."""

import asyncio


class Rounds:
    """A loop says when it has ended a turn; whoever doubts it waits for the next."""

    def __init__(self) -> None:
        self._turned = asyncio.Event()

    def turn(self) -> None:
        """The loop has ended a turn."""
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    async def next(self) -> None:
        """Return when the loop has ended a turn from now on. Whoever waits has woken the loop before."""
        await self._turned.wait()
