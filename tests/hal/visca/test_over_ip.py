"""Sony's header in datagrams."""

import pytest

from conclave_hal.errors import DeviceError, UsageError
from conclave_hal.visca.over_ip import Datagram, PayloadType, parse_datagram


@pytest.mark.parametrize(
    ("wire", "datagram"),
    [
        ("0100 0006 00000001 810104 0002ff", (PayloadType.COMMAND, 1, "8101040002ff")),
        ("0110 0005 00000002 81090400ff", (PayloadType.INQUIRY, 2, "81090400ff")),
        ("0111 0003 ffffffff 9041ff", (PayloadType.REPLY, 2**32 - 1, "9041ff")),
        ("0200 0001 00000000 01", (PayloadType.CONTROL, 0, "01")),
        ("0201 0002 00000007 0f01", (PayloadType.CONTROL_REPLY, 7, "0f01")),
    ],
)
def test_a_datagram_says_the_same_both_ways(wire: str, datagram: tuple[PayloadType, int, str]) -> None:
    kind, number, payload = datagram
    value = Datagram(kind, number, bytes.fromhex(payload))
    assert bytes(value) == bytes.fromhex(wire)
    assert parse_datagram(bytes.fromhex(wire)) == value


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "0100",
        "0100 0003 00000001 9041",
        "0100 0000 00000001",
        "0300 0003 00000001 9041ff",
        "0111 0011 00000001" + "00" * 17,
    ],
)
def test_what_is_no_datagram_is_refused(wire: str) -> None:
    with pytest.raises(DeviceError):
        parse_datagram(bytes.fromhex(wire))


def test_no_empty_datagram_is_made() -> None:
    with pytest.raises(UsageError):
        bytes(Datagram(PayloadType.COMMAND, 1, b""))
