"""Simulated buttons: they are pressed on the page around the simulated panel."""

import asyncio
from collections.abc import AsyncIterator

from conclave_hal.buttons import Button, Buttons
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.options import NoOptions

MAX_WAITING = 32


class SimulatedButtons(Buttons):
    """One of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: list[asyncio.Queue[Button | None]] = []
        self._is_closed = False

    async def open(self) -> None:
        """Nothing to acquire."""
        await self._publish(DeviceState(Health.READY))

    async def close(self) -> None:
        """Let go whoever waits for a press."""
        self._is_closed = True
        for reader in self._readers:
            reader.put_nowait(None)

    def fitted(self) -> frozenset[Button]:
        """All that there are."""
        return frozenset(Button)

    def press(self, button: Button) -> None:
        """Press a button, as a hand would. Nobody keeps it for a late reader, or for a slow one for ever."""
        for reader in self._readers:
            if reader.qsize() < MAX_WAITING:
                reader.put_nowait(button)

    async def presses(self) -> AsyncIterator[Button]:
        """Each press, until `close`."""
        if self._is_closed:
            return
        reader: asyncio.Queue[Button | None] = asyncio.Queue()
        self._readers.append(reader)
        try:
            while (button := await reader.get()) is not None:
                yield button
        finally:
            self._readers.remove(reader)


DRIVER = Driver(NoOptions, lambda options, made: SimulatedButtons())
