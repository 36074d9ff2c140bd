"""The slot buttons on GPIO lines, with a double of libgpiod's package."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from tests.hal.gpio.doubles import CHIP, DoubleChip
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A chip that is plugged in and works."""
    chip = DoubleChip({1: True, 2: True})

    async def unplug() -> None:
        chip.unplug()

    async def plug_in() -> None:
        chip.plug_in()

    async def press(device: AnyDevice) -> None:
        chip.drive(1, is_high=False)
        chip.drive(1, is_high=True)

    options: dict[str, object] = {"chip": CHIP, "lines": {"leave": 1, "microphone": 2}}
    with patch.dict(sys.modules, {"gpiod": chip.module()}):
        yield Rig(Slot.BUTTONS, "gpio", options, unplug, plug_in, {"press": press})
