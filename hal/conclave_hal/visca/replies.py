"""What a camera says, by the class of the message: its high nibble, and its length.

    4y           acknowledged: the command executes in socket y
    5y           completed: the command of socket y; y is 0 where there is no socket, as for IF_Clear
    50 data..    the answer to an inquiry
    6y code      an error; y as the camera puts it: codes 01, 02 and 03 carry no socket
    38           the chain of cameras has changed
    30 0w        Address Set has gone round: w is the number of cameras and one more
    01 00 01     IF_Clear has gone round

Only what has its class's length is believed; anything else is `Unknown`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from conclave_hal.visca.packet import BROADCAST, CONTROLLER, Packet


class ErrorCode(IntEnum):
    """Why a camera refuses (Sony EVI-H100, "Error Messages")."""

    MESSAGE_LENGTH = 0x01
    SYNTAX = 0x02
    BUFFER_FULL = 0x03
    CANCELLED = 0x04
    NO_SOCKET = 0x05
    NOT_EXECUTABLE = 0x41
    UNKNOWN = -1
    """A code of the maker's own."""


IN_WORDS = {
    ErrorCode.MESSAGE_LENGTH: "the message is too long",
    ErrorCode.SYNTAX: "it does not know this",
    ErrorCode.BUFFER_FULL: "it is busy with other commands",
    ErrorCode.CANCELLED: "it was cancelled",
    ErrorCode.NO_SOCKET: "nothing executes there",
    ErrorCode.NOT_EXECUTABLE: "it cannot do this now",
    ErrorCode.UNKNOWN: "an error of its maker's own",
}


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The command in flight was taken and executes."""

    camera: int
    socket: int


@dataclass(frozen=True, slots=True)
class Completed:
    """A command has ended well."""

    camera: int
    socket: int
    """0 where the command had no socket."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an inquiry asked for."""

    camera: int
    data: bytes
    """1 to 13 bytes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An error, of the packet in flight or of the command in a socket."""

    camera: int
    socket: int
    code: ErrorCode


@dataclass(frozen=True, slots=True)
class ChainChanged:
    """A camera was switched on or off or plugged in: addresses are not what they were."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """Address Set has gone round the chain."""

    cameras: int
    """0 to 7: how many took an address."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """IF_Clear has gone round the chain."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that a camera says to a controller; not believed."""

    message: bytes


Reply: TypeAlias = (
    Acknowledged | Completed | Answered | Refused | ChainChanged | Addressed | Cleared | Unknown
)


def parse_reply(packet: Packet) -> Reply:
    """What the packet says. Never raises."""
    message = packet.message
    if packet.receiver == BROADCAST:
        return _parse_broadcast(message)
    if packet.sender == CONTROLLER or packet.receiver != CONTROLLER:
        return Unknown(message)
    kind, socket = message[0] & 0xF0, message[0] & 0x0F
    if kind == 0x40 and len(message) == 1:
        return Acknowledged(packet.sender, socket)
    if kind == 0x50 and len(message) == 1:
        return Completed(packet.sender, socket)
    if message[0] == 0x50:
        return Answered(packet.sender, message[1:])
    if kind == 0x60 and len(message) == 2:
        known = set(ErrorCode)
        code = ErrorCode(message[1]) if message[1] in known else ErrorCode.UNKNOWN
        return Refused(packet.sender, socket, code)
    if message == b"\x38":
        return ChainChanged()
    return Unknown(message)


def _parse_broadcast(message: bytes) -> Reply:
    if message == b"\x01\x00\x01":
        return Cleared()
    if len(message) == 2 and message[0] == 0x30 and 1 <= message[1] <= 8:
        return Addressed(message[1] - 1)
    # Sony sends it from the camera's own address; some cameras send it to everybody.
    return ChainChanged() if message == b"\x38" else Unknown(message)
