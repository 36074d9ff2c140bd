"""The driver `line` of the control port: a room controller on a serial port.

A serial wire tells nobody who listens to it, and nothing about a hang-up but a port that vanishes: so a
login ends after some silence too.
"""

import asyncio
import itertools
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

from conclave_hal.codec_control import (
    CodecControl,
    CodecControlState,
    ControlAnswer,
    ControlRequest,
)
from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.line_control.guard import LoginGuard
from conclave_hal.line_control.password import PasswordHash, password_hash
from conclave_hal.line_control.session import Ask, Check, Effect, LineSession, Say
from conclave_hal.options import Option, choice, device_path, flag, integer, one_of
from conclave_hal.serial_port import SerialSettings, open_serial_port

MAX_WAITING_REQUESTS = 32
DEFAULT_IDLE_S = 900


class Wire(Protocol):
    """A port that is open. `SerialPort` is one."""

    async def read(self) -> bytes:
        """At least one byte. Raises HalError when the port goes."""

    async def write(self, data: bytes) -> None:
        """Send. Raises HalError."""

    def close(self) -> None:
        """Close. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The room's state is another."""


_Input = bytes | ControlAnswer | _Told


class LineControl(HotPlugDevice[CodecControlState], CodecControl):
    """What the drivers of the line protocol have in common."""

    def __init__(
        self,
        password: PasswordHash | None,
        idle_s: float,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without `password` nobody has to log in."""
        super().__init__(pause=pause)
        self._password = password
        self._idle_s = idle_s
        self._guard = LoginGuard()
        self._ids = itertools.count(1)
        self._status: dict[str, str] = {}
        self._requests: asyncio.Queue[ControlRequest | None] = asyncio.Queue()
        self._inputs: asyncio.Queue[_Input] | None = None
        """What the present session has to look at; None while there is none."""
        self._is_closed = False

    @abstractmethod
    def _open_wire(self) -> Wire:
        """Open the port. Raises HalError if it is not there."""

    async def close(self) -> None:
        """End `requests`; the port is `run`'s. Safe to call twice."""
        self._is_closed = True
        self._requests.put_nowait(None)

    async def requests(self) -> AsyncIterator[ControlRequest]:
        """What the controller asks for, in order, until `close`."""
        while not self._is_closed or not self._requests.empty():
            request = await self._requests.get()
            if request is None:
                return
            yield request

    async def answer(self, answer: ControlAnswer) -> None:
        """Tell the controller what became of its request. One that has hung up hears nothing."""
        if self._inputs is not None:
            self._inputs.put_nowait(answer)

    async def tell(self, status: Mapping[str, str]) -> None:
        """The room's state, `path -> value`: kept for queries, and changes told as feedback."""
        self._status = dict(status)
        if self._inputs is not None:
            self._inputs.put_nowait(_Told())

    async def _session(self) -> None:
        wire = self._open_wire()
        self._inputs = inputs = asyncio.Queue[_Input]()
        inputs.put_nowait(_Told())
        listening = asyncio.create_task(_listen(wire, inputs))
        conversing = asyncio.create_task(self._converse(wire, inputs))
        try:
            done, _ = await asyncio.wait({listening, conversing}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            self._inputs = None
            for task in (listening, conversing):
                task.cancel()
            await asyncio.gather(listening, conversing, return_exceptions=True)
            wire.close()

    async def _converse(self, wire: Wire, inputs: "asyncio.Queue[_Input]") -> None:
        now = asyncio.get_running_loop().time
        session = LineSession(
            self._guard, self._ids, needs_login=self._password is not None, idle_s=self._idle_s
        )
        await self._publish_session(session)
        while True:
            try:
                async with asyncio.timeout_at(session.next_time()):
                    each = await inputs.get()
            except TimeoutError:
                await self._carry_out(session, wire, session.at(now()))
                continue
            match each:
                case bytes():
                    effects = session.received(each, now())
                case ControlAnswer():
                    effects = session.answered(each, now())
                case _:
                    effects = session.told(self._status)
            await self._carry_out(session, wire, effects)
            inputs.task_done()

    async def _carry_out(self, session: LineSession, wire: Wire, effects: Iterable[Effect]) -> None:
        waiting = list(effects)
        while waiting:
            match waiting.pop(0):
                case Say(data):
                    await wire.write(data)
                case Check(password):
                    is_right = await asyncio.to_thread(self._matches, password)
                    waiting += session.checked(asyncio.get_running_loop().time(), is_right=is_right)
                case Ask(request):
                    waiting += self._ask(session, request)
        await self._publish_session(session)

    def _ask(self, session: LineSession, request: ControlRequest) -> Iterable[Effect]:
        if self._requests.qsize() < MAX_WAITING_REQUESTS:
            self._requests.put_nowait(request)
            return ()
        refusal = ControlAnswer(request.request_id, False, "the room is busy")
        return session.answered(refusal, asyncio.get_running_loop().time())

    def _matches(self, password: str) -> bool:
        return self._password is not None and self._password.matches(password)

    async def _publish_session(self, session: LineSession) -> None:
        state = CodecControlState(Health.READY, "", session.is_logged_in, self._guard.refused)
        if state != self._state:
            await self._publish(state)


async def _listen(wire: Wire, inputs: "asyncio.Queue[_Input]") -> None:
    while True:
        inputs.put_nowait(await wire.read())
        # What comes meanwhile waits in the port, which is bounded.
        await inputs.join()


@dataclass(frozen=True, slots=True)
class LineOptions:
    """Options of the control port."""

    port: Annotated[str, Option(device_path(), "serial port of the room controller")]
    baud: Annotated[int, Option(one_of(1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200), "its speed")] = (
        9600
    )
    parity: Annotated[str, Option(choice("N", "E", "O"), "none, even or odd")] = "N"
    password: Annotated[
        PasswordHash | None, Option(password_hash(), "what the controller must log in with, as a hash")
    ] = None
    login: Annotated[
        bool, Option(flag(), "whether it must log in; false trusts everybody who reaches the wire")
    ] = True
    idle_s: Annotated[int, Option(integer(10, 86400), "seconds of silence that end a login")] = DEFAULT_IDLE_S


class SerialLineControl(LineControl):
    """A room controller on a serial port."""

    def __init__(
        self, options: LineOptions, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(options.password if options.login else None, options.idle_s, pause=pause)
        self._options = options

    def _open_wire(self) -> Wire:
        options = self._options
        return open_serial_port(options.port, SerialSettings(options.baud, options.parity))


def _make(options: LineOptions, made: Mapping[Slot, AnyDevice]) -> SerialLineControl:
    if options.login and options.password is None:
        raise ConfigurationError(
            "password: is required, unless login = false",
            hint="make one with: python -m conclave_hal.line_control.password",
        )
    return SerialLineControl(options)


DRIVER = Driver(LineOptions, _make)
