"""The simulated contact, which is its own counterpart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.simulated.tamper import SimulatedTamper
from conclave_hal.switches import SwitchPosition
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    yield Rig(Slot.TAMPER, "simulated", by_hand={"open_case": open_case, "close_case": close_case})


async def open_case(device: AnyDevice) -> None:
    """As somebody with a screwdriver would."""
    assert isinstance(device, SimulatedTamper)
    await device.move(SwitchPosition.BLOCKING)


async def close_case(device: AnyDevice) -> None:
    """As if nothing had been."""
    assert isinstance(device, SimulatedTamper)
    await device.move(SwitchPosition.PASSING)
