"""The simulated microphone is its own counterpart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    yield Rig(Slot.MICROPHONE, "simulated")
