"""The driver of a display on HDMI-CEC. Adapter and television are a double: ioctls answered in Python."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from conclave_hal.camera_control import Power
from conclave_hal.cec.abi import Capability, Opcode
from conclave_hal.cec.display import LOOK_AGAIN_S, NOT_PLUGGED_IN, CecDisplay, CecOptions
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError, DeviceTimeoutError, UsageError
from tests.hal.cec.doubles import DoubleCec
from tests.hal.waiting import running, until_state


async def pause(seconds: float) -> None:
    """The next look at the display never comes by itself; all else at once."""
    if seconds == LOOK_AGAIN_S:
        await asyncio.Event().wait()
    await asyncio.sleep(0)


@asynccontextmanager
async def bench(cec: DoubleCec) -> AsyncIterator[CecDisplay]:
    device = CecDisplay(CecOptions("/dev/cec7"), open_adapter=cec.open_adapter, pause=pause)
    async with running(device):
        yield device


@pytest.fixture
def cec() -> Iterator[DoubleCec]:
    made = DoubleCec()
    yield made
    made.close()


async def ready(device: CecDisplay) -> None:
    await until_state(device, lambda state: state.health is Health.READY)


async def test_we_are_a_playback_device_and_ask_the_display_how_it_is(cec: DoubleCec) -> None:
    async with bench(cec) as device:
        await ready(device)
        assert cec.claimed == b"Conclave"
        assert (device.state().model, device.state().power) == ("TV", Power.STANDBY)


async def test_it_is_switched_on_and_told_that_we_have_the_picture(cec: DoubleCec) -> None:
    cec.steps_to_on = 3
    async with bench(cec) as device:
        await ready(device)
        await device.show_us()
        assert device.state().power is Power.ON
        assert b"\x40\x04" in cec.sent
        assert cec.sent[-1] == b"\x4f\x82\x10\x00"


async def test_it_goes_to_standby(cec: DoubleCec) -> None:
    cec.power = 0
    async with bench(cec) as device:
        await ready(device)
        await device.set_power(Power.STANDBY)
        assert cec.power == 1
        assert device.state().power is Power.STANDBY


async def test_a_display_that_keeps_its_power_to_itself_is_unknown(cec: DoubleCec) -> None:
    cec.refuses = {Opcode.GIVE_DEVICE_POWER_STATUS}
    async with bench(cec) as device:
        await ready(device)
        assert device.state().power is Power.UNKNOWN
        await device.set_power(Power.ON)
        assert device.state().power is Power.ON


async def test_a_display_that_never_switches_is_a_timeout(cec: DoubleCec) -> None:
    cec.steps_to_on = 10_000
    async with bench(cec) as device:
        await ready(device)
        with pytest.raises(DeviceTimeoutError, match="does not go to on"):
            await device.set_power(Power.ON)


async def test_a_display_that_takes_no_message_is_a_timeout_and_says_where_to_look(cec: DoubleCec) -> None:
    async with bench(cec) as device:
        await ready(device)
        cec.is_deaf = True
        with pytest.raises(DeviceTimeoutError, match="does not take standby") as caught:
            await device.set_power(Power.STANDBY)
        assert "menu" in caught.value.hint


async def test_a_display_that_is_plugged_in_later_is_found(cec: DoubleCec) -> None:
    cec.has_display = False
    async with bench(cec) as device:
        await until_state(device, lambda state: state.reason == NOT_PLUGGED_IN)
        with pytest.raises(DeviceGoneError, match=NOT_PLUGGED_IN):
            await device.set_power(Power.ON)
        cec.connect(has_display=True)
        await ready(device)
        cec.connect(has_display=False)
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert state.power is Power.UNKNOWN


async def test_an_adapter_that_goes_comes_back(cec: DoubleCec) -> None:
    async with bench(cec) as device:
        await ready(device)
        cec.unplug()
        await until_state(device, lambda state: state.health is Health.FAILED)
        cec.plug_in()
        await ready(device)


async def test_an_adapter_that_goes_in_the_midst_of_a_command_is_an_error_of_ours(cec: DoubleCec) -> None:
    async with bench(cec) as device:
        await ready(device)
        cec.unplug()
        with pytest.raises(DeviceGoneError):
            await device.set_power(Power.ON)


async def test_an_adapter_that_cannot_send_is_refused(cec: DoubleCec) -> None:
    cec.capabilities = Capability.LOG_ADDRS
    async with bench(cec) as device:
        state = await until_state(device, lambda state: state.health is Health.FAILED)
        assert "cannot send" in state.reason


async def test_a_silent_display_is_no_error_of_the_driver(cec: DoubleCec) -> None:
    cec.is_silent = True
    async with bench(cec) as device:
        await ready(device)
        assert (device.state().model, device.state().power) == ("", Power.UNKNOWN)


async def test_no_other_input_can_be_chosen(cec: DoubleCec) -> None:
    async with bench(cec) as device:
        await ready(device)
        assert device.inputs() == ()
        with pytest.raises(UsageError):
            await device.set_input("hdmi1")
