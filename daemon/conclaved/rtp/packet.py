"""The RTP packet (RFC 3550 §5.1), with CSRCs, header extension and padding.

 0                   1                   2                   3
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
|                           timestamp                           |
|                             SSRC                              |
|                      CSRC (0 to 15 times)                     |
"""

import struct
from dataclasses import dataclass, field

from conclaved.rtp.errors import MalformedPacketError, RtpUsageError

HEADER_BYTES = 12
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """A header extension (RFC 3550 §5.3.1)."""

    profile: int
    """16 bits, defined by the profile."""
    data: bytes
    """A multiple of four bytes, at most 65535 words."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet."""

    payload_type: int
    """7 bits."""
    sequence_number: int
    """16 bits."""
    timestamp: int
    """32 bits, in units of the payload's clock."""
    ssrc: int
    """32 bits."""
    payload: bytes = field(repr=False)
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: HeaderExtension | None = None
    padding_bytes: int = 0
    """Bytes of padding at the end, the count byte included; 0 is none, at most 255."""

    def encode(self) -> bytes:
        """The packet's bytes. Raises RtpUsageError when a field does not fit its bits."""
        if not 0 <= self.payload_type < 128 or len(self.csrcs) > 15 or not 0 <= self.padding_bytes < 256:
            raise RtpUsageError("payload type, CSRCs or padding do not fit an RTP header")
        first = 0x80 | (self.padding_bytes > 0) << 5 | (self.extension is not None) << 4 | len(self.csrcs)
        second = self.marker << 7 | self.payload_type
        try:
            header = _HEADER.pack(first, second, self.sequence_number, self.timestamp, self.ssrc)
            header += struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
        except struct.error:
            raise RtpUsageError("a number does not fit the RTP header") from None
        if self.extension is not None:
            words, rest = divmod(len(self.extension.data), 4)
            if rest or words > 0xFFFF or not 0 <= self.extension.profile <= 0xFFFF:
                raise RtpUsageError("a header extension is whole words")
            header += struct.pack("!HH", self.extension.profile, words) + self.extension.data
        padding = bytes(self.padding_bytes - 1) + bytes((self.padding_bytes,)) if self.padding_bytes else b""
        return header + self.payload + padding

    @classmethod
    def decode(cls, data: bytes) -> "RtpPacket":
        """The packet in `data`. Raises MalformedPacketError (RFC 3550 §A.1 and lengths)."""
        if len(data) < HEADER_BYTES:
            raise MalformedPacketError("shorter than an RTP header")
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise MalformedPacketError("not RTP version 2")
        at, end = HEADER_BYTES + 4 * (first & 15), len(data)
        if at > end:
            raise MalformedPacketError("CSRC list is cut short")
        csrcs = struct.unpack_from(f"!{first & 15}I", data, HEADER_BYTES)
        extension = None
        if first & 0x10:
            if at + 4 > end:
                raise MalformedPacketError("header extension is cut short")
            profile, words = struct.unpack_from("!HH", data, at)
            start, at = at + 4, at + 4 + 4 * words
            if at > end:
                raise MalformedPacketError("header extension is cut short")
            extension = HeaderExtension(profile, bytes(data[start:at]))
        padding_bytes = 0
        if first & 0x20:
            padding_bytes = data[-1]
            if not 1 <= padding_bytes <= end - at:
                raise MalformedPacketError("padding is longer than the packet")
        return cls(
            second & 0x7F,
            sequence_number,
            timestamp,
            ssrc,
            bytes(data[at : end - padding_bytes]),
            bool(second & 0x80),
            csrcs,
            extension,
            padding_bytes,
        )


def is_rtcp(data: bytes) -> bool:
    """Whether a packet that shares a port with RTP is RTCP (RFC 5761 §4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def ssrc_of(data: bytes) -> int | None:
    """The sender's SSRC as an RTP or RTCP packet claims it, protected or not; None if too short.

    SRTP leaves it readable (RFC 3711 §3.1, §3.4), so that a receiver can find the session that
    then authenticates it.
    """
    at = 4 if is_rtcp(data) else 8
    if len(data) < at + 4:
        return None
    return int.from_bytes(data[at : at + 4], "big")
