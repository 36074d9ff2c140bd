"""VISCA packets: 3 to 16 bytes, from a header to a terminator that occurs nowhere else.

    header   1 sss 0 rrr     sender and receiver, 0 the controller, 1 to 7 the cameras of a chain
             1000 1000       from the controller to every camera
    message  1 to 14 bytes, none of them FF: numbers travel as nibbles
    FF       the end

A wire may bring packets in pieces, several at once, or noise between them. `PacketReader` finds packets
again at the next terminator, and gives up nothing but what cannot be one.
"""

from dataclasses import dataclass

from conclave_hal.errors import DeviceError, UsageError

TERMINATOR = 0xFF
MAX_PACKET = 16
MAX_MESSAGE = 14
CONTROLLER = 0
BROADCAST = 8
MAX_CAMERAS = 7
_BROADCAST_HEADER = 0x88


@dataclass(frozen=True, slots=True)
class Packet:
    """Who says what to whom."""

    sender: int
    """0 the controller, 1 to 7 a camera."""
    receiver: int
    """As `sender`, or BROADCAST."""
    message: bytes
    """1 to 14 bytes without FF."""

    def __post_init__(self) -> None:
        if not 0 <= self.sender <= MAX_CAMERAS or not 0 <= self.receiver <= BROADCAST:
            raise UsageError(f"no VISCA address: {self.sender} to {self.receiver}")
        if self.receiver == BROADCAST and self.sender != CONTROLLER:
            raise UsageError("only the controller speaks to every camera")
        if not 1 <= len(self.message) <= MAX_MESSAGE or TERMINATOR in self.message:
            raise UsageError(f"no VISCA message: {self.message.hex(' ')}")

    def __bytes__(self) -> bytes:
        is_broadcast = self.receiver == BROADCAST
        header = _BROADCAST_HEADER if is_broadcast else 0x80 | self.sender << 4 | self.receiver
        return bytes((header, *self.message, TERMINATOR))


def parse_packet(data: bytes) -> Packet:
    """One whole packet with its terminator. Raises DeviceError naming what is wrong with it."""
    if not 3 <= len(data) <= MAX_PACKET:
        raise DeviceError(f"a VISCA packet of {len(data)} bytes")
    header, message = data[0], data[1:-1]
    if data[-1] != TERMINATOR or TERMINATOR in message:
        raise DeviceError(f"a VISCA packet with its end at the wrong place: {data.hex(' ')}")
    if header == _BROADCAST_HEADER:
        return Packet(CONTROLLER, BROADCAST, message)
    if header & 0x88 != 0x80:
        raise DeviceError(f"no VISCA header: {header:02x}")
    return Packet(header >> 4 & 7, header & 7, message)


class PacketReader:
    """Finds packets in a stream of bytes."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.noise_bytes = 0
        """How many bytes have come that belong to no packet."""

    def feed(self, data: bytes) -> list[Packet]:
        """Take what has come and return the packets that are whole now.

        Never raises, and never keeps more than one packet's bytes, whatever comes.
        """
        packets = []
        for byte in data:
            self._rest.append(byte)
            if byte == TERMINATOR:
                packet = _packet_at_end(bytes(self._rest))
                self.noise_bytes += len(self._rest) - (0 if packet is None else len(bytes(packet)))
                self._rest.clear()
                if packet is not None:
                    packets.append(packet)
            elif len(self._rest) == MAX_PACKET:
                # No packet can begin so long before its end.
                del self._rest[0]
                self.noise_bytes += 1
        return packets


def _packet_at_end(piece: bytes) -> Packet | None:
    """The longest packet that `piece` can end with: noise may stand before it."""
    for start in range(len(piece) - 2):
        try:
            return parse_packet(piece[start:])
        except DeviceError:
            continue
    return None
