"""The panel on pixels, drawing to a file; its folder is what is plugged in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
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

    options: dict[str, object] = {"backend": "png", "png_file": str(glass / "panel.png")}
    yield Rig(Slot.PANEL, "pixels", options, unplug, plug_in)
