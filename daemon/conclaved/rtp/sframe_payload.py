"""SFrame in RTP, after draft-ietf-avtcore-rtp-sframe-02 (January 2026).

The first byte of each payload is a descriptor, the rest is a piece of an SFrame ciphertext:

     0 1 2 3 4 5 6 7
    |S|E|T| 0 0 0 0 0 |

S and E mark the first and last piece. T says what was sealed: 0 a whole media frame
(*per frame*: an H.264 picture, over as many packets as it takes), 1 the payload of one packet
of the codec's own format (*per packet*: an Opus packet). Bits that are reserved are sent as
zero and not read. The marker bit, where the frame has one, is on the last packet.

Depacketizing puts packets in order of their sequence number and waits a bounded time and
number of packets for one that is missing; then the frames that it cuts are dropped, and the
next one says so (`is_after_gap`). Nothing here is authenticated end to end: a lie of the
service about order or pieces ends at the SFrame tag.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from conclaved.rtp.errors import RtpUsageError
from conclaved.rtp.packet import HEADER_BYTES, RtpPacket
from conclaved.rtp.srtp import OVERHEAD_BYTES

MTU_BYTES = 1200
"""Length of the SRTP packet at most."""
_START, _END, _PACKETIZED = 0x80, 0x40, 0x20


class Unit(Enum):
    """What one SFrame ciphertext holds (the T bit)."""

    FRAME = 0
    PACKET = 1


@dataclass(frozen=True, slots=True)
class SframeUnit:
    """One SFrame ciphertext put together again."""

    ciphertext: bytes = field(repr=False)
    timestamp: int
    ssrc: int
    payload_type: int
    unit: Unit
    marker: bool
    is_after_gap: bool
    """Something of this SSRC was lost between the unit before and this one."""


class Packetizer:
    """Cuts the SFrame ciphertexts of one SSRC into RTP packets."""

    def __init__(
        self, ssrc: int, payload_type: int, *, first_sequence_number: int = 0, mtu_bytes: int = MTU_BYTES
    ) -> None:
        """`first_sequence_number` should be random below 2^15: a wrap right at the start, with packets
        lost around it, would leave receivers with another rollover counter (RFC 3711 §3.3.1)."""
        self.ssrc = ssrc
        self.payload_type = payload_type
        self._sequence_number = first_sequence_number & 0xFFFF
        self._piece_bytes = mtu_bytes - HEADER_BYTES - 1 - OVERHEAD_BYTES
        if self._piece_bytes < 1:
            raise RtpUsageError("nothing fits into an RTP packet of that length")

    def packetize(
        self, ciphertext: bytes, timestamp: int, *, unit: Unit = Unit.FRAME, marker: bool = True
    ) -> list[RtpPacket]:
        """The packets of one ciphertext, in order (draft-ietf-avtcore-rtp-sframe §5.1).

        `timestamp` is the frame's, taken modulo 2^32. Raises RtpUsageError for an empty one.
        """
        if not ciphertext:
            raise RtpUsageError("an SFrame ciphertext is not empty")
        kind = _PACKETIZED if unit is Unit.PACKET else 0
        packets = []
        for at in range(0, len(ciphertext), self._piece_bytes):
            end = at + self._piece_bytes
            is_last = end >= len(ciphertext)
            descriptor = kind | (_START if at == 0 else 0) | (_END if is_last else 0)
            packets.append(
                RtpPacket(
                    self.payload_type,
                    self._sequence_number,
                    timestamp & 0xFFFF_FFFF,
                    self.ssrc,
                    bytes((descriptor,)) + ciphertext[at:end],
                    marker=marker and is_last,
                )
            )
            self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        return packets


class Depacketizer:
    """Puts the SFrame ciphertexts of one SSRC together again, in order, within bounds.

    `window` packets wait at most for a missing one, for `max_wait_s` at most; a ciphertext has
    `max_unit_bytes` at most. So one SSRC holds `window` packets and one unit of memory.
    """

    def __init__(
        self, ssrc: int, *, window: int = 256, max_wait_s: float = 0.1, max_unit_bytes: int = 1 << 20
    ) -> None:
        self.ssrc = ssrc
        self.units_dropped = 0
        """Ciphertexts of which something arrived, but not all."""
        self.packets_late = 0
        """Packets that came twice, or after the wait for them was over."""
        self.packets_lost = 0
        """Packets that never came in time."""
        self._window = window
        self._max_wait_s = max_wait_s
        self._max_unit_bytes = max_unit_bytes
        self._next: int | None = None
        self._early: dict[int, tuple[RtpPacket, float]] = {}
        self._pieces: list[RtpPacket] = []
        self._size = 0
        self._is_after_gap = False

    @property
    def deadline(self) -> float | None:
        """When `poll` has something to give up on, or None."""
        if not self._early:
            return None
        return min(arrived for _, arrived in self._early.values()) + self._max_wait_s

    def push(self, packet: RtpPacket, now: float) -> list[SframeUnit]:
        """Take a packet of this SSRC; returns the ciphertexts that it completes, in order.

        Raises RtpUsageError for another SSRC.
        """
        if packet.ssrc != self.ssrc:
            raise RtpUsageError("packet has another SSRC")
        if self._next is None:
            self._next = packet.sequence_number
        ahead = (packet.sequence_number - self._next) & 0xFFFF
        if ahead >= 0x8000 or packet.sequence_number in self._early:
            self.packets_late += 1
            return []
        if ahead > 2 * self._window:
            # The sender leapt: what we waited for will not come.
            units = list(self._give_up_all())
            self._skip_to(packet.sequence_number)
        else:
            units = []
        self._early[packet.sequence_number] = packet, now
        units += self._drain()
        while len(self._early) > self._window:
            units += self._give_up_hole()
        return units

    def poll(self, now: float) -> list[SframeUnit]:
        """Stop waiting for what is overdue; returns the ciphertexts that stood behind it."""
        units: list[SframeUnit] = []
        while (deadline := self.deadline) is not None and now >= deadline:
            units += self._give_up_hole()
        return units

    def _drain(self) -> Iterator[SframeUnit]:
        while self._next is not None and self._next in self._early:
            packet, _ = self._early.pop(self._next)
            self._next = (self._next + 1) & 0xFFFF
            unit = self._take(packet)
            if unit is not None:
                yield unit

    def _give_up_hole(self) -> Iterator[SframeUnit]:
        """Skip to the first packet behind the hole, and go on from there."""
        expected = self._next or 0
        self._skip_to(min(self._early, key=lambda number: (number - expected) & 0xFFFF))
        return self._drain()

    def _give_up_all(self) -> Iterator[SframeUnit]:
        while self._early:
            yield from self._give_up_hole()

    def _skip_to(self, sequence_number: int) -> None:
        if self._next is not None:
            self.packets_lost += (sequence_number - self._next) & 0xFFFF
        self._next = sequence_number
        self._drop_pieces()
        self._is_after_gap = True

    def _drop_pieces(self) -> None:
        if self._pieces:
            self.units_dropped += 1
            self._pieces.clear()
            self._size = 0
            self._is_after_gap = True

    def _take(self, packet: RtpPacket) -> SframeUnit | None:
        """The next packet in order: begins, continues or completes a ciphertext, or breaks one."""
        if not packet.payload:
            # Padding only: it keeps its place in the sequence and means nothing.
            return None
        descriptor = packet.payload[0]
        if descriptor & _START:
            self._drop_pieces()
        elif not self._pieces:
            # The rest of a unit whose start is lost.
            self._is_after_gap = True
            return None
        elif not self._fits(packet, descriptor):
            self._drop_pieces()
            return None
        self._pieces.append(packet)
        self._size += len(packet.payload) - 1
        if self._size > self._max_unit_bytes:
            self._drop_pieces()
            return None
        if not descriptor & _END:
            return None
        unit = SframeUnit(
            b"".join(piece.payload[1:] for piece in self._pieces),
            packet.timestamp,
            packet.ssrc,
            packet.payload_type,
            Unit.PACKET if descriptor & _PACKETIZED else Unit.FRAME,
            packet.marker,
            self._is_after_gap,
        )
        self._pieces.clear()
        self._size = 0
        self._is_after_gap = False
        return unit

    def _fits(self, packet: RtpPacket, descriptor: int) -> bool:
        """All pieces of a unit agree (draft-ietf-avtcore-rtp-sframe §5.2)."""
        first = self._pieces[0]
        return (
            packet.timestamp == first.timestamp
            and packet.payload_type == first.payload_type
            and (descriptor ^ first.payload[0]) & _PACKETIZED == 0
        )
