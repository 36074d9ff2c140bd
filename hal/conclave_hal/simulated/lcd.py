"""A Crystalfontz LCD at the far end of a wire: memory of 20 x 4 characters, special ones, six keys.

Its faults are switched by hand: deaf, slow, refusing, with a bad cable, with its power off.
"""

from dataclasses import dataclass

from conclave_hal.lcd.link import Key
from conclave_hal.lcd.packets import Command, Packet, PacketClass, PacketReader
from conclave_hal.simulated.pty_wire import PtyWire

COLUMNS = 20
ROWS = 4
BLANK = 0x20
VERSION = b"CFA635:h1.0,v1.0"
ALL_KEYS = 0x3F
"""An LCD that has just been switched on reports each key."""


@dataclass(slots=True)
class LcdFaults:
    """What is wrong with it now."""

    is_deaf: bool = False
    """Answers nothing."""
    is_late: bool = False
    """Carries commands out, and keeps the answers back until `release`."""
    is_refusing: bool = False
    """Answers each command but a ping with an error."""
    has_noise: bool = False
    """The wire carries garbage before each answer."""
    damages_answers: bool = False
    """One bit of each answer is wrong."""


class SimulatedLcd:
    """Plug in its `wire`, run it, and look at `lines` or `memory`."""

    def __init__(self, wire: PtyWire) -> None:
        self.wire = wire
        self.faults = LcdFaults()
        self.memory = [bytearray([BLANK] * COLUMNS) for _ in range(ROWS)]
        """The numbers in the ROM that each row shows."""
        self.special: dict[int, bytes] = {}
        """Rows of points of the special characters that were set."""
        self.reported_keys = ALL_KEYS
        self.commands: list[Packet] = []
        """All that came, oldest first."""
        self._kept: list[bytes] = []

    async def run(self) -> None:
        """Answer until cancelled."""
        reader = PacketReader()
        while True:
            for packet in reader.feed(await self.wire.read()):
                if packet.kind is PacketClass.COMMAND and not self.faults.is_deaf:
                    self._obey(packet)

    def press(self, key: Key) -> None:
        """Press a key. It is reported if the host asked for that key's reports."""
        bit = {Key.UP: 1, Key.ENTER: 2, Key.EXIT: 4, Key.LEFT: 8, Key.RIGHT: 16, Key.DOWN: 32}[key]
        if self.reported_keys & bit:
            self.wire.write(bytes(Packet(PacketClass.REPORT, 0, bytes((key,)))))

    def lose_power(self) -> None:
        """Forget everything, with nothing that the host could see."""
        for row in self.memory:
            row[:] = bytes([BLANK] * COLUMNS)
        self.special.clear()
        self.reported_keys = ALL_KEYS

    def release(self) -> None:
        """Send the answers that were kept back."""
        kept, self._kept = self._kept, []
        for answer in kept:
            self.wire.write(answer)

    def _obey(self, packet: Packet) -> None:
        self.commands.append(packet)
        if self.faults.is_refusing and packet.number != Command.PING:
            self._answer(Packet(PacketClass.ERROR, packet.number))
            return
        answer = b""
        match packet.number, packet.data:
            case Command.PING, data:
                answer = data
            case Command.VERSION, _:
                answer = VERSION
            case Command.CLEAR, _:
                for row in self.memory:
                    row[:] = bytes([BLANK] * COLUMNS)
            case Command.SPECIAL_CHARACTER, data if len(data) == 9 and data[0] < 8:
                self.special[data[0]] = data[1:]
            case Command.KEY_REPORTING, data if len(data) == 2:
                self.reported_keys = data[0]
            case Command.TEXT, data if len(data) > 2 and data[0] < COLUMNS and data[1] < ROWS:
                column, text = data[0], data[2:]
                self.memory[data[1]][column : column + len(text)] = text
                del self.memory[data[1]][COLUMNS:]
            case ((Command.CURSOR_STYLE | Command.SET_OUTPUT), _):
                pass
            case _:
                self._answer(Packet(PacketClass.ERROR, packet.number))
                return
        self._answer(Packet(PacketClass.RESPONSE, packet.number, answer))

    def _answer(self, packet: Packet) -> None:
        wire = bytearray(bytes(packet))
        if self.faults.damages_answers:
            wire[-1] ^= 0x10
        if self.faults.has_noise:
            wire[:0] = b"\x00\xff\x41\x05"
        if self.faults.is_late:
            self._kept.append(bytes(wire))
        else:
            self.wire.write(bytes(wire))
