"""The simulated shutter: the device itself is moved, as the page around the panel does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.simulated.switch import SimulatedSwitch
from conclave_hal.switches import SwitchPosition
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    yield Rig(Slot.PRIVACY_SWITCH, "simulated", by_hand={"block": block, "pass": let_pass})


async def block(device: AnyDevice) -> None:
    """Move the switch so that nothing gets through."""
    assert isinstance(device, SimulatedSwitch)
    await device.move(SwitchPosition.BLOCKING)


async def let_pass(device: AnyDevice) -> None:
    """Move it back."""
    assert isinstance(device, SimulatedSwitch)
    await device.move(SwitchPosition.PASSING)
