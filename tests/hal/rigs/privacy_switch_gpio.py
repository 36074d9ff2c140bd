"""The slot privacy_switch on GPIO lines, with a double of libgpiod's package."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.drivers import Slot
from tests.hal.gpio.doubles import CHIP, DoubleChip
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A chip that is plugged in and works."""
    chip = DoubleChip()

    async def unplug() -> None:
        chip.unplug()

    async def plug_in() -> None:
        chip.plug_in()

    options: dict[str, object] = {"chip": CHIP, "line": "SHUTTER"}
    with patch.dict(sys.modules, {"gpiod": chip.module()}):
        yield Rig(Slot.PRIVACY_SWITCH, "gpio", options, unplug, plug_in)
