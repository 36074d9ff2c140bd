"""Sony's header around VISCA in datagrams, UDP port 52381 (Sony BRC-X400 "Command List", "VISCA over IP").

type, 2 bytes    0100 command, 0110 inquiry, 0111 reply, 0200 control command, 0201 control reply
length, 2        of the payload, 1 to 16
number, 4        the sequence number; a reply bears that of what it answers
payload          a VISCA packet; of a control command 01 resets the numbers; of a control reply
                 01 says that they are reset, 0F 01 that the number was not the expected one,
                 0F 02 that the type was not
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from conclave_hal.errors import DeviceError, UsageError
from conclave_hal.visca.packet import MAX_PACKET

PORT = 52381
RESET = b"\x01"
NUMBER_REFUSED = b"\x0f\x01"
TYPE_REFUSED = b"\x0f\x02"
_HEADER = struct.Struct(">HHI")


class PayloadType(IntEnum):
    """What a datagram carries."""

    COMMAND = 0x0100
    INQUIRY = 0x0110
    REPLY = 0x0111
    CONTROL = 0x0200
    CONTROL_REPLY = 0x0201


ERRORS = (PayloadType.CONTROL, PayloadType.CONTROL_REPLY)
"""What errors come in: the manual says the first, and there are cameras that use the second."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram."""

    kind: PayloadType
    number: int
    payload: bytes

    def __bytes__(self) -> bytes:
        if not 1 <= len(self.payload) <= MAX_PACKET:
            raise UsageError(f"a payload of {len(self.payload)} bytes")
        return _HEADER.pack(self.kind, len(self.payload), self.number) + self.payload


def parse_datagram(data: bytes) -> Datagram:
    """Raises DeviceError if it is none."""
    if len(data) < _HEADER.size:
        raise DeviceError(f"a datagram of {len(data)} bytes")
    kind, length, number = _HEADER.unpack_from(data)
    payload = data[_HEADER.size :]
    if length != len(payload) or not 1 <= length <= MAX_PACKET:
        raise DeviceError(f"a datagram that says {length} bytes and has {len(payload)}")
    try:
        return Datagram(PayloadType(kind), number, payload)
    except ValueError:
        raise DeviceError(f"no type of VISCA over IP: {kind:04x}") from None
