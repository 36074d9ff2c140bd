"""The simulated buttons, which are their own counterpart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.buttons import Button
from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.simulated.buttons import SimulatedButtons
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    yield Rig(Slot.BUTTONS, "simulated", by_hand={"press": press})


async def press(device: AnyDevice) -> None:
    """One of them."""
    assert isinstance(device, SimulatedButtons)
    device.press(Button.LEAVE)
