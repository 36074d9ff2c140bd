"""RTCP as far as a meeting needs it: reports, BYE, and picture loss (RFC 3550 §6, RFC 4585 §6.3.1).

Packets are reduced-size (RFC 5506): a picture loss indication travels alone, without a report
before it. Types that are not known here are kept as `UnknownRtcp`, never guessed at.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from conclaved.rtp.errors import MalformedPacketError, RtpUsageError

MAX_PACKETS = 16
"""A datagram has at most so many RTCP packets for us: work per datagram is bounded."""
_PLI_FORMAT = 1


class RtcpType(IntEnum):
    """Packet types that are read here."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    BYE = 203
    PAYLOAD_FEEDBACK = 206


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source was received (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """In 256ths."""
    packets_lost: int
    """Cumulative, signed 24 bits."""
    highest_sequence: int
    """Extended to 32 bits."""
    jitter: int
    """In timestamp units."""
    last_sr: int = 0
    delay_since_last_sr: int = 0
    """In 65536ths of a second."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RFC 3550 §6.4.1."""

    ssrc: int
    ntp_timestamp: int
    """64 bits."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RFC 3550 §6.4.2."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Bye:
    """RFC 3550 §6.6, without a reason text."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """A receiver cannot go on without a keyframe (RFC 4585 §6.3.1)."""

    sender_ssrc: int
    media_ssrc: int
    """The source that is asked."""


@dataclass(frozen=True, slots=True)
class UnknownRtcp:
    """A well-formed packet of another type."""

    packet_type: int
    count: int
    body: bytes = field(repr=False)


RtcpPacket = SenderReport | ReceiverReport | Bye | PictureLossIndication | UnknownRtcp


def encode(packets: Iterable[RtcpPacket]) -> bytes:
    """A compound of `packets` in order. Raises RtpUsageError when a field does not fit its bits."""
    try:
        return b"".join(_encode(packet) for packet in packets)
    except (struct.error, OverflowError):
        raise RtpUsageError("a number does not fit the RTCP packet") from None


def decode(data: bytes) -> tuple[RtcpPacket, ...]:
    """The packets of a compound, at least one (RFC 3550 §6.1).

    Raises MalformedPacketError when any of them is malformed, or there are more than MAX_PACKETS.
    """
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4 or len(packets) == MAX_PACKETS:
            raise MalformedPacketError("RTCP compound is cut short or too long")
        first, packet_type, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise MalformedPacketError("not RTCP version 2, or cut short")
        body = data[at + 4 : end]
        if first & 0x20:
            # Only the last packet of a compound may be padded.
            if end != len(data) or not body or not 1 <= body[-1] <= len(body) or body[-1] % 4:
                raise MalformedPacketError("RTCP padding is wrong")
            body = body[: -body[-1]]
        packets.append(_decode(packet_type, first & 0x1F, bytes(body)))
        at = end
    if not packets:
        raise MalformedPacketError("empty RTCP compound")
    return tuple(packets)


def _frame(packet_type: int, count: int, body: bytes) -> bytes:
    if len(body) % 4 or not 0 <= count < 32:
        raise RtpUsageError("an RTCP packet is whole words and counts to 31")
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def _encode(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            body = struct.pack(
                "!IQIII",
                packet.ssrc,
                packet.ntp_timestamp,
                packet.rtp_timestamp,
                packet.packet_count,
                packet.octet_count,
            )
            blocks = b"".join(map(_encode_block, packet.blocks))
            return _frame(RtcpType.SENDER_REPORT, len(packet.blocks), body + blocks)
        case ReceiverReport():
            blocks = b"".join(map(_encode_block, packet.blocks))
            return _frame(
                RtcpType.RECEIVER_REPORT, len(packet.blocks), struct.pack("!I", packet.ssrc) + blocks
            )
        case Bye():
            return _frame(
                RtcpType.BYE, len(packet.ssrcs), struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
            )
        case PictureLossIndication():
            body = struct.pack("!II", packet.sender_ssrc, packet.media_ssrc)
            return _frame(RtcpType.PAYLOAD_FEEDBACK, _PLI_FORMAT, body)
        case UnknownRtcp():
            return _frame(packet.packet_type, packet.count, packet.body)


def _encode_block(block: ReportBlock) -> bytes:
    lost = block.packets_lost.to_bytes(3, "big", signed=True)
    return (
        struct.pack("!IB", block.ssrc, block.fraction_lost)
        + lost
        + struct.pack("!IIII", block.highest_sequence, block.jitter, block.last_sr, block.delay_since_last_sr)
    )


def _decode(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    match packet_type:
        case RtcpType.SENDER_REPORT:
            if len(body) < 24:
                raise MalformedPacketError("sender report is cut short")
            ssrc, ntp, rtp, packet_count, octets = struct.unpack_from("!IQIII", body)
            return SenderReport(ssrc, ntp, rtp, packet_count, octets, _decode_blocks(body, 24, count))
        case RtcpType.RECEIVER_REPORT:
            if len(body) < 4:
                raise MalformedPacketError("receiver report is cut short")
            return ReceiverReport(int.from_bytes(body[:4], "big"), _decode_blocks(body, 4, count))
        case RtcpType.BYE:
            if len(body) < 4 * count:
                raise MalformedPacketError("BYE is cut short")
            return Bye(struct.unpack_from(f"!{count}I", body))
        case RtcpType.PAYLOAD_FEEDBACK if count == _PLI_FORMAT:
            if len(body) != 8:
                raise MalformedPacketError("picture loss indication has the wrong length")
            return PictureLossIndication(*struct.unpack("!II", body))
        case _:
            return UnknownRtcp(packet_type, count, body)


def _decode_blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < at + 24 * count:
        raise MalformedPacketError("report block is cut short")
    blocks = []
    for start in range(at, at + 24 * count, 24):
        ssrc, fraction = struct.unpack_from("!IB", body, start)
        lost = int.from_bytes(body[start + 5 : start + 8], "big", signed=True)
        blocks.append(ReportBlock(ssrc, fraction, lost, *struct.unpack_from("!IIII", body, start + 8)))
    return tuple(blocks)
