"""SFrame in RTP: cutting, reordering, loss, bounds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.rtp import Depacketizer, Packetizer, RtpPacket, RtpUsageError, SframeUnit, Unit
from conclaved.rtp.sframe_payload import MTU_BYTES
from conclaved.rtp.srtp import OVERHEAD_BYTES

SSRC = 0xC0FFEE


def packets_of(frames: list[bytes], first: int = 0) -> list[list[RtpPacket]]:
    packetizer = Packetizer(SSRC, 96, first_sequence_number=first)
    return [packetizer.packetize(frame, 3000 * n) for n, frame in enumerate(frames)]


def feed(depacketizer: Depacketizer, packets: list[RtpPacket], now: float = 0.0) -> list[SframeUnit]:
    return [unit for packet in packets for unit in depacketizer.push(packet, now)]


def test_a_frame_is_cut_to_the_mtu_with_start_end_and_marker() -> None:
    (packets,) = packets_of([bytes(2500)])
    assert [p.payload[0] for p in packets] == [0x80, 0x00, 0x40]
    assert [p.marker for p in packets] == [False, False, True]
    assert len(packets[0].encode()) + OVERHEAD_BYTES == MTU_BYTES


def test_a_frame_that_fits_is_one_packet() -> None:
    ((packet,),) = packets_of([b"x"])
    assert packet.payload == b"\xc0x"


def test_a_sealed_packet_is_marked_as_such() -> None:
    (packet,) = Packetizer(SSRC, 111).packetize(b"opus", 0, unit=Unit.PACKET, marker=False)
    assert (packet.payload[0], packet.marker) == (0xE0, False)
    (unit,) = Depacketizer(SSRC).push(packet, 0.0)
    assert unit.unit is Unit.PACKET


@given(
    st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=12),
    st.integers(0, 0xFFFF),
    st.randoms(use_true_random=False),
)
def test_frames_come_out_whole_and_in_order_however_packets_are_shuffled(
    frames: list[bytes], first: int, dice: random.Random
) -> None:
    packets = [p for group in packets_of(frames, first) for p in group]
    head, tail = packets[0], packets[1:]
    tail += dice.sample(tail, len(tail) // 3)
    dice.shuffle(tail)
    units = feed(Depacketizer(SSRC), [head, *tail])
    assert [(u.ciphertext, u.timestamp) for u in units] == [(f, 3000 * n) for n, f in enumerate(frames)]
    assert not any(u.is_after_gap for u in units)


@given(st.binary(min_size=1, max_size=60).map(lambda b: b * 60), st.sets(st.integers(0, 59)))
def test_with_losses_only_whole_frames_come_out_and_gaps_are_told(frame: bytes, lost: set[int]) -> None:
    frames = [bytes((n,)) + frame for n in range(20)]
    groups = packets_of(frames)
    numbered = [p for group in groups for p in group]
    kept = [p for p in numbered if p.sequence_number not in lost]
    depacketizer = Depacketizer(SSRC)
    units = feed(depacketizer, kept) + depacketizer.poll(1.0)
    whole = [n for n, group in enumerate(groups) if all(p.sequence_number not in lost for p in group)]
    assert [u.ciphertext for u in units] == [frames[n] for n in whole]
    for unit, before, after in zip(units[1:], whole, whole[1:], strict=False):
        if after != before + 1:
            assert unit.is_after_gap


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=3)), max_size=60))
def test_any_packets_are_survived_within_bounds(pieces: list[tuple[int, bytes]]) -> None:
    depacketizer = Depacketizer(SSRC, window=8, max_unit_bytes=10)
    for number, payload in pieces:
        depacketizer.push(RtpPacket(96, number, 0, SSRC, payload), 0.0)
        assert len(depacketizer._early) <= 8
        assert depacketizer._size <= 10
    depacketizer.poll(1.0)
    assert depacketizer.deadline is None


def test_a_missing_packet_is_waited_for_and_then_given_up() -> None:
    groups = packets_of([bytes(2000), b"next"])
    depacketizer = Depacketizer(SSRC, max_wait_s=0.1)
    assert feed(depacketizer, [groups[0][0], groups[1][0]], 5.0) == []
    assert depacketizer.deadline == 5.1
    assert depacketizer.poll(5.09) == []
    (unit,) = depacketizer.poll(5.1)
    assert (unit.ciphertext, unit.is_after_gap) == (b"next", True)
    assert (depacketizer.units_dropped, depacketizer.packets_lost) == (1, 1)
    assert feed(depacketizer, [groups[0][1]], 5.2) == []
    assert depacketizer.packets_late == 1


def test_a_full_window_gives_up_the_hole() -> None:
    groups = packets_of([b"%d" % n for n in range(6)])
    depacketizer = Depacketizer(SSRC, window=3)
    feed(depacketizer, groups[0])
    units = feed(depacketizer, [p for group in groups[2:] for p in group])
    assert [u.ciphertext for u in units] == [b"2", b"3", b"4", b"5"]
    assert [u.is_after_gap for u in units] == [True, False, False, False]


def test_a_leap_of_the_sequence_starts_anew() -> None:
    depacketizer = Depacketizer(SSRC, window=4)
    feed(depacketizer, [RtpPacket(96, 0, 0, SSRC, b"\xc0a"), RtpPacket(96, 2, 0, SSRC, b"\xc0c")])
    units = feed(depacketizer, [RtpPacket(96, 9000, 0, SSRC, b"\xc0z")])
    assert [u.ciphertext for u in units] == [b"c", b"z"]


def test_pieces_that_disagree_are_dropped_together() -> None:
    first, second = packets_of([bytes(2000)])[0]
    other = RtpPacket(96, second.sequence_number, 1, SSRC, second.payload)
    depacketizer = Depacketizer(SSRC)
    assert feed(depacketizer, [first, other]) == []
    assert depacketizer.units_dropped == 1


def test_a_unit_without_end_is_dropped_at_its_bound() -> None:
    depacketizer = Depacketizer(SSRC, max_unit_bytes=1000)
    packets = [RtpPacket(96, n, 0, SSRC, bytes((0x80 if n == 0 else 0,)) + bytes(400)) for n in range(9)]
    assert feed(depacketizer, packets) == []
    assert depacketizer._size == 0


def test_a_packet_of_another_source_is_our_mistake() -> None:
    with pytest.raises(RtpUsageError):
        Depacketizer(SSRC).push(RtpPacket(96, 0, 0, SSRC + 1, b"\xc0a"), 0.0)


def test_nothing_is_not_packetized() -> None:
    with pytest.raises(RtpUsageError):
        Packetizer(SSRC, 96).packetize(b"", 0)
    with pytest.raises(RtpUsageError):
        Packetizer(SSRC, 96, mtu_bytes=23)
