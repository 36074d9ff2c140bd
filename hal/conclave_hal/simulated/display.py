"""A display that speaks Samsung MDC on a pseudo-terminal, and the driver `simulated` that talks to it."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.camera_control import Power
from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError
from conclave_hal.mdc.display import MdcDisplay, MdcOptions
from conclave_hal.mdc.packets import INPUTS, MdcCommand, Reply, Request, RequestReader
from conclave_hal.options import Option, choice
from conclave_hal.simulated.pty_wire import PtyWire

MODEL = b"QB55B"


@dataclass(slots=True)
class DisplayFaults:
    """What is wrong with it now."""

    is_deaf: bool = False
    is_refusing: bool = False
    has_noise: bool = False
    """The wire carries garbage before each answer."""
    deaf_requests_after_power_on: int = 0
    """How many requests it misses while it switches on."""


class SimulatedMdcDisplay:
    """Plug in its `wire`, run it, and look at `power` and `input`."""

    def __init__(self, wire: PtyWire, display_id: int = 1) -> None:
        self.wire = wire
        self.display_id = display_id
        self.faults = DisplayFaults()
        self.power = Power.STANDBY
        self.input = "hdmi2"
        self.requests: list[Request] = []
        """All that came, oldest first."""
        self._deaf_for = 0

    async def run(self) -> None:
        """Answer until cancelled."""
        reader = RequestReader()
        while True:
            for request in reader.feed(await self.wire.read()):
                self.requests.append(request)
                self._obey(request)

    def _obey(self, request: Request) -> None:
        if self.faults.is_deaf or request.display_id != self.display_id:
            return
        if self._deaf_for:
            self._deaf_for -= 1
            return
        if self.faults.is_refusing:
            self._answer(Reply(request.command, self.display_id, False, b"\x01"))
            return
        match request.command, request.data:
            case MdcCommand.POWER, b"":
                self._done(request, b"\x01" if self.power is Power.ON else b"\x00")
            case MdcCommand.POWER, (b"\x00" | b"\x01") as data:
                was, self.power = self.power, Power.ON if data == b"\x01" else Power.STANDBY
                self._done(request, data)
                if (was, self.power) == (Power.STANDBY, Power.ON):
                    self._deaf_for = self.faults.deaf_requests_after_power_on
            case MdcCommand.INPUT, _ if self.power is Power.STANDBY:
                self._answer(Reply(request.command, self.display_id, False, b"\x00"))
            case MdcCommand.INPUT, b"":
                self._done(request, bytes((INPUTS[self.input],)))
            case MdcCommand.INPUT, data if data[0] in INPUTS.values():
                self.input = next(name for name, number in INPUTS.items() if number == data[0])
                self._done(request, data)
            case MdcCommand.MODEL, b"":
                self._done(request, MODEL)
            case _:
                self._answer(Reply(request.command, self.display_id, False, b"\x02"))

    def _done(self, request: Request, values: bytes) -> None:
        self._answer(Reply(request.command, self.display_id, True, values))

    def _answer(self, reply: Reply) -> None:
        noise = b"\xaa\xff\x01\x00\xaa" if self.faults.has_noise else b""
        self.wire.write(noise + bytes(reply))


@dataclass(frozen=True, slots=True)
class SimulatedDisplayOptions:
    """Options of the simulated display."""

    input: Annotated[str, Option(choice(*INPUTS), "the input that this device is on")] = "hdmi1"


class SimulatedDisplay(MdcDisplay):
    """The driver `mdc`, with a display at the other end of its wire."""

    def __init__(self, options: SimulatedDisplayOptions) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._input = options.input
        super().__init__(MdcOptions("/", 1, options.input))
        self.display: SimulatedMdcDisplay | None = None
        """Set by `open`."""

    async def open(self) -> None:
        """Make the display. Raises ConfigurationError."""
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="conclave-display-")
            wire = PtyWire(Path(self._temporary.name) / "tty")
            wire.plug_in()
        except OSError as error:
            raise ConfigurationError(f"display: no terminal: {error.strerror}") from error
        self.display = SimulatedMdcDisplay(wire)
        self._options = MdcOptions(str(wire.link), 1, self._input)

    async def run(self) -> None:
        """Run the display and its driver until cancelled."""
        if self.display is None:
            await super().run()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self.display.run())
            group.create_task(super().run())

    async def close(self) -> None:
        """Unplug it. Safe to call twice."""
        if self.display is not None:
            self.display.wire.unplug()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def _make(options: SimulatedDisplayOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedDisplay:
    return SimulatedDisplay(options)


DRIVER = Driver(SimulatedDisplayOptions, _make)
