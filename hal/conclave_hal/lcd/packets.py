"""Packets of a Crystalfontz LCD: type, length, data, CRC. Sans-IO.

    type (2 bits of class, 6 of command) | length (1 byte, at most 22) | data | CRC (2 bytes, low one first)

The CRC is the 16-bit one of HDLC (reflected 0x1021, starts at 0xFFFF, inverted) over all before it. There
is no mark for a packet's begin: after damage a reader tries each byte as one, and believes the CRC only.
Source: Crystalfontz CFA635 data sheet, "Host Communications".
"""

import binascii
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from conclave_hal.errors import UsageError

MAX_DATA_BYTES = 22
_HEADER_BYTES = 2
_CRC_BYTES = 2
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class PacketClass(Enum):
    """The two highest bits of the type."""

    COMMAND = 0
    RESPONSE = 1
    REPORT = 2
    ERROR = 3


class Command(IntEnum):
    """The six lower bits of the type, as far as a panel needs them."""

    PING = 0
    VERSION = 1
    CLEAR = 6
    SPECIAL_CHARACTER = 9
    CURSOR_STYLE = 12
    KEY_REPORTING = 23
    TEXT = 31
    SET_OUTPUT = 34


KEY_REPORT = 0
"""What a report of a key has in place of a command."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, its CRC checked."""

    kind: PacketClass
    number: int
    """Command or report, 0 to 63."""
    data: bytes = field(default=b"", repr=False)
    """At most 22 bytes. Not in `repr`: the security code passes here."""

    def __bytes__(self) -> bytes:
        """The bytes on the wire. Raises UsageError for more data than fits."""
        if len(self.data) > MAX_DATA_BYTES or not 0 <= self.number <= 0x3F:
            raise UsageError("no such packet")
        head = bytes((self.kind.value << 6 | self.number, len(self.data))) + self.data
        return head + crc(head).to_bytes(_CRC_BYTES, "little")


def crc(data: bytes) -> int:
    """The CRC of a packet without its last two bytes."""
    # The standard library has the same polynomial, most significant bit first.
    straight = binascii.crc_hqx(data.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF
    return int(f"{straight:016b}"[::-1], 2)


class PacketReader:
    """Finds packets in a stream of bytes, over any garbage between them."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.skipped_bytes = 0
        """Bytes that were no part of a packet."""

    def feed(self, data: bytes) -> tuple[Packet, ...]:
        """The packets that `data` completes. At most one packet's bytes are kept back."""
        self._waiting += data
        found: list[Packet] = []
        at = begin = 0
        while at + _HEADER_BYTES + _CRC_BYTES <= len(self._waiting):
            packet = _packet_at(self._waiting, at)
            if packet is None:
                at += 1
                continue
            # What looked like an unfinished packet before it was none.
            self.skipped_bytes += at - begin
            found.append(packet)
            begin = at = at + _HEADER_BYTES + len(packet.data) + _CRC_BYTES
        while begin < len(self._waiting) and not _may_begin(self._waiting, begin):
            begin += 1
            self.skipped_bytes += 1
        del self._waiting[:begin]
        return tuple(found)

    def forget(self) -> None:
        """The rest of an unfinished packet will not come: what follows is another's begin."""
        self.skipped_bytes += len(self._waiting)
        self._waiting.clear()


def _packet_at(data: bytearray, at: int) -> Packet | None:
    """The whole and undamaged packet that begins at `at`, if one does."""
    end = at + _HEADER_BYTES + data[at + 1]
    if data[at + 1] > MAX_DATA_BYTES or end + _CRC_BYTES > len(data):
        return None
    head = bytes(data[at:end])
    if crc(head) != int.from_bytes(data[end : end + _CRC_BYTES], "little"):
        return None
    return Packet(PacketClass(head[0] >> 6), head[0] & 0x3F, head[_HEADER_BYTES:])


def _may_begin(data: bytearray, at: int) -> bool:
    """Whether a packet that has not come whole yet may begin at `at`."""
    if at + 1 >= len(data):
        return True
    return data[at + 1] <= MAX_DATA_BYTES and at + _HEADER_BYTES + data[at + 1] + _CRC_BYTES > len(data)
