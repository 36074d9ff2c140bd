"""Packets of Samsung MDC, protocol version 13.7c. Sans-IO.

    to the display    AA command id length data.. checksum
    from the display  AA FF id length 'A' or 'N' command values.. checksum

The checksum is the sum of all bytes between AA and itself, modulo 256. 9600 bit/s, 8N1. A display has an id
from 0 to 253; 254 means all of them, and none of them answers then.
"""

from dataclasses import dataclass
from enum import IntEnum

HEADER = 0xAA
REPLY = 0xFF
ACK, NAK = ord("A"), ord("N")
_FIXED_BYTES = 5
"""Header, command, id, length, checksum."""


class MdcCommand(IntEnum):
    """As far as a display in a meeting room needs them. Without data each asks, with data it sets."""

    STATUS = 0x00
    POWER = 0x11
    INPUT = 0x14
    MODEL = 0x8A


INPUTS = {
    "hdmi1": 0x21,
    "hdmi2": 0x23,
    "hdmi3": 0x31,
    "hdmi4": 0x33,
    "displayport": 0x25,
    "dvi": 0x18,
    "pc": 0x14,
    "component": 0x08,
}
"""What can be set."""
INPUT_NAMES = {number: name for name, number in INPUTS.items()} | {
    0x22: "hdmi1", 0x24: "hdmi2", 0x32: "hdmi3", 0x34: "hdmi4", 0x1F: "dvi",
}  # fmt: skip
"""What a display may say: some inputs have a second number that cannot be set."""


@dataclass(frozen=True, slots=True)
class Request:
    """One to the display."""

    command: int
    display_id: int
    data: bytes = b""

    def __bytes__(self) -> bytes:
        body = bytes((self.command, self.display_id, len(self.data))) + self.data
        return bytes((HEADER,)) + body + bytes((sum(body) & 0xFF,))


@dataclass(frozen=True, slots=True)
class Reply:
    """One from the display, its checksum right."""

    command: int
    display_id: int
    is_done: bool
    values: bytes = b""
    """What was asked for or set; an error's number if it was not done."""

    def __bytes__(self) -> bytes:
        said = bytes((ACK if self.is_done else NAK, self.command)) + self.values
        body = bytes((REPLY, self.display_id, len(said))) + said
        return bytes((HEADER,)) + body + bytes((sum(body) & 0xFF,))


class ReplyReader:
    """Finds replies in a stream of bytes, over any garbage between them."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> tuple[Reply, ...]:
        """The replies that `data` completes. At most one packet's bytes are kept back."""
        self._waiting += data
        found: list[Reply] = []
        at = begin = 0
        while at < len(self._waiting):
            size = _size_at(self._waiting, at)
            reply = _reply(self._waiting[at : at + size]) if size else None
            if reply is None:
                at += 1
                continue
            found.append(reply)
            begin = at = at + size
        while begin < len(self._waiting) and not _may_begin(self._waiting, begin):
            begin += 1
        del self._waiting[:begin]
        return tuple(found)


class RequestReader:
    """The display's side: requests in a stream of bytes."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> tuple[Request, ...]:
        """The requests that `data` completes; what has a wrong checksum is skipped."""
        self._waiting += data
        found: list[Request] = []
        while True:
            begin = self._waiting.find(HEADER)
            if begin < 0:
                self._waiting.clear()
                return tuple(found)
            del self._waiting[:begin]
            size = _FIXED_BYTES + self._waiting[3] if len(self._waiting) > 3 else len(self._waiting) + 1
            if len(self._waiting) < size:
                return tuple(found)
            body, checksum = self._waiting[1 : size - 1], self._waiting[size - 1]
            if sum(body) & 0xFF != checksum:
                del self._waiting[0]
                continue
            found.append(Request(body[0], body[1], bytes(body[3:])))
            del self._waiting[:size]


def _size_at(data: bytearray, at: int) -> int:
    """How long the packet that begins at `at` is; 0 if none does, or not all of it has come."""
    if data[at] != HEADER or at + 3 >= len(data) or data[at + 1] != REPLY:
        return 0
    size = _FIXED_BYTES + data[at + 3]
    return size if at + size <= len(data) else 0


def _reply(packet: bytearray) -> Reply | None:
    body, checksum = packet[1:-1], packet[-1]
    said = bytes(body[3:])
    if sum(body) & 0xFF != checksum or len(said) < 2 or said[0] not in (ACK, NAK):
        return None
    return Reply(said[1], body[1], said[0] == ACK, said[2:])


def _may_begin(data: bytearray, at: int) -> bool:
    """Whether a packet that has not come whole yet may begin at `at`."""
    begin = bytes(data[at : at + 2])
    if begin != bytes((HEADER, REPLY))[: len(begin)]:
        return False
    return at + 3 >= len(data) or at + _FIXED_BYTES + data[at + 3] > len(data)
