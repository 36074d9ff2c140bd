"""Who reads a driver's presses: each reader gets each press, none is kept for a late one."""

import asyncio
from collections.abc import AsyncIterator

from conclave_hal.buttons import Button

MAX_WAITING = 32


class ButtonReaders:
    """Owned by one event loop."""

    def __init__(self) -> None:
        self._readers: list[asyncio.Queue[Button | None]] = []
        self._is_closed = False

    def press(self, button: Button) -> None:
        """Tell all readers; one that is too slow misses it."""
        for reader in self._readers:
            if reader.qsize() < MAX_WAITING:
                reader.put_nowait(button)

    def close(self) -> None:
        """Let everybody go. Safe to call twice."""
        self._is_closed = True
        for reader in self._readers:
            reader.put_nowait(None)

    async def presses(self) -> AsyncIterator[Button]:
        """Each press from now on, until `close`."""
        if self._is_closed:
            return
        reader: asyncio.Queue[Button | None] = asyncio.Queue()
        self._readers.append(reader)
        try:
            while (button := await reader.get()) is not None:
                yield button
        finally:
            self._readers.remove(reader)
