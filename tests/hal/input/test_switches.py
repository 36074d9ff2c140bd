"""Shutter and mute switch as input devices. The kernel's side is a double: a pipe, and ioctls in Python."""

from pathlib import Path

import pytest

from conclave_hal.device import Health
from conclave_hal.input.events import (
    EV_SW,
    EV_SYN,
    SW_CAMERA_LENS_COVER,
    SW_MUTE_DEVICE,
    SYN_DROPPED,
    InputEvent,
)
from conclave_hal.input.mute_switch import InputMuteSwitch
from conclave_hal.input.privacy_switch import InputPrivacySwitch
from conclave_hal.input.switch import InputSwitch, InputSwitchOptions
from conclave_hal.switches import SwitchPosition
from tests.hal.input.doubles import DoubleInput
from tests.hal.waiting import no_pause, running, until_state


@pytest.fixture
def lens(tmp_path: Path) -> DoubleInput:
    double = DoubleInput(tmp_path)
    double.switches = {SW_CAMERA_LENS_COVER: True}
    double.plug_in()
    return double


def switch(double: DoubleInput, *, inverted: bool = False) -> InputSwitch:
    options = InputSwitchOptions(str(double.path), inverted)
    return InputPrivacySwitch(options, open_node=double.open_node, pause=no_pause)


async def stands(device: InputSwitch, position: SwitchPosition) -> None:
    await until_state(device, lambda state: state.position is position)


async def test_a_shutter_that_was_closed_before_the_start_is_known_as_closed(lens: DoubleInput) -> None:
    device = switch(lens)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
    lens.unplug()


async def test_a_move_is_seen(lens: DoubleInput) -> None:
    device = switch(lens)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
        lens.say(InputEvent(EV_SW, SW_CAMERA_LENS_COVER, 0), InputEvent(EV_SYN, 0, 0))
        await stands(device, SwitchPosition.PASSING)
    lens.unplug()


async def test_another_switch_of_the_same_device_means_nothing(lens: DoubleInput) -> None:
    device = switch(lens)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
        lens.say(InputEvent(EV_SW, SW_MUTE_DEVICE, 0), InputEvent(EV_SW, SW_CAMERA_LENS_COVER, 0))
        await stands(device, SwitchPosition.PASSING)
    lens.unplug()


async def test_after_lost_events_the_switch_is_asked(lens: DoubleInput) -> None:
    device = switch(lens)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
        lens.switches[SW_CAMERA_LENS_COVER] = False
        lens.say(InputEvent(EV_SYN, SYN_DROPPED, 0))
        await stands(device, SwitchPosition.PASSING)
    lens.unplug()


async def test_a_switch_that_is_unplugged_is_unknown_and_comes_back(lens: DoubleInput) -> None:
    device = switch(lens)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
        lens.unplug()
        await until_state(device, lambda state: state.health is Health.FAILED)
        assert device.state().position is SwitchPosition.UNKNOWN
        lens.switches[SW_CAMERA_LENS_COVER] = False
        lens.plug_in()
        await stands(device, SwitchPosition.PASSING)
    lens.unplug()


async def test_a_switch_may_be_wired_the_other_way(lens: DoubleInput) -> None:
    device = switch(lens, inverted=True)
    async with running(device):
        await stands(device, SwitchPosition.PASSING)
    lens.unplug()


async def test_a_device_without_the_switch_is_refused_in_words(tmp_path: Path) -> None:
    keyboard = DoubleInput(tmp_path)
    keyboard.plug_in()
    options = InputSwitchOptions(str(keyboard.path))
    device = InputMuteSwitch(options, open_node=keyboard.open_node, pause=no_pause)
    async with running(device):
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert state.reason.endswith("is no mute switch")
    keyboard.unplug()


async def test_the_mute_switch_is_another_bit(tmp_path: Path) -> None:
    double = DoubleInput(tmp_path)
    double.switches = {SW_MUTE_DEVICE: True}
    double.plug_in()
    options = InputSwitchOptions(str(double.path))
    device = InputMuteSwitch(options, open_node=double.open_node, pause=no_pause)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)
    double.unplug()
