"""Contacts and lamps on GPIO lines of the kernel, on a chip that is a program.

No line is high before it is asked for: at times the guest hangs in the kernel's driver of the chip then.
"""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.indicator import Indicator, Shown
from conclave_hal.switches import MuteSwitch, SwitchPosition
from tests.hal.eventually import eventually
from tests.hal.waiting import running, until_state
from tests.vm.guest.devices import device
from tests.vm.guest.usb_gpio import UsbGpio, chip


def is_there() -> bool:
    with suppress(OSError):  # it comes or goes while it is looked at
        return chip().exists()
    return False


@pytest.fixture
async def lines() -> AsyncIterator[UsbGpio]:
    made = UsbGpio()
    with made.plugged_in():
        await eventually(is_there)
        yield made
    await eventually(lambda: not is_there())


def mute_switch() -> MuteSwitch:
    return device(MuteSwitch, Slot.MUTE_SWITCH, "gpio", chip=str(chip()), line=3, debounce_ms=0)


async def test_a_contact_is_seen_in_both_directions(lines: UsbGpio) -> None:
    it = mute_switch()
    async with running(it):
        await until_state(it, lambda state: state.position is SwitchPosition.PASSING)
        lines.levels = 1 << 3
        await until_state(it, lambda state: state.position is SwitchPosition.BLOCKING)
        lines.levels = 0
        await until_state(it, lambda state: state.position is SwitchPosition.PASSING)


async def test_a_lamp_is_lit_on_its_line(lines: UsbGpio) -> None:
    it = device(Indicator, Slot.INDICATOR, "gpio", chip=str(chip()), mute=1)
    async with running(it):
        await until_state(it, lambda state: state.health is Health.READY)
        await it.show(Shown(is_microphone_muted=True))
        await eventually(lambda: bool(lines.driven & 1 << 1))
        await it.show(Shown())
        await eventually(lambda: not lines.driven & 1 << 1)
