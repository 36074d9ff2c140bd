"""The simulated camera's controls, which bring their counterpart along."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera thirty times faster than life."""
    yield Rig(Slot.CAMERA_CONTROL, "simulated", {"pace": 30})
