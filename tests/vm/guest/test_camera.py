"""The V4L2 drivers on the kernel's test camera. It has no shutter and cannot be turned: they must say so."""

import asyncio

import pytest

from conclave_hal import threaded_source
from conclave_hal.camera import Camera, CameraState, Picture
from conclave_hal.camera_control import CameraControl
from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.switches import PrivacySwitch, SwitchPosition
from tests.hal.waiting import running, until_state
from tests.vm.guest.devices import PATIENCE_S, bind_cameras, camera_node, device, unbind_cameras


@pytest.fixture(autouse=True)
def patience_with_pictures(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for deadline in ("FIRST_ITEM_S", "NEXT_ITEM_S", "LOOK_DEADLINE_S"):
        monkeypatch.setattr(threaded_source, deadline, PATIENCE_S)


def webcam() -> Camera:
    return device(Camera, Slot.CAMERA, "v4l2", device=str(camera_node()), width=640, height=360, fps=15)


def is_ready(state: CameraState) -> bool:
    return state.health is Health.READY


async def some(camera: Camera, wanted: int) -> list[Picture]:
    """The next pictures."""
    found: list[Picture] = []
    async with asyncio.timeout(PATIENCE_S):
        async for picture in camera.pictures():
            assert isinstance(picture, Picture)
            found.append(picture)
            if len(found) == wanted:
                break
    return found


async def test_a_camera_lists_what_it_can_deliver() -> None:
    camera = webcam()
    async with running(camera):
        state = await until_state(camera, is_ready)
        assert state.format == camera.formats()[0]
        assert (camera.formats()[0].width, camera.formats()[0].height) == (640, 360)


async def test_pictures_arrive_whole_and_move() -> None:
    camera = webcam()
    async with running(camera):
        first, second = await some(camera, 2)
    assert (first.width, first.height, len(first.data)) == (640, 360, 640 * 360 * 3 // 2)
    assert first.data != second.data
    assert first.timestamp != second.timestamp


async def test_the_bars_of_the_test_picture_have_their_colours() -> None:
    # vivid's default is eight bars of three quarters' brightness: white, yellow, cyan, green, magenta, red,
    # blue, black. The text that it writes over them is at the top.
    camera = webcam()
    async with running(camera):
        picture = (await some(camera, 1))[0]
    row = picture.height * 3 // 4 // 2 * 2
    luma = [picture.data[row * picture.width + picture.width * (2 * bar + 1) // 16] for bar in range(8)]
    assert luma == sorted(luma, reverse=True)
    assert luma[0] > 170
    assert luma[-1] < 30


async def test_a_camera_that_is_disabled_captures_nothing() -> None:
    camera = webcam()
    async with running(camera):
        await some(camera, 1)
        reading = asyncio.create_task(some(camera, 1))
        await until_state(camera, lambda state: state.is_capturing)
        await reading
        await camera.set_enabled(False)
        reading = asyncio.create_task(some(camera, 1))
        state = await until_state(camera, lambda state: not state.is_capturing)
        assert state.health is Health.READY
        assert not reading.done()
        reading.cancel()


async def test_a_camera_that_is_unplugged_while_it_films_comes_back() -> None:
    camera = webcam()
    async with running(camera):
        pictures = camera.pictures()
        await anext(pictures)
        unbind_cameras()
        try:
            with pytest.raises(DeviceGoneError):
                async with asyncio.timeout(PATIENCE_S):
                    async for _ in pictures:
                        pass
            state = await until_state(camera, lambda state: state.health is Health.FAILED)
            assert state.reason
        finally:
            bind_cameras()
        await until_state(camera, is_ready)
        assert len(await some(camera, 1)) == 1


async def test_a_camera_without_a_shutter_is_said_to_have_none() -> None:
    switch = device(PrivacySwitch, Slot.PRIVACY_SWITCH, "v4l2", device=str(camera_node()))
    async with running(switch):
        state = await until_state(switch, lambda state: state.health is Health.FAILED)
    assert "covered" in state.reason
    assert state.position is SwitchPosition.UNKNOWN


async def test_a_camera_that_cannot_be_turned_is_said_to_be_fixed() -> None:
    control = device(CameraControl, Slot.CAMERA_CONTROL, "v4l2", device=str(camera_node()))
    async with running(control):
        state = await until_state(control, lambda state: state.health is Health.READY)
        assert state.capabilities.pan is None
        with pytest.raises(DeviceError):
            await control.home()
    assert "vivid" in state.capabilities.model
