"""SRTP sessions over the real library."""

import pytest

from conclaved.rtp import (
    Direction,
    MalformedPacketError,
    PictureLossIndication,
    RtpPacket,
    RtpUsageError,
    SrtpAuthenticationError,
    SrtpGoneError,
    SrtpReplayError,
    SrtpSession,
    rtcp,
)
from conclaved.rtp.srtp import MAX_PLAIN_BYTES, OVERHEAD_BYTES

KEY, OTHER = bytes(range(30)), bytes(range(1, 31))
PACKET = RtpPacket(96, 7, 8, 9, b"payload").encode()
PLI = rtcp.encode([PictureLossIndication(1, 2)])


def pair() -> tuple[SrtpSession, SrtpSession]:
    return SrtpSession(Direction.OUTBOUND, KEY), SrtpSession(Direction.INBOUND, KEY)


def test_what_is_protected_is_unprotected_and_hidden() -> None:
    out, into = pair()
    wire = out.protect(PACKET)
    assert len(wire) == len(PACKET) + OVERHEAD_BYTES
    assert b"payload" not in wire
    assert into.unprotect(wire) == PACKET


def test_rtcp_goes_through_too() -> None:
    out, into = pair()
    assert into.unprotect_rtcp(out.protect_rtcp(PLI)) == PLI


def test_a_replayed_packet_is_refused() -> None:
    out, into = pair()
    wire, control = out.protect(PACKET), out.protect_rtcp(PLI)
    into.unprotect(wire)
    into.unprotect_rtcp(control)
    with pytest.raises(SrtpReplayError):
        into.unprotect(wire)
    with pytest.raises(SrtpReplayError):
        into.unprotect_rtcp(control)


def test_a_forged_packet_is_refused_and_the_true_one_still_accepted() -> None:
    out, into = pair()
    wire = out.protect(PACKET)
    with pytest.raises(SrtpAuthenticationError):
        into.unprotect(wire[:-1] + bytes((wire[-1] ^ 1,)))
    assert into.unprotect(wire) == PACKET


def test_another_key_is_refused() -> None:
    out, _ = pair()
    with pytest.raises(SrtpAuthenticationError):
        SrtpSession(Direction.INBOUND, OTHER).unprotect(out.protect(PACKET))


@pytest.mark.parametrize("data", [b"", b"\x80", bytes(1501), bytes(12), bytes(40)])
def test_garbage_is_refused(data: bytes) -> None:
    _, into = pair()
    with pytest.raises((MalformedPacketError, SrtpAuthenticationError)):
        into.unprotect(data)
    with pytest.raises((MalformedPacketError, SrtpAuthenticationError)):
        into.unprotect_rtcp(data)


def test_the_longest_packet_passes_and_a_longer_one_does_not() -> None:
    out, into = pair()
    longest = RtpPacket(96, 7, 8, 9, bytes(MAX_PLAIN_BYTES - 12)).encode()
    assert into.unprotect(out.protect(longest)) == longest
    with pytest.raises(RtpUsageError):
        out.protect(longest + b"\0")


def test_a_packet_is_not_protected_twice() -> None:
    out, _ = pair()
    out.protect(PACKET)
    with pytest.raises(RtpUsageError):
        out.protect(PACKET)


def test_a_forgotten_source_begins_anew_and_an_unknown_one_is_ignored() -> None:
    out, into = pair()
    wire = out.protect(PACKET)
    into.unprotect(wire)
    into.forget(9)
    into.forget(12345)
    assert into.unprotect(wire) == PACKET


def test_a_session_has_one_direction() -> None:
    out, into = pair()
    for attempt in (out.unprotect, out.unprotect_rtcp, into.protect, into.protect_rtcp):
        with pytest.raises(RtpUsageError):
            attempt(PACKET)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(RtpUsageError):
        SrtpSession(Direction.INBOUND, KEY[:-1])


def test_a_closed_session_is_gone() -> None:
    out, _ = pair()
    out.close()
    with pytest.raises(SrtpGoneError):
        out.protect(PACKET)
