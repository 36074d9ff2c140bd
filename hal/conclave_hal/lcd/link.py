"""One command after another to a Crystalfontz LCD, each acknowledged.

A response names the command and nothing else, so a late one could be taken for the next one's. Hence the
rules: one command in flight, and after a silence nothing is sent but a ping with a fresh number, until
that very number comes back. Whatever was late has come by then and was thrown away.
"""

import asyncio
import contextlib
from collections.abc import Callable
from enum import IntEnum

from conclave_hal.errors import DeviceError, DeviceTimeoutError
from conclave_hal.lcd.packets import KEY_REPORT, Command, Packet, PacketClass, PacketReader
from conclave_hal.serial_port import SerialPort

DEADLINE_S = 0.4
"""The data sheet promises an answer within 0.25 s."""
PINGS = 3
"""Before the LCD counts as gone."""
TRIES = 2
"""Every command here may be sent twice: it writes what it writes, wherever the first one ended."""


class Key(IntEnum):
    """What a report of a key says when one is pressed; releases are not asked for."""

    UP = 1
    DOWN = 2
    LEFT = 3
    RIGHT = 4
    ENTER = 5
    EXIT = 6


class LcdLink:
    """Commands out, acknowledgements and keys in. `listen` must run beside whoever calls `command`."""

    def __init__(self, port: SerialPort, pressed: Callable[[Key], None]) -> None:
        """`pressed` is called for each key that is pressed."""
        self._port = port
        self._pressed = pressed
        self._reader = PacketReader()
        self._in_flight = asyncio.Lock()
        self._waiting_for: tuple[Command, bytes | None] | None = None
        self._answer: asyncio.Future[Packet] | None = None
        self._is_in_step = False
        self._pings = 0

    async def listen(self) -> None:
        """Read until the port goes. Raises DeviceGoneError then."""
        while True:
            for packet in self._reader.feed(await self._port.read()):
                self._take(packet)

    async def command(self, command: Command, data: bytes = b"") -> bytes:
        """Send one command; return the data of its response, once the LCD has carried it out.

        Raises DeviceError if the LCD refuses it, DeviceTimeoutError, DeviceGoneError.
        """
        async with self._in_flight:
            for _ in range(TRIES):
                if not self._is_in_step:
                    await self._get_in_step()
                packet = await self._ask(command, data, None)
                if packet is None:
                    continue
                if packet.kind is PacketClass.ERROR:
                    raise DeviceError(f"the LCD refused command {command.value}")
                return packet.data
            raise DeviceTimeoutError(f"the LCD does not answer command {command.value}")

    async def _get_in_step(self) -> None:
        for _ in range(PINGS):
            self._pings = (self._pings + 1) % 0x10000
            number = self._pings.to_bytes(2, "big")
            if await self._ask(Command.PING, number, number) is not None:
                self._is_in_step = True
                return
        raise DeviceTimeoutError("the LCD does not answer", hint="look at its cable, power and baud rate")

    async def _ask(self, command: Command, data: bytes, echo: bytes | None) -> Packet | None:
        """The answer, or None after the deadline: then nothing is in step any more."""
        self._waiting_for = command, echo
        self._answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._port.write(bytes(Packet(PacketClass.COMMAND, command, data)))
                return await self._answer
        except TimeoutError:
            self._reader.forget()
            self._is_in_step = False
            return None
        except asyncio.CancelledError:
            self._is_in_step = False
            raise
        finally:
            self._waiting_for = self._answer = None

    def _take(self, packet: Packet) -> None:
        if packet.kind is PacketClass.REPORT:
            if packet.number == KEY_REPORT and len(packet.data) == 1:
                with contextlib.suppress(ValueError):  # releases, and keys of other models
                    self._pressed(Key(packet.data[0]))
            return
        if packet.kind is PacketClass.COMMAND or self._waiting_for is None or self._answer is None:
            return
        command, echo = self._waiting_for
        is_answer = packet.number == command and (echo is None or packet.data == echo)
        if is_answer and not self._answer.done():
            self._answer.set_result(packet)
