"""SRTP (RFC 3711) with AES_CM_128_HMAC_SHA1_80: one key, one direction, replay protection on.

A thin layer over `pylibsrtp` that gives lengths, errors and directions types. The library brings an OpenSSL
of its own, 4.5 MB, so it is loaded with the first session: a room that waits for a meeting has none.
"""

import contextlib
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING

from conclaved.rtp.errors import (
    MalformedPacketError,
    RtpUsageError,
    SrtpAuthenticationError,
    SrtpGoneError,
    SrtpReplayError,
)
from conclaved.rtp.offer import SRTP_KEY_BYTES
from conclaved.rtp.packet import HEADER_BYTES

if TYPE_CHECKING:
    from pylibsrtp import Session

OVERHEAD_BYTES = 10
"""What protection adds to an RTP packet: the tag."""
MAX_PLAIN_BYTES = 1356
"""Longest packet that is protected: the library works in a buffer of 1500 with room for a trailer."""
MAX_PACKET_BYTES = 1500
REPLAY_WINDOW = 512
"""Packets; libsrtp's own default is 128, too few for a keyframe that was reordered."""


class Direction(Enum):
    """What a session is for: one key never does both."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class SrtpSession:
    """Protects what leaves, or unprotects what arrives, under one master key for any SSRC.

    A session keeps state for every SSRC that has authenticated; the caller bounds those and says
    with `forget` which it may drop.
    """

    def __init__(self, direction: Direction, key: bytes) -> None:
        """`key` is 30 bytes: master key (16) and master salt (14). Raises RtpUsageError."""
        if len(key) != SRTP_KEY_BYTES:
            raise RtpUsageError(f"an SRTP key has {SRTP_KEY_BYTES} bytes")
        self.direction = direction
        library = _library()
        of_any = library.Policy.SSRC_ANY_OUTBOUND, library.Policy.SSRC_ANY_INBOUND
        policy = library.Policy(key=key, ssrc_type=of_any[direction is Direction.INBOUND])
        policy.window_size = REPLAY_WINDOW
        self._session: Session | None = library.Session(policy)

    def __repr__(self) -> str:
        return f"<SrtpSession {self.direction.value}, {'open' if self._session else 'closed'}>"

    def protect(self, packet: bytes) -> bytes:
        """SRTP from RTP. Raises RtpUsageError for a packet that is no RTP, too long, or protected before."""
        session = self._for(Direction.OUTBOUND)
        if not HEADER_BYTES <= len(packet) <= MAX_PLAIN_BYTES:
            raise RtpUsageError(f"an RTP packet has {HEADER_BYTES} to {MAX_PLAIN_BYTES} bytes")
        try:
            return bytes(session.protect(packet))
        except _library().Error as error:
            raise RtpUsageError(f"SRTP: {error}") from error

    def protect_rtcp(self, packet: bytes) -> bytes:
        """SRTCP from RTCP. Raises RtpUsageError."""
        session = self._for(Direction.OUTBOUND)
        if not 8 <= len(packet) <= MAX_PLAIN_BYTES - 4:
            raise RtpUsageError("an RTCP packet does not have this length")
        try:
            return bytes(session.protect_rtcp(packet))
        except _library().Error as error:
            raise RtpUsageError(f"SRTCP: {error}") from error

    def unprotect(self, packet: bytes) -> bytes:
        """RTP from SRTP. Raises MalformedPacketError, SrtpAuthenticationError or SrtpReplayError."""
        session = self._for(Direction.INBOUND)
        if not HEADER_BYTES <= len(packet) <= MAX_PACKET_BYTES:
            raise MalformedPacketError("no SRTP packet has this length")
        try:
            return bytes(session.unprotect(packet))
        except _library().Error as error:
            raise _remote(error) from error

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """RTCP from SRTCP. Raises like `unprotect`."""
        session = self._for(Direction.INBOUND)
        if not 8 <= len(packet) <= MAX_PACKET_BYTES:
            raise MalformedPacketError("no SRTCP packet has this length")
        try:
            return bytes(session.unprotect_rtcp(packet))
        except _library().Error as error:
            raise _remote(error) from error

    def forget(self, ssrc: int) -> None:
        """Drop the state of one SSRC, rollover counter and replay window included; unknown ones are
        ignored. Only for SSRCs that are not used any more: outbound, an SSRC that came back would
        use its keystream twice."""
        if self._session is not None:
            with contextlib.suppress(_library().Error):
                self._session.remove_stream(ssrc)

    def close(self) -> None:
        """Drop the keys. Safe to call twice; everything else raises SrtpGoneError afterwards."""
        self._session = None

    def _for(self, direction: Direction) -> "Session":
        if self._session is None:
            raise SrtpGoneError("SRTP session was closed")
        if direction is not self.direction:
            raise RtpUsageError(f"this SRTP session is {self.direction.value}")
        return self._session


def _library() -> ModuleType:
    import pylibsrtp

    return pylibsrtp


def _remote(error: Exception) -> MalformedPacketError | SrtpAuthenticationError | SrtpReplayError:
    """What the library's complaint means to us; it has one class and a text for all."""
    text = str(error)
    if "replay" in text or "too old" in text:
        return SrtpReplayError(text)
    if "authentication" in text:
        return SrtpAuthenticationError(text)
    return MalformedPacketError(text)
