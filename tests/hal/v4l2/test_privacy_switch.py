"""The shutter that a camera tells of, by the kernel's events and without them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave_hal.device import Health
from conclave_hal.switches import SwitchPosition
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId
from conclave_hal.v4l2.privacy_switch import MAX_EMPTY_WAKES, POLL_S, PrivacyOptions, V4l2PrivacySwitch
from tests.hal.v4l2.fake_camera import FakeCamera, FakeControl
from tests.hal.waiting import Clock, no_pause, running, until_state


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[FakeCamera]:
    made = FakeCamera(tmp_path / "camera", controls={ControlId.PRIVACY: FakeControl(0, 1)})
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(camera: FakeCamera, clock: Clock) -> V4l2PrivacySwitch:
    """No pause ends by itself: what it knows, it was told."""
    options = PrivacyOptions(str(camera.path))
    return V4l2PrivacySwitch(options, open_node=camera.open_node, pause=clock.pause)


@pytest.fixture
def switch(camera: FakeCamera) -> V4l2PrivacySwitch:
    """Looks again and again."""
    return V4l2PrivacySwitch(PrivacyOptions(str(camera.path)), open_node=camera.open_node, pause=no_pause)


async def until(switch: V4l2PrivacySwitch, position: SwitchPosition) -> None:
    await until_state(switch, lambda state: state.position is position)


async def test_a_shutter_that_is_closed_at_start_is_blocking(
    camera: FakeCamera, switch: V4l2PrivacySwitch
) -> None:
    camera.controls[ControlId.PRIVACY].value = 1
    assert switch.state().position is SwitchPosition.UNKNOWN
    async with running(switch):
        await until(switch, SwitchPosition.BLOCKING)


async def test_the_kernels_event_moves_the_switch(
    camera: FakeCamera, told: V4l2PrivacySwitch, clock: Clock
) -> None:
    async with running(told):
        await until(told, SwitchPosition.PASSING)
        for value, position in ((1, SwitchPosition.BLOCKING), (0, SwitchPosition.PASSING)):
            camera.move(ControlId.PRIVACY, value)
            await until(told, position)


async def test_without_events_the_control_is_read_again_and_again(
    camera: FakeCamera, switch: V4l2PrivacySwitch
) -> None:
    camera.tells_events = False
    async with running(switch):
        await until(switch, SwitchPosition.PASSING)
        camera.move(ControlId.PRIVACY, 1)
        await until(switch, SwitchPosition.BLOCKING)


async def test_a_node_that_wakes_for_nothing_is_read_by_the_clock_instead(
    camera: FakeCamera, told: V4l2PrivacySwitch, clock: Clock
) -> None:
    async with running(told):
        await until(told, SwitchPosition.PASSING)
        for _ in range(MAX_EMPTY_WAKES):
            asked = camera.asked.count(abi.DQEVENT)
            camera.wake()
            while camera.asked.count(abi.DQEVENT) == asked:
                await no_pause(0)
        camera.controls[ControlId.PRIVACY].value = 1  # and no event
        seen = asyncio.ensure_future(until(told, SwitchPosition.BLOCKING))
        while not seen.done():
            await clock.tick()
        assert clock.pauses[-1] == POLL_S


async def test_an_unplugged_camera_has_an_unknown_shutter_and_comes_back(
    camera: FakeCamera, told: V4l2PrivacySwitch, clock: Clock
) -> None:
    async with running(told):
        await until(told, SwitchPosition.PASSING)
        camera.unplug()
        gone = await until_state(told, lambda state: state.health is Health.FAILED)
        assert gone.position is SwitchPosition.UNKNOWN
        camera.controls[ControlId.PRIVACY].value = 1
        camera.plug_in()
        seen = asyncio.ensure_future(until(told, SwitchPosition.BLOCKING))
        while not seen.done():
            await clock.tick()


async def test_a_camera_without_the_control_says_so(camera: FakeCamera, switch: V4l2PrivacySwitch) -> None:
    camera.controls.clear()
    async with running(switch):
        failed = await until_state(switch, lambda state: state.health is Health.FAILED)
    assert "does not tell whether its lens is covered" in failed.reason
    assert failed.position is SwitchPosition.UNKNOWN
