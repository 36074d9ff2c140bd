"""The control port on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.codec_control import ControlAnswer, ControlKind
from conclave_hal.device import Health
from conclave_hal.line_control.driver import LineControl, LineOptions, SerialLineControl
from conclave_hal.line_control.password import hash_password
from conclave_hal.serial_port import SerialPort, SerialSettings, open_serial_port
from conclave_hal.simulated.codec_control import SimulatedCodecControl, SimulatedControlOptions
from conclave_hal.simulated.pty_wire import PtyWire

PASSWORD = "correct horse 7"
DEADLINE_S = 20


async def until(device: LineControl, health: Health) -> None:
    async for state in device.watch():
        if state.health is health:
            return


@asynccontextmanager
async def running(device: LineControl) -> AsyncIterator[None]:
    await device.open()
    task = asyncio.create_task(device.supervise())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await until(device, Health.READY)
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await device.close()


class Controller:
    """What is on the other end."""

    def __init__(self, wire: PtyWire | SerialPort) -> None:
        self.wire = wire
        self.heard = ""

    async def hears(self, text: str) -> None:
        """Wait for `text`, and forget all up to its end."""
        while text not in self.heard:
            self.heard += (await self.wire.read()).decode("ascii")
        self.heard = self.heard.partition(text)[2]


async def test_a_controller_logs_in_asks_and_is_answered(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    device = SerialLineControl(LineOptions(str(wire.link), password=hash_password(PASSWORD)))
    await device.tell({"meeting/state": "idle"})
    async with running(device):
        controller = Controller(wire)
        wire.write(b"status\r")
        await controller.hears("ERROR log in first")
        wire.write(f"login {PASSWORD}\r".encode())
        await controller.hears("OK\r\n")
        assert device.state().is_logged_in
        wire.write(b"command mute-camera\r")
        request = await anext(device.requests())
        assert request.kind is ControlKind.MUTE_CAMERA
        await device.answer(ControlAnswer(request.request_id, True))
        await controller.hears("OK\r\n")
    wire.unplug()


async def test_feedback_comes_by_itself(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    device = SerialLineControl(LineOptions(str(wire.link), login=False))
    async with running(device):
        controller = Controller(wire)
        wire.write(b"feedback on meeting\r")
        await controller.hears("OK\r\n")
        await device.tell({"meeting/state": "in_meeting", "room/people": "3"})
        await controller.hears("*s meeting/state: in_meeting\r\n** end\r\n")
        assert controller.heard == ""
    wire.unplug()


async def test_a_hang_up_ends_the_login(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    device = SerialLineControl(LineOptions(str(wire.link), password=hash_password(PASSWORD)))
    async with running(device):
        wire.write(f"login {PASSWORD}\r".encode())
        await Controller(wire).hears("OK\r\n")
        wire.unplug()
        await until(device, Health.FAILED)
        wire.plug_in()
        await until(device, Health.READY)
        wire.write(b"status\r")
        await Controller(wire).hears("ERROR log in first")
        assert not device.state().is_logged_in
    wire.unplug()


async def test_wrong_passwords_are_counted_over_hang_ups(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    device = SerialLineControl(LineOptions(str(wire.link), password=hash_password(PASSWORD)))
    async with running(device):
        for _ in range(2):
            wire.write(b"login wrong\r")
            await Controller(wire).hears("ERROR wrong password")
            wire.unplug()
            await until(device, Health.FAILED)
            wire.plug_in()
            await until(device, Health.READY)
        assert device.state().refused_logins == 2
    wire.unplug()


async def test_an_answer_to_a_controller_that_has_gone_reaches_no_other(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    device = SerialLineControl(LineOptions(str(wire.link), login=False))
    async with running(device):
        requests = device.requests()
        wire.write(b"command leave\r")
        old = await anext(requests)
        wire.unplug()
        await until(device, Health.FAILED)
        wire.plug_in()
        await until(device, Health.READY)
        wire.write(b"command mute-camera\r")
        new = await anext(requests)
        await device.answer(ControlAnswer(old.request_id, False, "old"))
        await device.answer(ControlAnswer(new.request_id, False, "new"))
        await Controller(wire).hears("ERROR new")
    wire.unplug()


async def test_the_simulated_port_is_a_terminal_that_anybody_opens() -> None:
    device = SimulatedCodecControl(SimulatedControlOptions())
    async with running(device):
        port = open_serial_port(str(device.link), SerialSettings())
        await port.write(b"help\r")
        await Controller(port).hears("command join LINK")
        port.close()
    assert not device.link.exists()
