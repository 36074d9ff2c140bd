"""The panel on pixels, drawing to a file; its folder is what is plugged in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.buttons import Button
from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.pixels.navigation import Press
from conclave_hal.pixels.pixel_panel import PixelPanel
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A glass that is there."""
    glass, away = folder / "glass", folder / "away"
    glass.mkdir()

    async def unplug() -> None:
        glass.rename(away)

    async def plug_in() -> None:
        away.rename(glass)

    async def press(device: AnyDevice) -> None:
        """By buttons: down to the first thing that asks something of the room."""
        assert isinstance(device, PixelPanel)
        while not isinstance(device.selected_target, Press):
            await device.navigate(Button.DOWN)
        await device.navigate(Button.SELECT)

    options: dict[str, object] = {"backend": "png", "png_file": str(glass / "panel.png")}
    yield Rig(Slot.PANEL, "pixels", options, unplug, plug_in, {"press": press})
