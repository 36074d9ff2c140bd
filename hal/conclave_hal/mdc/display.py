"""The driver `mdc` of the display: a Samsung screen on a serial port.

One request is in flight; an answer counts if id and command are those that were asked. Every request says
where to go and none how far, so each may be sent twice. A display that is being switched on is deaf for some
seconds: `show_us` asks until it says that it is on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated

from conclave_hal.camera_control import Power
from conclave_hal.device import AnyDevice, Health
from conclave_hal.display import Display, DisplayState
from conclave_hal.display_text import display_text
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, UsageError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.mdc.packets import INPUT_NAMES, INPUTS, MdcCommand, Reply, ReplyReader, Request
from conclave_hal.options import Option, choice, device_path, integer
from conclave_hal.serial_port import SerialPort, SerialSettings, open_serial_port

DEADLINE_S = 0.8
"""For one answer; displays give it within 0.2 s."""
TRIES = 2
LOOK_AGAIN_S = 10.0
"""People have a remote control: what the display is on now is asked for this often."""
POWER_ON_S = 0.5
POWER_ON_TRIES = 40


class MdcLink:
    """Requests out, answers in. `listen` must run beside whoever calls `ask`."""

    def __init__(self, port: SerialPort, display_id: int) -> None:
        self._port = port
        self._id = display_id
        self._in_flight = asyncio.Lock()
        self._command = -1
        self._answer: asyncio.Future[Reply] | None = None

    async def listen(self) -> None:
        """Read until the port goes. Raises DeviceGoneError then."""
        reader = ReplyReader()
        while True:
            for reply in reader.feed(await self._port.read()):
                is_answer = (reply.command, reply.display_id) == (self._command, self._id)
                if is_answer and self._answer is not None and not self._answer.done():
                    self._answer.set_result(reply)

    async def ask(self, command: MdcCommand, data: bytes = b"") -> bytes:
        """Ask without data, set with data; return the display's values.

        Raises DeviceError if it refuses, DeviceTimeoutError, DeviceGoneError.
        """
        async with self._in_flight:
            for _ in range(TRIES):
                self._command = command
                self._answer = asyncio.get_running_loop().create_future()
                with suppress(TimeoutError):
                    async with asyncio.timeout(DEADLINE_S):
                        await self._port.write(bytes(Request(command, self._id, data)))
                        reply = await self._answer
                        if not reply.is_done:
                            raise DeviceError(f"the display refuses {command.name.lower()}")
                        return reply.values
            raise DeviceTimeoutError(
                f"display {self._id} does not answer",
                hint="look at its cable and power, and at the id and the RS-232 setting in its menu",
            )


@dataclass(frozen=True, slots=True)
class MdcOptions:
    """Options of a Samsung display."""

    port: Annotated[str, Option(device_path(), "serial port of the display")]
    id: Annotated[int, Option(integer(0, 253), "the display's id, as its menu says")] = 1
    input: Annotated[str, Option(choice(*INPUTS), "the input that this device is on")] = "hdmi1"


class MdcDisplay(HotPlugDevice[DisplayState], Display):
    """A Samsung display."""

    def __init__(
        self, options: MdcOptions, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._link: MdcLink | None = None
        self._is_switching_on = False

    async def close(self) -> None:
        """Nothing is kept between sessions."""

    async def set_power(self, power: Power) -> None:
        """Switch on or to standby; confirmed by the display."""
        if power is Power.UNKNOWN:
            raise UsageError("a display is switched on or to standby")
        await self._require().ask(MdcCommand.POWER, b"\x01" if power is Power.ON else b"\x00")
        await self._publish(replace(self._state, power=power))

    async def show_us(self) -> None:
        """Switch on, wait until it is, and choose this device's input."""
        link = self._require()
        await self.refresh()
        if self._state.power is not Power.ON:
            await self._switch_on(link)
        await self.set_input(self._options.input)

    async def refresh(self) -> None:
        """Ask for power and input."""
        link = self._require()
        power = await _power(link)
        name = ""
        # In standby many say nothing of their input, or refuse to.
        if power is Power.ON:
            with suppress(DeviceError):
                values = await link.ask(MdcCommand.INPUT)
                name = INPUT_NAMES.get(values[0], "") if values else ""
        await self._publish(replace(self._state, health=Health.READY, reason="", power=power, input=name))

    def inputs(self) -> tuple[str, ...]:
        """Those that MDC has a number for; which of them the display has only it knows."""
        return tuple(INPUTS)

    async def set_input(self, name: str) -> None:
        """Show another input."""
        if name not in INPUTS:
            raise UsageError(f"no such input: {name}", hint="one of: " + ", ".join(INPUTS))
        await self._require().ask(MdcCommand.INPUT, bytes((INPUTS[name],)))
        await self._publish(replace(self._state, input=name))

    async def _session(self) -> None:
        port = open_serial_port(self._options.port, SerialSettings())
        link = MdcLink(port, self._options.id)
        tasks = (asyncio.create_task(link.listen()), asyncio.create_task(self._look_after(link)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            self._link = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            port.close()

    async def _look_after(self, link: MdcLink) -> None:
        power = await _power(link)
        model = ""
        with suppress(DeviceError):
            said = await link.ask(MdcCommand.MODEL)
            model = display_text(said.split(b"\0")[0].decode("ascii", "replace"), max_length=40)
        self._link = link
        await self._publish(replace(self._state, model=model, power=power))
        while True:
            # While it is being switched on its silence means nothing.
            if not self._is_switching_on:
                await self.refresh()
            await self._pause(LOOK_AGAIN_S)

    async def _switch_on(self, link: MdcLink) -> None:
        self._is_switching_on = True
        try:
            await self.set_power(Power.ON)
            await self._until_on(link)
        finally:
            self._is_switching_on = False

    async def _until_on(self, link: MdcLink) -> None:
        for _ in range(POWER_ON_TRIES):
            with suppress(DeviceTimeoutError, DeviceError):
                if await _power(link) is Power.ON:
                    return
            await self._pause(POWER_ON_S)
        raise DeviceTimeoutError(f"display {self._options.id} does not switch on")

    def _require(self) -> MdcLink:
        if self._link is None:
            raise DeviceGoneError(f"no display at {self._options.port}: {self._state.reason or 'starting'}")
        return self._link


async def _power(link: MdcLink) -> Power:
    values = await link.ask(MdcCommand.POWER)
    return {b"\x01": Power.ON, b"\x00": Power.STANDBY}.get(values[:1], Power.UNKNOWN)


def _make(options: MdcOptions, made: Mapping[Slot, AnyDevice]) -> MdcDisplay:
    return MdcDisplay(options)


DRIVER = Driver(MdcOptions, _make)
