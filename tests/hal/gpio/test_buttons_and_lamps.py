"""Buttons and lamps on GPIO lines. libgpiod is a double here: there is no gpio-sim."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclave_hal.buttons import Button
from conclave_hal.config import load
from conclave_hal.device import Health
from conclave_hal.errors import ConfigurationError
from conclave_hal.gpio.buttons import GpioButtons, GpioButtonsOptions
from conclave_hal.gpio.indicator import GpioIndicator, GpioIndicatorOptions
from conclave_hal.indicator import Light, Shown
from tests.hal.eventually import eventually
from tests.hal.gpio.doubles import CHIP, DoubleChip
from tests.hal.waiting import Clock, no_pause, running, until_state

RED, GREEN, MUTE = 10, 11, 12


async def first_of(presses: AsyncIterator[Button]) -> Button:
    return await anext(presses)


async def test_each_press_comes_once_and_a_held_button_is_none() -> None:
    chip = DoubleChip({1: False, 2: True})
    options = GpioButtonsOptions(((Button.LEAVE, 1), (Button.MICROPHONE, 2)), CHIP)
    device = GpioButtons(options, load=chip.module, pause=no_pause)
    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        first = asyncio.create_task(first_of(device.presses()))
        await asyncio.sleep(0)
        chip.drive(1, is_high=True)
        chip.drive(2, is_high=False)
        assert await first is Button.MICROPHONE
        assert device.fitted() == {Button.LEAVE, Button.MICROPHONE}


async def test_lamps_are_lit_together() -> None:
    chip = DoubleChip()
    options = GpioIndicatorOptions(CHIP, red=RED, green=GREEN, mute=MUTE)
    device = GpioIndicator(options, load=chip.module, pause=Clock().pause)
    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        await device.show(Shown(Light.ENCRYPTED, is_microphone_muted=True))
        assert (chip.levels[RED], chip.levels[GREEN], chip.levels[MUTE]) == (False, True, True)
    assert not any(chip.levels.values())
    assert chip.requests == []


async def test_lamps_on_a_chip_that_comes_back_are_lit_again() -> None:
    chip = DoubleChip()
    clock = Clock()
    options = GpioIndicatorOptions(CHIP, red=RED, active_low=True)
    device = GpioIndicator(options, load=chip.module, pause=clock.pause)

    async def ticking(health: Health) -> None:
        async with asyncio.timeout(20):
            while device.state().health is not health:
                await clock.tick()

    async with running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        await device.show(Shown(Light.ALARM))
        assert chip.levels[RED] is False
        chip.unplug()
        await ticking(Health.FAILED)
        chip.plug_in()
        await ticking(Health.READY)
        await eventually(lambda: device.state().shown == Shown(Light.ALARM))


TABLES = [
    ('[buttons]\ndriver = "gpio"\nlines = { leave = 4, join = 4 }\n', "lines: must be a table from button"),
    ('[buttons]\ndriver = "gpio"\n', "lines: is required"),
    ('[indicator]\ndriver = "gpio"\n', "name the line of at least one lamp"),
    ('[indicator]\ndriver = "gpio"\nred = 4\nmute = 4\n', "each lamp has a line of its own"),
    ('[tamper]\ndriver = "gpio"\nline = 5000\n', "line: must be a line's number"),
    ('[mute_switch]\ndriver = "gpio"\nline = 1\nbias = "up"\n', 'bias: must be one of "as-is"'),
]


@pytest.mark.parametrize(("table", "problem"), TABLES)
def test_a_wrong_table_is_refused_in_words(tmp_path: Path, table: str, problem: str) -> None:
    file = tmp_path / "hal.toml"
    file.write_text(table)
    with pytest.raises(ConfigurationError, match=problem):
        load(file)
