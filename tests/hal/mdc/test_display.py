"""The driver of a Samsung display, against one on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclave_hal.camera_control import Power
from conclave_hal.device import Health
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, UsageError
from conclave_hal.mdc import display as display_module
from conclave_hal.mdc.display import LOOK_AGAIN_S, MdcDisplay, MdcOptions
from conclave_hal.mdc.packets import MdcCommand
from conclave_hal.simulated.display import SimulatedDisplay, SimulatedDisplayOptions, SimulatedMdcDisplay
from conclave_hal.simulated.pty_wire import PtyWire


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A display that answers is waited for, however busy this machine is."""
    monkeypatch.setattr(display_module, "DEADLINE_S", 10.0)


class Bench:
    """A display, its driver, and time."""

    def __init__(self, folder: Path) -> None:
        self.screen = SimulatedMdcDisplay(PtyWire(folder / "tty"))
        self.look_again = asyncio.Event()
        self.driver = MdcDisplay(MdcOptions(str(self.screen.wire.link)), pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        if seconds == LOOK_AGAIN_S:
            await self.look_again.wait()
            self.look_again.clear()
        await asyncio.sleep(0)

    async def until(self, health: Health) -> None:
        async for state in self.driver.watch():
            if state.health is health:
                return


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    made = Bench(folder)
    made.screen.wire.plug_in()
    tasks = [asyncio.create_task(made.screen.run()), asyncio.create_task(made.driver.supervise())]
    try:
        async with asyncio.timeout(60):
            await made.until(Health.READY)
            yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await made.driver.close()
        made.screen.wire.unplug()


async def test_the_display_says_what_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert at.driver.state().model == "QB55B"
        assert at.driver.state().power is Power.STANDBY


async def test_it_is_switched_on_and_to_our_input_even_if_it_is_deaf_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display_module, "DEADLINE_S", 0.5)
    async with bench(tmp_path) as at:
        at.screen.faults.deaf_requests_after_power_on = 5
        await at.driver.show_us()
        assert (at.screen.power, at.screen.input) == (Power.ON, "hdmi1")
        assert (at.driver.state().power, at.driver.state().input) == (Power.ON, "hdmi1")


async def test_it_goes_to_standby(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.driver.show_us()
        await at.driver.set_power(Power.STANDBY)
        assert at.screen.power is Power.STANDBY


async def test_what_people_do_with_the_remote_control_is_seen(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.screen.power, at.screen.input = Power.ON, "displayport"
        await at.driver.refresh()
        assert (at.driver.state().power, at.driver.state().input) == (Power.ON, "displayport")


async def test_a_refusal_is_an_error_and_not_believed(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.screen.faults.is_refusing = True
        with pytest.raises(DeviceError):
            await at.driver.set_power(Power.ON)
        assert at.driver.state().power is Power.STANDBY


async def test_garbage_on_the_wire_does_no_harm(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.screen.faults.has_noise = True
        await at.driver.show_us()
        assert at.screen.power is Power.ON


async def test_a_display_that_does_not_answer_is_a_timeout_and_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display_module, "DEADLINE_S", 0.05)
    async with bench(tmp_path) as at:
        at.screen.faults.is_deaf = True
        at.screen.requests.clear()
        with pytest.raises(DeviceTimeoutError):
            await at.driver.set_power(Power.ON)
        assert [r.command for r in at.screen.requests] == [MdcCommand.POWER] * 2


async def test_a_port_that_vanishes_is_gone_and_comes_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.screen.wire.unplug()
        await at.until(Health.FAILED)
        assert at.driver.state().power is Power.UNKNOWN
        assert at.driver.state().model == "QB55B"
        with pytest.raises(DeviceGoneError):
            await at.driver.set_power(Power.ON)
        at.screen.wire.plug_in()
        await at.until(Health.READY)


async def test_an_input_that_there_is_not_is_our_mistake(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        with pytest.raises(UsageError):
            await at.driver.set_input("scart")


async def test_the_simulated_display_is_switched_on() -> None:
    device = SimulatedDisplay(SimulatedDisplayOptions("hdmi3"))
    await device.open()
    task = asyncio.create_task(device.supervise())
    async with asyncio.timeout(60):
        async for state in device.watch():
            if state.model:
                break
        await device.show_us()
    assert device.display is not None
    assert (device.display.power, device.display.input) == (Power.ON, "hdmi3")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await device.close()
