"""Shutter, mute switch and tamper contact on GPIO lines. libgpiod is a double here: there is no gpio-sim."""

from pathlib import Path

import pytest

from conclave_hal.device import Health
from conclave_hal.errors import DeviceError
from conclave_hal.gpio.contact import ContactOptions, GpioSwitch
from conclave_hal.gpio.mute_switch import GpioMuteSwitch
from conclave_hal.gpio.privacy_switch import GpioPrivacySwitch
from conclave_hal.gpio.tamper import UNREADABLE, GpioTamper, TamperOptions
from conclave_hal.switches import SwitchPosition, TamperStatus
from tests.hal.gpio.doubles import CHIP, NAMES, Bias, DoubleChip
from tests.hal.waiting import no_pause, running, until_state

NOON = 1_900_000_000


def shutter(chip: DoubleChip, **options: object) -> GpioPrivacySwitch:
    made = ContactOptions("SHUTTER", CHIP, **options)  # type: ignore[arg-type]
    return GpioPrivacySwitch(made, load=chip.module, pause=no_pause)


def tamper(chip: DoubleChip, latch: Path | None = None) -> GpioTamper:
    options = TamperOptions("CASE", CHIP, latch=latch)
    return GpioTamper(options, load=chip.module, pause=no_pause, wall=lambda: NOON)


async def stands(device: GpioSwitch, position: SwitchPosition) -> None:
    await until_state(device, lambda state: state.position is position)


async def is_now(device: GpioTamper, status: TamperStatus) -> None:
    await until_state(device, lambda state: state.tamper is status and state.health is Health.READY)


async def test_a_shutter_that_was_closed_at_boot_is_known_as_closed() -> None:
    chip = DoubleChip({NAMES["SHUTTER"]: True})
    device = shutter(chip)
    async with running(device):
        await stands(device, SwitchPosition.BLOCKING)


async def test_a_move_is_seen() -> None:
    chip = DoubleChip()
    device = shutter(chip)
    async with running(device):
        await stands(device, SwitchPosition.PASSING)
        chip.drive(NAMES["SHUTTER"], is_high=True)
        await stands(device, SwitchPosition.BLOCKING)
        chip.drive(NAMES["SHUTTER"], is_high=False)
        await stands(device, SwitchPosition.PASSING)


async def test_a_line_may_be_active_low_with_a_resistor() -> None:
    chip = DoubleChip({NAMES["SHUTTER"]: True})
    device = shutter(chip, active_low=True, bias="pull-up", debounce_ms=5)
    async with running(device):
        await stands(device, SwitchPosition.PASSING)
        settings = chip.requests[0].settings[NAMES["SHUTTER"]]
        assert settings.bias is Bias.PULL_UP
        assert settings.debounce_period.total_seconds() == 0.005


async def test_a_chip_that_goes_leaves_the_switch_unknown_until_it_comes_back() -> None:
    chip = DoubleChip()
    device = shutter(chip)
    async with running(device):
        await stands(device, SwitchPosition.PASSING)
        chip.unplug()
        await until_state(device, lambda state: state.health is Health.FAILED)
        assert device.state().position is SwitchPosition.UNKNOWN
        chip.levels[NAMES["SHUTTER"]] = True
        chip.plug_in()
        await stands(device, SwitchPosition.BLOCKING)


async def test_a_line_that_somebody_else_has_is_waited_for() -> None:
    chip = DoubleChip()
    first, second = shutter(chip), shutter(chip)
    async with running(first):
        await stands(first, SwitchPosition.PASSING)
        async with running(second):
            state = await until_state(second, lambda state: state.health is Health.FAILED)
            assert state.reason == "Device or resource busy"


async def test_a_line_that_the_chip_lacks_is_said() -> None:
    device = GpioMuteSwitch(ContactOptions("NO_SUCH", CHIP), load=DoubleChip().module, pause=no_pause)
    async with running(device):
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert "has no such line" in state.reason


async def test_the_lines_are_given_back() -> None:
    chip = DoubleChip()
    device = shutter(chip)
    async with running(device):
        await stands(device, SwitchPosition.PASSING)
    assert chip.requests == []
    assert device.state().position is SwitchPosition.UNKNOWN


async def test_an_opened_case_stays_tripped_when_it_is_closed() -> None:
    chip = DoubleChip()
    device = tamper(chip)
    async with running(device):
        await is_now(device, TamperStatus.INTACT)
        chip.drive(NAMES["CASE"], is_high=True)
        await is_now(device, TamperStatus.TRIPPED)
        chip.drive(NAMES["CASE"], is_high=False)
        assert device.state().tripped_at == NOON
        assert device.state().tamper is TamperStatus.TRIPPED


async def test_a_case_that_was_open_for_a_moment_only_has_been_open() -> None:
    chip = DoubleChip()
    device = tamper(chip)
    async with running(device):
        await is_now(device, TamperStatus.INTACT)
        chip.drive(NAMES["CASE"], is_high=True)
        chip.drive(NAMES["CASE"], is_high=False)
        await is_now(device, TamperStatus.TRIPPED)


async def test_only_a_closed_case_can_be_cleared() -> None:
    chip = DoubleChip({NAMES["CASE"]: True})
    device = tamper(chip)
    async with running(device):
        await is_now(device, TamperStatus.TRIPPED)
        with pytest.raises(DeviceError, match="still open"):
            await device.clear()
        chip.drive(NAMES["CASE"], is_high=False)
        while True:
            try:
                await device.clear()
                break
            except DeviceError:
                await no_pause(0)
        assert device.state().tamper is TamperStatus.INTACT


async def test_a_restart_does_not_forget_that_the_case_was_opened(tmp_path: Path) -> None:
    chip = DoubleChip({NAMES["CASE"]: True})
    latch = tmp_path / "tamper"
    first = tamper(chip, latch)
    async with running(first):
        await is_now(first, TamperStatus.TRIPPED)
    chip.levels[NAMES["CASE"]] = False
    second = tamper(chip, latch)
    async with running(second):
        await is_now(second, TamperStatus.TRIPPED)
        assert second.state().tripped_at == NOON
        await second.clear()
    assert not latch.exists()


async def test_a_latch_that_cannot_be_read_counts_as_tripped(tmp_path: Path) -> None:
    latch = tmp_path / "tamper"
    latch.write_bytes(b"\xff\xff")
    device = tamper(DoubleChip(), latch)
    async with running(device):
        await is_now(device, TamperStatus.TRIPPED)
        assert device.state().tripped_at == UNREADABLE


async def test_a_tripped_case_stays_tripped_while_nobody_can_read_the_contact() -> None:
    chip = DoubleChip({NAMES["CASE"]: True})
    device = tamper(chip)
    async with running(device):
        await is_now(device, TamperStatus.TRIPPED)
        chip.unplug()
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert state.tamper is TamperStatus.TRIPPED
        with pytest.raises(DeviceError, match="nobody can say"):
            await device.clear()
