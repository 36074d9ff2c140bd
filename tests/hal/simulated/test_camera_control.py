"""The simulated room's camera: the real driver, and a camera below its wire."""

import asyncio
from pathlib import Path

from conclave_hal.camera_control import Position
from conclave_hal.device import Health
from conclave_hal.drivers import Slot, find_driver
from conclave_hal.simulated.camera_control import SimulatedCameraControl
from conclave_hal.visca.camera_control import ViscaCamera
from tests.hal.visca.room import end, until_ready


def make() -> SimulatedCameraControl:
    driver = find_driver(Slot.CAMERA_CONTROL, "simulated")
    device = driver.make(driver.options(pace=30), {})
    assert isinstance(device, SimulatedCameraControl)
    return device


async def test_its_body_turns_where_the_driver_says() -> None:
    device = make()
    assert isinstance(device, ViscaCamera)
    await device.open()
    running = asyncio.create_task(device.supervise())
    state = await until_ready(device)
    assert state.capabilities.presets == 16
    await device.move_to(Position(500, 100, 0x800))
    assert (device.body.pan.steps, device.body.tilt.steps, device.body.zoom.steps) == (500, 100, 0x800)
    await end(running)
    await device.close()


async def test_it_leaves_nothing_behind_and_can_be_opened_again() -> None:
    device = make()
    await device.open()
    assert device._wire is not None
    folder = Path(device._wire.link).parent
    assert folder.is_dir()
    await device.close()
    await device.close()
    assert not folder.exists()
    assert device.state().health is Health.FAILED
    await device.open()
    running = asyncio.create_task(device.supervise())
    await until_ready(device)
    await end(running)
    await device.close()
