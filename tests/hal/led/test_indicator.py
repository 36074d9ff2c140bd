"""Lamps of the LED class, in a scratch folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from conclave_hal.config import load
from conclave_hal.device import Health
from conclave_hal.errors import ConfigurationError
from conclave_hal.indicator import Light, Shown
from conclave_hal.lamp_patterns import PATTERNS, STEADY_S
from conclave_hal.led.indicator import LedIndicator, LedOptions
from tests.hal.eventually import eventually
from tests.hal.led.folders import LedFolder
from tests.hal.waiting import Clock, running, until_state


@pytest.fixture
def leds(tmp_path: Path) -> LedFolder:
    folder = LedFolder(tmp_path)
    folder.add("rgb:ring", colours="blue green red")
    folder.add("red:mute", full=1)
    folder.add("white:camera", full=15)
    return folder


def indicator(leds: LedFolder, clock: Clock) -> LedIndicator:
    options = LedOptions(ring="rgb:ring", mute="red:mute", camera="white:camera", folder=str(leds.folder))
    return LedIndicator(options, pause=clock.pause)


async def ready(device: LedIndicator) -> None:
    await until_state(device, lambda state: state.health is Health.READY)


async def ticking(clock: Clock, condition: Callable[[], bool]) -> None:
    """Let time pass until it is so."""
    async with asyncio.timeout(20):
        while not condition():
            await clock.tick()


async def test_colours_are_written_in_the_leds_own_order(leds: LedFolder) -> None:
    device = indicator(leds, Clock())
    async with running(device):
        await ready(device)
        await device.show(Shown(Light.ENCRYPTED))
        assert leds.read("rgb:ring", "multi_intensity") == "0 255 0"
        await device.show(Shown(Light.ALARM))
        assert leds.read("rgb:ring", "multi_intensity") == "0 0 255"
        assert leds.read("rgb:ring") == "255"


async def test_each_lamp_is_lit_in_full_and_the_kernel_keeps_off(leds: LedFolder) -> None:
    device = indicator(leds, Clock())
    async with running(device):
        await ready(device)
        await device.show(Shown(Light.OFF, is_microphone_muted=True, is_camera_live=True))
        assert (leds.read("red:mute"), leds.read("white:camera"), leds.read("rgb:ring")) == ("1", "15", "0")
        assert leds.read("red:mute", "trigger") == "none"
        assert device.state().shown == Shown(Light.OFF, is_microphone_muted=True, is_camera_live=True)


async def test_an_alarm_flashes(leds: LedFolder) -> None:
    clock = Clock()
    device = indicator(leds, clock)
    async with running(device):
        await ready(device)
        await device.show(Shown(Light.ALARM))
        await eventually(lambda: clock.pauses[-1] == PATTERNS[Light.ALARM][0].seconds)
        await clock.tick()
        await eventually(lambda: leds.read("rgb:ring") == "0")
        await eventually(lambda: clock.pauses[-1] == PATTERNS[Light.ALARM][1].seconds)
        await clock.tick()
        await eventually(lambda: leds.read("rgb:ring") == "255")


async def test_what_somebody_else_put_out_is_lit_again(leds: LedFolder) -> None:
    clock = Clock()
    device = indicator(leds, clock)
    async with running(device):
        await ready(device)
        await device.show(Shown(is_microphone_muted=True))
        (leds.folder / "red:mute" / "brightness").write_text("0")
        await ticking(clock, lambda: leds.read("red:mute") == "1")
        assert set(clock.pauses) == {STEADY_S}


async def test_lamps_that_come_back_show_what_is_so_now(leds: LedFolder) -> None:
    clock = Clock()
    device = indicator(leds, clock)
    async with running(device):
        await ready(device)
        leds.unplug()
        await ticking(clock, lambda: device.state().health is Health.FAILED)
        assert device.state().shown is None
        await device.show(Shown(Light.ENCRYPTED))
        leds.plug_in()
        await ticking(clock, lambda: device.state().shown == Shown(Light.ENCRYPTED))


async def test_no_file_appears_where_a_lamp_was(leds: LedFolder) -> None:
    device = indicator(leds, Clock())
    async with running(device):
        await ready(device)
        (leds.folder / "red:mute" / "brightness").unlink()
        await device.show(Shown(is_microphone_muted=True))
        await until_state(device, lambda state: state.health is Health.FAILED)
        assert not (leds.folder / "red:mute" / "brightness").exists()


async def test_the_lamps_go_dark_with_the_driver(leds: LedFolder) -> None:
    device = indicator(leds, Clock())
    async with running(device):
        await ready(device)
        await device.show(Shown(Light.ENCRYPTED, is_camera_live=True))
    assert (leds.read("rgb:ring"), leds.read("white:camera")) == ("0", "0")


async def test_a_ring_of_one_colour_is_refused(leds: LedFolder) -> None:
    options = LedOptions(ring="red:mute", folder=str(leds.folder))
    device = LedIndicator(options, pause=Clock().pause)
    async with running(device):
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert state.reason == "red:mute has one colour"


def test_no_lamp_at_all_is_a_mistake_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    file.write_text('[indicator]\ndriver = "led"\n')
    with pytest.raises(ConfigurationError, match="name at least one LED"):
        load(file)


@pytest.mark.parametrize("name", ["../../etc", ".hidden", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "hal.toml"
    file.write_text(f'[indicator]\ndriver = "led"\nmute = "{name}"\n')
    with pytest.raises(ConfigurationError, match="mute: must be a name in"):
        load(file)


def test_every_light_has_a_rhythm_of_its_own() -> None:
    rhythms = {tuple((step.colour, step.seconds) for step in steps) for steps in PATTERNS.values()}
    assert set(PATTERNS) == set(Light)
    assert len(rhythms) == len(PATTERNS)
    # Without colour: dark is not steady light, and all that pulses differs in its times.
    in_grey = [
        tuple((any(step.colour.value), step.seconds) for step in PATTERNS[light])
        for light in Light
        if light is not Light.TAMPERED
    ]
    assert len(set(in_grey)) == len(in_grey)
