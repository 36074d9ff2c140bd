"""Shutter, mute switch and buttons as input devices of the kernel, worked through uinput."""

import asyncio

import pytest

from conclave_hal.buttons import Button, Buttons
from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.switches import HardwareSwitch, MuteSwitch, PrivacySwitch, SwitchPosition
from tests.hal.waiting import running, until_state
from tests.vm.guest import uinput
from tests.vm.guest.devices import PATIENCE_S, device

KEY_MICMUTE, KEY_HANGUP_PHONE = 248, 0x1BE


def switch(slot: Slot, path: str) -> HardwareSwitch:
    if slot is Slot.PRIVACY_SWITCH:
        return device(PrivacySwitch, slot, "input", device=path)
    return device(MuteSwitch, slot, "input", device=path)


SWITCHES = [
    (Slot.PRIVACY_SWITCH, uinput.SW_CAMERA_LENS_COVER),
    (Slot.MUTE_SWITCH, uinput.SW_MUTE_DEVICE),
]


@pytest.mark.parametrize(("slot", "code"), SWITCHES)
async def test_a_switch_that_is_moved_is_seen_in_both_directions(slot: Slot, code: int) -> None:
    with uinput.made("a switch", {uinput.EV_SW: [code]}) as hardware:
        it = switch(slot, str(hardware.node))
        async with running(it):
            await until_state(it, lambda state: state.position is SwitchPosition.PASSING)
            hardware.send((uinput.EV_SW, code, 1))
            await until_state(it, lambda state: state.position is SwitchPosition.BLOCKING)
            hardware.send((uinput.EV_SW, code, 0))
            await until_state(it, lambda state: state.position is SwitchPosition.PASSING)


@pytest.mark.parametrize(("slot", "code"), SWITCHES)
async def test_a_switch_that_was_set_before_is_read_as_set(slot: Slot, code: int) -> None:
    with uinput.made("a switch", {uinput.EV_SW: [code]}) as hardware:
        hardware.send((uinput.EV_SW, code, 1))
        it = switch(slot, str(hardware.node))
        async with running(it):
            await until_state(it, lambda state: state.position is SwitchPosition.BLOCKING)


async def test_a_switch_that_is_unplugged_is_unknown() -> None:
    with uinput.made("a switch", {uinput.EV_SW: [uinput.SW_MUTE_DEVICE]}) as hardware:
        it = switch(Slot.MUTE_SWITCH, str(hardware.node))
        running_it = running(it)
        await running_it.__aenter__()
        await until_state(it, lambda state: state.position is SwitchPosition.PASSING)
    try:
        state = await until_state(it, lambda state: state.health is Health.FAILED)
        assert state.position is SwitchPosition.UNKNOWN
    finally:
        await running_it.__aexit__(None, None, None)


async def test_keys_are_presses_once_each() -> None:
    with uinput.made("a keypad", {uinput.EV_KEY: [KEY_MICMUTE, KEY_HANGUP_PHONE]}) as hardware:
        it = device(Buttons, Slot.BUTTONS, "input", device=str(hardware.node))
        async with running(it):
            await until_state(it, lambda state: state.health is Health.READY)
            assert it.fitted() == {Button.MICROPHONE, Button.LEAVE}
            presses = it.presses()
            first = asyncio.ensure_future(anext(presses))
            await asyncio.sleep(0)
            for value in (1, 2, 0):
                hardware.send((uinput.EV_KEY, KEY_MICMUTE, value))
            async with asyncio.timeout(PATIENCE_S):
                assert await first is Button.MICROPHONE
                second = asyncio.ensure_future(anext(presses))
                await asyncio.sleep(0)
                hardware.send((uinput.EV_KEY, KEY_HANGUP_PHONE, 1))
                assert await second is Button.LEAVE
