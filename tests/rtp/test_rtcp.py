"""RTCP codec (RFC 3550 §6, RFC 4585 §6.3.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.rtp import MalformedPacketError, RtpUsageError
from conclaved.rtp.rtcp import (
    MAX_PACKETS,
    Bye,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    UnknownRtcp,
    decode,
    encode,
)

BLOCK = ReportBlock(7, 12, -3, 70_000, 99, 5, 6)
ALL: list[RtcpPacket] = [
    SenderReport(1, 1 << 63, 2, 3, 4, (BLOCK,)),
    ReceiverReport(1, (BLOCK, BLOCK)),
    Bye((1, 2)),
    PictureLossIndication(1, 2),
    UnknownRtcp(204, 5, b"abcdefgh"),
]


@pytest.mark.parametrize("packet", ALL)
def test_each_packet_is_decoded_as_encoded(packet: RtcpPacket) -> None:
    assert decode(encode([packet])) == (packet,)


def test_a_compound_keeps_its_order() -> None:
    assert decode(encode(ALL)) == tuple(ALL)


def test_known_bytes_of_a_picture_loss_indication() -> None:
    assert encode([PictureLossIndication(0x01020304, 0x05060708)]).hex() == "81ce00020102030405060708"


@given(st.binary(max_size=80))
def test_any_bytes_are_rtcp_or_refused(data: bytes) -> None:
    try:
        packets = decode(data)
    except MalformedPacketError:
        return
    assert packets


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="empty"),
        pytest.param("80c900", id="cut-header"),
        pytest.param("80c90001", id="cut-body"),
        pytest.param("40c9000100000001", id="version"),
        pytest.param("81c9000100000001", id="block-missing"),
        pytest.param("80c80001" + "00000001", id="sender-report-cut"),
        pytest.param("82cb000100000001", id="bye-cut"),
        pytest.param("81ce000100000001", id="pli-cut"),
        pytest.param("a0c9000100000001" + "80c9000100000001", id="padding-in-the-middle"),
        pytest.param("a0c9000100000003", id="padding-not-words"),
        pytest.param("a0cb0000", id="padding-missing"),
    ],
)
def test_malformed_rtcp_is_refused(data: str) -> None:
    with pytest.raises(MalformedPacketError):
        decode(bytes.fromhex(data))


def test_padding_at_the_end_is_removed() -> None:
    assert decode(bytes.fromhex("a0c9000200000001" + "00000004")) == (ReceiverReport(1),)


def test_a_compound_of_too_many_packets_is_refused() -> None:
    one = encode([PictureLossIndication(1, 2)])
    assert len(decode(one * MAX_PACKETS)) == MAX_PACKETS
    with pytest.raises(MalformedPacketError):
        decode(one * (MAX_PACKETS + 1))


@pytest.mark.parametrize("packet", [Bye((1 << 32,)), ReceiverReport(1, (ReportBlock(1, 0, 1 << 23, 0, 0),))])
def test_an_impossible_packet_is_not_encoded(packet: RtcpPacket) -> None:
    with pytest.raises(RtpUsageError):
        encode([packet])
