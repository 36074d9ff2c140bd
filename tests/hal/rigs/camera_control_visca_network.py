"""VISCA over IP: a simulated camera on a UDP port of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import Pace, UdpWire
from tests.hal.rigs import Rig

PACE = Pace(30.0)


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera thirty times faster than life."""
    wire = UdpWire(ViscaRing([SimulatedViscaCamera()]), PACE)
    await wire.listen("127.0.0.1")
    serving = asyncio.create_task(wire.serve())

    async def unplug() -> None:
        wire.is_unplugged = True

    async def plug_in() -> None:
        wire.is_unplugged = False

    try:
        yield Rig(Slot.CAMERA_CONTROL, "visca", {"address": f"127.0.0.1:{wire.port}"}, unplug, plug_in)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        wire.close()
