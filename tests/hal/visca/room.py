"""The driver `visca` and simulated cameras with a wire between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from conclave_hal.camera_control import CameraControl, CameraControlState
from conclave_hal.device import Health
from conclave_hal.drivers import Slot, find_driver
from conclave_hal.options import HostPort
from conclave_hal.simulated.pty_wire import PtyWire
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import Pace, UdpWire, serve_on_pty

PATIENCE_S = 30.0
"""Only a test that would hang waits so long."""
PACE = Pace(30.0)


@dataclass(frozen=True, slots=True)
class SerialRoom:
    """A driver on a pty."""

    driver: CameraControl
    wire: PtyWire
    ring: ViscaRing
    running: "asyncio.Task[None]"

    @property
    def camera(self) -> SimulatedViscaCamera:
        return self.ring.cameras[0]


@dataclass(frozen=True, slots=True)
class NetworkRoom:
    """A driver in a network."""

    driver: CameraControl
    wire: UdpWire

    @property
    def camera(self) -> SimulatedViscaCamera:
        return self.wire.ring.cameras[0]


async def until(driver: CameraControl, is_so: Callable[[CameraControlState], bool]) -> CameraControlState:
    """The first state from now on that is so."""
    async with asyncio.timeout(PATIENCE_S):
        async for state in driver.watch():
            if is_so(state):
                return state
    raise AssertionError("unreachable")


async def until_ready(driver: CameraControl) -> CameraControlState:
    return await until(driver, lambda state: state.health is Health.READY)


async def until_failed(driver: CameraControl) -> CameraControlState:
    return await until(driver, lambda state: state.health is Health.FAILED)


def make(**options: object) -> CameraControl:
    chosen = find_driver(Slot.CAMERA_CONTROL, "visca")
    driver = chosen.make(chosen.options(**options), {})
    assert isinstance(driver, CameraControl)
    return driver


async def end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def serial_room(
    folder: Path, *, cameras: int = 1, camera: int = 1, is_plugged_in: bool = True, pace: Pace = PACE
) -> AsyncIterator[SerialRoom]:
    """A running driver, ready if there is a wire to be ready on."""
    wire = PtyWire(folder / "tty")
    if is_plugged_in:
        wire.plug_in()
    ring = ViscaRing([SimulatedViscaCamera() for _ in range(cameras)])
    serving = asyncio.create_task(serve_on_pty(ring, wire, pace))
    driver = make(port=str(wire.link), camera=camera)
    await driver.open()
    running = asyncio.create_task(driver.supervise())
    try:
        if is_plugged_in:
            await until_ready(driver)
        yield SerialRoom(driver, wire, ring, running)
    finally:
        await end(running)
        await driver.close()
        await end(serving)
        wire.unplug()


@contextlib.asynccontextmanager
async def network_room() -> AsyncIterator[NetworkRoom]:
    """A running driver, ready."""
    wire = UdpWire(ViscaRing([SimulatedViscaCamera()]), PACE)
    await wire.listen("127.0.0.1")
    serving = asyncio.create_task(wire.serve())
    driver = make(address=HostPort("127.0.0.1", wire.port))
    await driver.open()
    running = asyncio.create_task(driver.supervise())
    try:
        await until_ready(driver)
        yield NetworkRoom(driver, wire)
    finally:
        await end(running)
        await driver.close()
        await end(serving)
        wire.close()
