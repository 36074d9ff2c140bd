"""VISCA on a serial port: a simulated camera on a pty."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.drivers import Slot
from conclave_hal.simulated.pty_wire import PtyWire
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import Pace, serve_on_pty
from tests.hal.rigs import Rig

PACE = Pace(30.0)


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera thirty times faster than life."""
    wire = PtyWire(folder / "tty")
    wire.plug_in()
    serving = asyncio.create_task(serve_on_pty(ViscaRing([SimulatedViscaCamera()]), wire, PACE))

    async def unplug() -> None:
        wire.unplug()

    async def plug_in() -> None:
        wire.plug_in()

    try:
        yield Rig(Slot.CAMERA_CONTROL, "visca", {"port": str(wire.link)}, unplug, plug_in)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        wire.unplug()
