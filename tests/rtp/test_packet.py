"""The RTP packet's codec (RFC 3550 §5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.rtp import MalformedPacketError, RtpPacket, RtpUsageError, is_rtcp, ssrc_of
from conclaved.rtp.packet import HeaderExtension

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
EXTENSIONS = st.none() | st.builds(
    HeaderExtension, U16, st.integers(0, 5).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
)
PACKETS = st.builds(
    RtpPacket,
    st.integers(0, 127),
    U16,
    U32,
    U32,
    st.binary(max_size=50),
    st.booleans(),
    st.lists(U32, max_size=15).map(tuple),
    EXTENSIONS,
    st.integers(0, 255),
)


@given(PACKETS)
def test_what_is_encoded_is_decoded(packet: RtpPacket) -> None:
    assert RtpPacket.decode(packet.encode()) == packet


@given(st.binary(max_size=100))
def test_any_bytes_are_a_packet_or_refused(data: bytes) -> None:
    try:
        packet = RtpPacket.decode(data)
    except MalformedPacketError:
        return
    assert len(packet.encode()) == len(data)


def test_known_bytes() -> None:
    packet = RtpPacket(111, 0x1234, 0x01020304, 0xA0B0C0D0, b"\xff", marker=True)
    assert packet.encode().hex() == "80ef123401020304a0b0c0d0ff"


GOOD = RtpPacket(96, 1, 2, 3, b"abcd").encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD[:11], id="short"),
        pytest.param(b"\x40" + GOOD[1:], id="version-1"),
        pytest.param(b"\x8f" + GOOD[1:], id="csrcs-missing"),
        pytest.param(b"\x90" + GOOD[1:12] + b"\0\0", id="extension-header-missing"),
        pytest.param(b"\x90" + GOOD[1:12] + b"\0\0\0\x01", id="extension-missing"),
        pytest.param(b"\xa0" + GOOD[1:12] + b"\0", id="padding-zero"),
        pytest.param(b"\xa0" + GOOD[1:12] + b"\x02", id="padding-too-long"),
        pytest.param(b"\xa0" + GOOD[1:12], id="padding-into-header"),
    ],
)
def test_a_malformed_packet_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        RtpPacket.decode(data)


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(128, 0, 0, 0, b""),
        RtpPacket(0, 1 << 16, 0, 0, b""),
        RtpPacket(0, 0, -1, 0, b""),
        RtpPacket(0, 0, 0, 0, b"", csrcs=(0,) * 16),
        RtpPacket(0, 0, 0, 0, b"", extension=HeaderExtension(0, b"abc")),
        RtpPacket(0, 0, 0, 0, b"", padding_bytes=256),
    ],
)
def test_an_impossible_packet_is_not_encoded(packet: RtpPacket) -> None:
    with pytest.raises(RtpUsageError):
        packet.encode()


def test_rtcp_is_told_from_rtp_and_both_name_their_sender() -> None:
    rtcp = bytes.fromhex("80c90001a0b0c0d0")
    assert (is_rtcp(rtcp), ssrc_of(rtcp)) == (True, 0xA0B0C0D0)
    assert (is_rtcp(GOOD), ssrc_of(GOOD)) == (False, 3)
    assert ssrc_of(GOOD[:11]) is None
