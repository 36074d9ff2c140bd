"""A Samsung display, against one on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from conclave_hal.simulated.display import SimulatedMdcDisplay
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A display that is plugged in and works."""
    screen = SimulatedMdcDisplay(PtyWire(folder / "display"), display_id=7)
    screen.wire.plug_in()
    running = asyncio.create_task(screen.run())

    async def unplug() -> None:
        screen.wire.unplug()

    async def plug_in() -> None:
        screen.wire.plug_in()

    try:
        yield Rig(Slot.DISPLAY, "mdc", {"port": str(screen.wire.link), "id": 7}, unplug, plug_in)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        screen.wire.unplug()
