"""Keys of an input device as buttons."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclave_hal.buttons import Button
from conclave_hal.config import load
from conclave_hal.device import Health
from conclave_hal.errors import ConfigurationError
from conclave_hal.input.buttons import InputButtons, InputButtonsOptions
from conclave_hal.input.events import EV_KEY, KEYS, InputEvent
from tests.hal.input.doubles import DoubleInput
from tests.hal.waiting import no_pause, running, until_state


@pytest.fixture
def keypad(tmp_path: Path) -> DoubleInput:
    double = DoubleInput(tmp_path)
    double.keys = {KEYS["KEY_MICMUTE"], KEYS["KEY_UP"]}
    double.plug_in()
    return double


def buttons(double: DoubleInput) -> InputButtons:
    return InputButtons(InputButtonsOptions(str(double.path)), open_node=double.open_node, pause=no_pause)


async def first_of(presses: AsyncIterator[Button]) -> Button:
    return await anext(presses)


async def reading(device: InputButtons) -> tuple[AsyncIterator[Button], asyncio.Task[Button]]:
    """A reader that waits for its first press."""
    presses = device.presses()
    first = asyncio.create_task(first_of(presses))
    await asyncio.sleep(0)
    return presses, first


async def test_a_key_that_goes_down_is_a_press_and_one_that_repeats_is_none(keypad: DoubleInput) -> None:
    device = buttons(keypad)
    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        presses, first = await reading(device)
        mute, up = KEYS["KEY_MICMUTE"], KEYS["KEY_UP"]
        keypad.say(*(InputEvent(EV_KEY, mute, value) for value in (1, 2, 2, 0)), InputEvent(EV_KEY, up, 1))
        assert await first is Button.MICROPHONE
        assert await anext(presses) is Button.UP
    keypad.unplug()


async def test_only_keys_that_the_device_has_are_fitted(keypad: DoubleInput) -> None:
    device = buttons(keypad)
    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        assert device.fitted() == {Button.MICROPHONE, Button.UP}
        assert keypad.is_grabbed
    keypad.unplug()


async def test_a_device_without_any_of_the_keys_is_refused(tmp_path: Path) -> None:
    mouse = DoubleInput(tmp_path)
    mouse.plug_in()
    device = buttons(mouse)
    async with running(device):
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert "none of the keys" in state.reason
    mouse.unplug()


async def test_readers_end_with_the_device(keypad: DoubleInput) -> None:
    device = buttons(keypad)
    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        _, first = await reading(device)
    with pytest.raises(StopAsyncIteration):
        await first
    assert [button async for button in device.presses()] == []
    keypad.unplug()


def test_keys_are_chosen_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    table = '[buttons]\ndriver = "input"\ndevice = "/dev/input/event0"\nkeys = { leave = "KEY_F1" }\n'
    file.write_text(table)
    assert load(file).buttons.fitted() == {Button.LEAVE}


@pytest.mark.parametrize(
    "keys",
    ['{ leave = "KEY_NONE" }', '{ sing = "KEY_F1" }', '{ leave = "KEY_F1", join = "KEY_F1" }', "7", "{}"],
)
def test_a_wrong_table_of_keys_is_refused(tmp_path: Path, keys: str) -> None:
    file = tmp_path / "hal.toml"
    file.write_text(f'[buttons]\ndriver = "input"\ndevice = "/dev/input/event0"\nkeys = {keys}\n')
    with pytest.raises(ConfigurationError, match=r"\[buttons\] keys: must be a table from button"):
        load(file)
