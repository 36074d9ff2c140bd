"""The simulated control port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A terminal in `folder`."""
    yield Rig(Slot.CODEC_CONTROL, "simulated", {"link": str(folder / "control")})
