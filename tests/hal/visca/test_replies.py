"""What a camera says."""

import pytest

from conclave_hal.visca.packet import Packet, parse_packet
from conclave_hal.visca.replies import (
    Acknowledged,
    Addressed,
    Answered,
    ChainChanged,
    Cleared,
    Completed,
    ErrorCode,
    Refused,
    Reply,
    Unknown,
    parse_reply,
)


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        ("90 41 ff", Acknowledged(1, 1)),
        ("b0 42 ff", Acknowledged(3, 2)),
        ("90 52 ff", Completed(1, 2)),
        ("90 50 ff", Completed(1, 0)),
        ("90 50 02 ff", Answered(1, b"\x02")),
        ("90 60 01 ff", Refused(1, 0, ErrorCode.MESSAGE_LENGTH)),
        ("90 60 02 ff", Refused(1, 0, ErrorCode.SYNTAX)),
        ("90 60 03 ff", Refused(1, 0, ErrorCode.BUFFER_FULL)),
        ("90 61 04 ff", Refused(1, 1, ErrorCode.CANCELLED)),
        ("90 62 05 ff", Refused(1, 2, ErrorCode.NO_SOCKET)),
        ("90 61 41 ff", Refused(1, 1, ErrorCode.NOT_EXECUTABLE)),
        ("90 61 77 ff", Refused(1, 1, ErrorCode.UNKNOWN)),
        ("90 38 ff", ChainChanged()),
        ("88 38 ff", ChainChanged()),
        ("88 30 03 ff", Addressed(2)),
        ("88 01 00 01 ff", Cleared()),
    ],
)
def test_what_has_its_class_and_length_is_believed(wire: str, reply: Reply) -> None:
    assert parse_reply(parse_packet(bytes.fromhex(wire))) == reply


@pytest.mark.parametrize(
    "wire",
    [
        "90 41 00 ff",
        "90 51 02 ff",
        "90 60 ff",
        "90 60 02 00 ff",
        "90 38 00 ff",
        "88 30 ff",
        "88 30 09 ff",
        "81 01 04 00 02 ff",
        "91 41 ff",
        "90 07 ff",
        "88 01 00 02 ff",
    ],
)
def test_what_has_not_is_not(wire: str) -> None:
    packet = parse_packet(bytes.fromhex(wire))
    assert parse_reply(packet) == Unknown(packet.message)


def test_our_own_packet_that_came_round_is_no_reply() -> None:
    assert isinstance(parse_reply(Packet(0, 3, b"\x09\x04\x47")), Unknown)
