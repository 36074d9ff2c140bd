"""The CEC driver at one end of the line, and a display of v4l-utils at the other."""

import pytest

from conclave_hal.camera_control import Power
from conclave_hal.cec import display as cec_display
from conclave_hal.device import Health
from conclave_hal.display import Display
from conclave_hal.drivers import Slot
from tests.hal.eventually import eventually
from tests.hal.waiting import running, until_state
from tests.vm.guest.cec_line import POWER_STATUS, output_adapter, television
from tests.vm.guest.devices import PATIENCE_S, bind_cameras, device, unbind_cameras
from tests.vm.guest.programs import output_of


@pytest.fixture(autouse=True)
def patience_with_switching(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cec_display, "SWITCHING_TRIES", int(PATIENCE_S / cec_display.SWITCHING_S))


def display() -> Display:
    return device(Display, Slot.DISPLAY, "cec", device=str(output_adapter()), name="Room")


def test_both_ends_of_the_line_hear_each_other_without_our_driver() -> None:
    with television():
        output_of("cec-ctl", "-d", str(output_adapter()), "--playback")
        answer = output_of("cec-ctl", "-d", str(output_adapter()), "--to", "0", POWER_STATUS)
        output_of("cec-ctl", "-d", str(output_adapter()), "--clear")
    assert "pwr-state: on" in answer


async def test_a_display_tells_its_name_and_that_it_is_on() -> None:
    with television():
        it = display()
        async with running(it):
            state = await until_state(it, lambda state: state.power is Power.ON)
    assert (state.health, state.model) == (Health.READY, "Wall")


async def test_a_display_goes_to_standby_and_comes_back_with_our_picture() -> None:
    with television() as heard:
        it = display()
        async with running(it):
            await until_state(it, lambda state: state.power is Power.ON)
            await it.set_power(Power.STANDBY)
            assert it.state().power is Power.STANDBY
            await it.show_us()
            assert it.state().power is Power.ON
            # The display writes down what it hears a moment later.
            for message in ("STANDBY", "IMAGE_VIEW_ON", "ACTIVE_SOURCE"):
                await eventually(lambda message=message: message in heard.read_text())  # type: ignore[misc]


async def test_no_power_is_believed_of_a_line_without_a_display() -> None:
    output_of("cec-ctl", "-d", str(output_adapter()), "--clear")
    it = display()
    async with running(it):
        state = await until_state(it, lambda state: state.health is not Health.STARTING)
    assert state.power is Power.UNKNOWN


async def test_an_adapter_that_is_unplugged_comes_back() -> None:
    with television():
        it = display()
        async with running(it):
            await until_state(it, lambda state: state.power is Power.ON)
            unbind_cameras()
            try:
                state = await until_state(it, lambda state: state.health is Health.FAILED)
                assert state.power is Power.UNKNOWN
            finally:
                bind_cameras()
            await until_state(it, lambda state: state.health is not Health.FAILED)
