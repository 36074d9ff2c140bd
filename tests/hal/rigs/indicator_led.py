"""Lamps of the LED class, in a scratch folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.led.folders import LedFolder
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A ring of several colours, and the lamp of the microphone."""
    leds = LedFolder(folder)
    leds.add("rgb:ring", colours="red green blue")
    leds.add("red:mute")

    async def unplug() -> None:
        leds.unplug()

    async def plug_in() -> None:
        leds.plug_in()

    options: dict[str, object] = {"ring": "rgb:ring", "mute": "red:mute", "folder": str(leds.folder)}
    yield Rig(Slot.INDICATOR, "led", options, unplug, plug_in)
