"""The simulated mute switch, moved as the simulated shutter is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from tests.hal.rigs import Rig
from tests.hal.rigs.privacy_switch_simulated import block, let_pass


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    yield Rig(Slot.MUTE_SWITCH, "simulated", by_hand={"block": block, "pass": let_pass})
