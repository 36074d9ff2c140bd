"""The serial LCD, against one on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.lcd.link import Key
from conclave_hal.panel import Panel
from conclave_hal.simulated.lcd import SimulatedLcd
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal.eventually import eventually
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """An LCD that is plugged in and works."""
    lcd = SimulatedLcd(PtyWire(folder / "lcd"))
    lcd.wire.plug_in()
    running = asyncio.create_task(lcd.run())

    async def unplug() -> None:
        lcd.wire.unplug()

    async def plug_in() -> None:
        lcd.lose_power()
        lcd.wire.plug_in()

    async def press(device: AnyDevice) -> None:
        """The last page of a meeting; ENTER acts on it."""
        lcd.press(Key.UP)
        assert isinstance(device, Panel)
        await eventually(lambda: lcd.memory[3].startswith(b"ENTER") and device.drawn() is not None)
        lcd.press(Key.ENTER)

    try:
        yield Rig(Slot.PANEL, "crystalfontz", {"port": str(lcd.wire.link)}, unplug, plug_in, {"press": press})
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        lcd.wire.unplug()
