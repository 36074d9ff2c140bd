"""Shutter and turning by the kernel's driver of USB cameras, on a camera that is a program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from conclave_hal.camera_control import CameraControl, Position
from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.switches import PrivacySwitch, SwitchPosition
from tests.hal.eventually import eventually
from tests.hal.waiting import running, until_state
from tests.vm.guest.devices import device
from tests.vm.guest.usb_camera import UsbCamera, node


def is_there() -> bool:
    with suppress(OSError):  # it comes or goes while it is looked at
        return node().exists()
    return False


@pytest.fixture
async def camera() -> AsyncIterator[UsbCamera]:
    made = UsbCamera()
    with made.plugged_in():
        await eventually(is_there)
        yield made
    await eventually(lambda: not is_there())


def shutter(path: Path) -> PrivacySwitch:
    return device(PrivacySwitch, Slot.PRIVACY_SWITCH, "v4l2", device=str(path))


async def test_a_slider_before_the_lens_is_seen_when_it_moves(camera: UsbCamera) -> None:
    it = shutter(node())
    async with running(it):
        await until_state(it, lambda state: state.position is SwitchPosition.PASSING)
        camera.cover(True)
        await until_state(it, lambda state: state.position is SwitchPosition.BLOCKING)
        camera.cover(False)
        await until_state(it, lambda state: state.position is SwitchPosition.PASSING)


async def test_a_slider_that_was_closed_before_is_read_as_closed(camera: UsbCamera) -> None:
    camera.cover(True)
    it = shutter(node())
    async with running(it):
        await until_state(it, lambda state: state.position is SwitchPosition.BLOCKING)


async def test_a_camera_turns_to_where_it_is_told(camera: UsbCamera) -> None:
    it = device(CameraControl, Slot.CAMERA_CONTROL, "v4l2", device=str(node()))
    async with running(it):
        state = await until_state(it, lambda state: state.health is Health.READY)
        assert state.capabilities.model.startswith("Turning")
        await it.move_to(Position(36_000, -7_200, 250))
        assert (camera.pan, camera.tilt, camera.zoom) == (36_000, -7_200, 250)
        await it.home()
        assert (camera.pan, camera.tilt, camera.zoom) == (0, 0, 100)


async def test_a_shutter_is_unknown_once_its_camera_is_unplugged() -> None:
    camera = UsbCamera()
    with ExitStack() as port:
        port.enter_context(camera.plugged_in())
        await eventually(is_there)
        it = shutter(node())
        async with running(it):
            await until_state(it, lambda state: state.position is SwitchPosition.PASSING)
            await asyncio.to_thread(port.close)
            state = await until_state(it, lambda state: state.health is Health.FAILED)
    assert state.position is SwitchPosition.UNKNOWN
