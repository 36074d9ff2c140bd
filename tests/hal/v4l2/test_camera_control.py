"""A camera that is turned by its V4L2 controls."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave_hal.camera_control import (
    STILL,
    ExposureMode,
    FocusAt,
    FocusMode,
    Limits,
    Position,
    Power,
    Speed,
    Tally,
    WhiteBalance,
)
from conclave_hal.device import Health
from conclave_hal.errors import DeviceError, DeviceGoneError, UsageError
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId
from conclave_hal.v4l2.camera_control import ControlOptions, V4l2CameraControl
from tests.hal.v4l2.fake_camera import FakeCamera, FakeControl
from tests.hal.waiting import no_pause, running, until_state

EVERYTHING = {
    ControlId.PAN_ABSOLUTE: FakeControl(-36000, 36000, default=0),
    ControlId.TILT_ABSOLUTE: FakeControl(-18000, 18000, default=100),
    ControlId.ZOOM_ABSOLUTE: FakeControl(100, 500, 100, default=100),
    ControlId.PAN_SPEED: FakeControl(-10, 20),
    ControlId.TILT_SPEED: FakeControl(-10, 20),
    ControlId.ZOOM_CONTINUOUS: FakeControl(-7, 7),
    ControlId.FOCUS_AUTO: FakeControl(0, 1, 1),
    ControlId.FOCUS_ABSOLUTE: FakeControl(0, 250),
    ControlId.EXPOSURE_AUTO: FakeControl(0, 3, 3, refused=frozenset({0, 2})),
    ControlId.AUTO_WHITE_BALANCE: FakeControl(0, 1, 1),
    ControlId.WHITE_BALANCE_TEMPERATURE: FakeControl(2800, 5000, 4000),
}


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[FakeCamera]:
    controls = {
        number: FakeControl(each.least, each.most, each.value, each.default, each.refused)
        for number, each in EVERYTHING.items()
    }
    made = FakeCamera(tmp_path / "camera", controls=controls)  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def control(camera: FakeCamera) -> V4l2CameraControl:
    options = ControlOptions(str(camera.path))
    return V4l2CameraControl(options, open_node=camera.open_node, pause=no_pause)


async def until_ready(control: V4l2CameraControl) -> None:
    await until_state(control, lambda state: state.position is not None)


def values(camera: FakeCamera, *controls: ControlId) -> tuple[int, ...]:
    return tuple(camera.controls[each].value for each in controls)


async def test_what_the_camera_can_do_is_read_off_its_controls(control: V4l2CameraControl) -> None:
    async with running(control):
        await until_ready(control)
        can = control.state().capabilities
    assert can.model == "Room Camera"
    assert (can.pan, can.tilt, can.zoom) == (Limits(-36000, 36000), Limits(-18000, 18000), Limits(100, 500))
    assert (can.has_focus, can.has_exposure, can.has_white_balance) == (True, True, True)
    assert (can.has_power, can.has_tally, can.presets) == (False, False, 0)


async def test_a_camera_without_controls_has_no_position_and_can_nothing(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    camera.controls.clear()
    async with running(control):
        state = await until_state(control, lambda state: state.health is Health.READY)
        assert (state.capabilities.pan, state.position) == (None, None)
        with pytest.raises(DeviceError, match="cannot be turned"):
            await control.move_to(Position(0, 0, 0))


async def test_a_move_is_done_when_the_camera_says_that_it_is_there(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    async with running(control):
        await until_ready(control)
        await control.move_to(Position(3600, -7200, 300))
        assert control.state().position == Position(3600, -7200, 300)
        assert not control.state().is_moving
        await control.move_by(-100, 200, 1)
        assert control.state().position == Position(3500, -7000, 301)


async def test_a_camera_that_does_not_arrive_is_an_error(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    camera.is_stiff = True
    async with running(control):
        await until_ready(control)
        with pytest.raises(DeviceError, match=r"stopped at \(0, 0, 100\) on its way to \(50, 0, 100\)"):
            await control.move_to(Position(50, 0, 100))


async def test_a_newer_move_takes_the_place_of_an_older_one(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    camera.is_stiff = True
    async with running(control):
        await until_ready(control)
        older = asyncio.ensure_future(control.move_to(Position(50, 0, 100)))
        await until_state(control, lambda state: state.is_moving)
        camera.is_stiff = False
        await control.move_to(Position(70, 0, 100))
        with pytest.raises(DeviceError, match="a newer move"):
            await older


@pytest.mark.parametrize("there", [Position(36001, 0, 100), Position(0, -18001, 100), Position(0, 0, 99)])
async def test_what_is_outside_of_the_limits_is_never_sent(
    camera: FakeCamera, control: V4l2CameraControl, there: Position
) -> None:
    async with running(control):
        await until_ready(control)
        with pytest.raises(UsageError, match="is from"):
            await control.move_to(there)
        with pytest.raises(UsageError, match="is from"):
            await control.move_by(there.pan, there.tilt, there.zoom - 500)
    assert abi.S_CTRL not in camera.asked


async def test_a_speed_is_a_fraction_of_the_fastest_in_its_direction(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    speeds = (ControlId.PAN_SPEED, ControlId.TILT_SPEED, ControlId.ZOOM_CONTINUOUS)
    async with running(control):
        await until_ready(control)
        await control.drive(Speed(0.5, -0.5, 1.0))
        assert values(camera, *speeds) == (10, -5, 7)
        await control.drive(STILL)
        assert values(camera, *speeds) == (0, 0, 0)
        with pytest.raises(UsageError):
            await control.drive(Speed(pan=1.5))


async def test_a_camera_without_speeds_refuses_to_turn_and_can_be_told_to_stop(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    del camera.controls[ControlId.PAN_SPEED]
    async with running(control):
        await until_ready(control)
        await control.drive(STILL)
        with pytest.raises(DeviceError, match="has no PAN_SPEED"):
            await control.drive(Speed(pan=0.1))


async def test_home_is_the_default_or_what_the_reset_buttons_do(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    async with running(control):
        await until_ready(control)
        await control.move_to(Position(1, 2, 300))
        await control.home()
        assert control.state().position == Position(0, 100, 100)
    camera.controls[ControlId.PAN_RESET] = FakeControl(0, 0)
    camera.controls[ControlId.TILT_RESET] = FakeControl(0, 0)
    async with running(control):
        await until_ready(control)
        await control.home()
    assert values(camera, ControlId.PAN_RESET, ControlId.TILT_RESET) == (1, 1)


@pytest.mark.parametrize(
    ("setting", "set_to"),
    [
        (FocusMode.MANUAL, {ControlId.FOCUS_AUTO: 0}),
        (FocusMode.AUTO, {ControlId.FOCUS_AUTO: 1}),
        (FocusAt(77), {ControlId.FOCUS_ABSOLUTE: 77}),
        (ExposureMode.MANUAL, {ControlId.EXPOSURE_AUTO: 1}),
        (ExposureMode.AUTO, {ControlId.EXPOSURE_AUTO: 3}),
        (WhiteBalance.AUTO, {ControlId.AUTO_WHITE_BALANCE: 1}),
        (
            WhiteBalance.INDOOR,
            {ControlId.AUTO_WHITE_BALANCE: 0, ControlId.WHITE_BALANCE_TEMPERATURE: 3200},
        ),
        (
            WhiteBalance.OUTDOOR,
            {ControlId.AUTO_WHITE_BALANCE: 0, ControlId.WHITE_BALANCE_TEMPERATURE: 5000},
        ),
    ],
)
async def test_settings_of_the_picture(
    camera: FakeCamera,
    control: V4l2CameraControl,
    setting: FocusMode | FocusAt | ExposureMode | WhiteBalance,
    set_to: dict[ControlId, int],
) -> None:
    async with running(control):
        await until_ready(control)
        await control.adjust(setting)
    assert {each: camera.controls[each].value for each in set_to} == set_to


async def test_a_camera_that_calls_it_auto_exposes_by_itself_too(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    camera.controls[ControlId.EXPOSURE_AUTO].refused = frozenset({2, 3})
    async with running(control):
        await until_ready(control)
        await control.adjust(ExposureMode.AUTO)
    assert camera.controls[ControlId.EXPOSURE_AUTO].value == 0


async def test_what_video4linux_does_not_know_is_refused(control: V4l2CameraControl) -> None:
    async with running(control):
        await until_ready(control)
        for command in (
            control.set_power(Power.STANDBY),
            control.recall_preset(0),
            control.store_preset(0),
            control.adjust(Tally.ON),
        ):
            with pytest.raises((DeviceError, UsageError), match="this camera"):
                await command


async def test_an_unplugged_camera_is_gone_and_comes_back(
    camera: FakeCamera, control: V4l2CameraControl
) -> None:
    async with running(control):
        await until_ready(control)
        camera.unplug()
        lost = await until_state(control, lambda state: state.health is Health.FAILED)
        assert (lost.position, lost.capabilities.model) == (None, "Room Camera")
        with pytest.raises(DeviceGoneError):
            await control.home()
        camera.plug_in()
        await until_ready(control)
        await control.home()
