"""The screen on pixels, on a glass that is a file in a folder that comes and goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A glass that is there."""
    glass = folder / "glass"
    glass.mkdir()

    async def unplug() -> None:
        glass.rename(folder / "away")

    async def plug_in() -> None:
        (folder / "away").rename(glass)

    options: dict[str, object] = {"backend": "png", "png_file": str(glass / "screen.png")}
    yield Rig(Slot.SCREEN, "pixels", options, unplug, plug_in)
