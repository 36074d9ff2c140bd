"""What the receiver makes of packets, without sockets and with time handed in."""

from dataclasses import dataclass, field

import pytest

from conclave_hal.media import EncodedFrame
from conclaved.media import receiving
from conclaved.media.playback import StreamPlayer
from conclaved.media.receiving import PLI_INTERVAL_S, VIDEO_WAIT_S, Receiver
from conclaved.media.streams import StreamContext, metadata_of
from conclaved.rtp import Packetizer, RtpPacket
from conclaved.sframe import MediaKeyring, Refusal
from conclaved.sframe.keyring import HOLD_MAX_FRAMES
from tests.media.rooms import FakeScreen, delta_picture, epoch_keys, key_picture

ANA, BEN, CLEO = 0, 1, 2
ALL = frozenset({ANA, BEN, CLEO})
CAMERA = StreamContext.CAMERA


class RecordingPlayer(StreamPlayer):
    """Keeps frames instead of playing them."""

    def __init__(self, name: str, played: list[tuple[str, bytes]]) -> None:
        super().__init__(name, FakeScreen(), lambda: None)
        self._played = played

    def play(self, frame: EncodedFrame) -> None:
        self._played.append((self.name, frame.data))


@dataclass
class Desk:
    """Ana's receiver, and everybody's keyrings."""

    rings: dict[int, MediaKeyring] = field(default_factory=lambda: {leaf: MediaKeyring() for leaf in ALL})
    played: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    heard: list[tuple[int, int]] = field(default_factory=list)
    unknown: int = 0

    def __post_init__(self) -> None:
        for leaf in ALL:
            self.rings[leaf].advance(epoch_keys(1, leaf, ALL), 0.0)
        self.receiver = Receiver(
            self.rings[ANA],
            make_player=lambda name, context, on_undecodable: RecordingPlayer(name, self.played),
            request_keyframe=self.asked.append,
            on_authenticated=lambda leaf, epoch: self.heard.append((leaf, epoch)),
            on_unknown_epoch=self._count_unknown,
        )
        self.pipes = {ssrc: Packetizer(ssrc, 96) for ssrc in (11, 22)}

    def _count_unknown(self) -> None:
        self.unknown += 1

    def seal(self, leaf: int, frame: EncodedFrame, ssrc: int = 11, context: int = CAMERA) -> list[RtpPacket]:
        sealed = self.rings[leaf].protect(context, frame.data, metadata_of(frame.timestamp), 0.0)
        return self.pipes[ssrc].packetize(sealed, frame.timestamp)

    def take(self, packets: list[RtpPacket], now: float = 0.0) -> None:
        for packet in packets:
            self.receiver.take(packet, now)


def test_a_frame_belongs_to_its_authenticated_sender_whatever_the_ssrc() -> None:
    desk = Desk()
    ben, cleo = key_picture(b"ben"), key_picture(b"cleo")
    desk.take(desk.seal(BEN, ben, ssrc=11))
    desk.take(desk.seal(CLEO, cleo, ssrc=11))
    desk.take(desk.seal(BEN, ben, ssrc=22))
    assert desk.played == [("1/1", ben.data), ("2/1", cleo.data), ("1/1", ben.data)]
    assert desk.heard == [(BEN, 1), (CLEO, 1)]


def test_video_begins_with_a_keyframe_which_is_asked_for() -> None:
    desk = Desk()
    desk.take(desk.seal(BEN, delta_picture(b"1")))
    assert (desk.played, desk.asked) == ([], [11])
    desk.take(desk.seal(BEN, key_picture(b"2")))
    assert len(desk.played) == 1


def test_after_a_lost_packet_nothing_is_shown_until_a_keyframe() -> None:
    desk = Desk()
    desk.take(desk.seal(BEN, key_picture(b"1")))
    lost = desk.seal(BEN, delta_picture(bytes(3000)))
    desk.take(lost[:1] + lost[2:])
    desk.take(desk.seal(BEN, delta_picture(b"3")))
    desk.receiver.tick(VIDEO_WAIT_S)
    assert (len(desk.played), desk.asked) == (1, [11])
    desk.take(desk.seal(BEN, key_picture(b"4")), VIDEO_WAIT_S)
    desk.take(desk.seal(BEN, delta_picture(b"5")), VIDEO_WAIT_S)
    assert [data[-1:] for _, data in desk.played] == [b"1", b"4", b"5"]
    assert desk.receiver.units_dropped == 1


def test_a_frame_withheld_by_the_relay_is_noticed_by_the_counter() -> None:
    desk = Desk()
    desk.take(desk.seal(BEN, key_picture(b"1")))
    desk.rings[BEN].protect(CAMERA, b"withheld, and the sequence numbers closed over it", b"", 0.0)
    desk.take(desk.seal(BEN, delta_picture(b"3")))
    assert (len(desk.played), desk.asked) == (1, [11])


def test_a_new_epoch_alone_is_no_hole() -> None:
    desk = Desk()
    desk.take(desk.seal(BEN, key_picture(b"1")))
    for leaf in ALL:
        desk.rings[leaf].advance(epoch_keys(2, leaf, ALL), 0.0)
    desk.take(desk.seal(BEN, delta_picture(b"2")))
    assert len(desk.played) == 2
    assert desk.heard == [(BEN, 1), (BEN, 2)]


def test_keyframes_are_asked_for_at_a_bounded_rate() -> None:
    desk = Desk()
    for _ in range(9):
        desk.take(desk.seal(BEN, delta_picture(b"")))
    assert len(desk.asked) == 1
    desk.take(desk.seal(BEN, delta_picture(b"")), PLI_INTERVAL_S)
    assert len(desk.asked) == 2


def test_a_changed_timestamp_is_refused() -> None:
    desk = Desk()
    (packet,) = desk.seal(BEN, key_picture(b"1", 100))
    moved = RtpPacket(96, packet.sequence_number, 101, packet.ssrc, packet.payload, marker=True)
    desk.take([moved])
    assert desk.played == []
    assert desk.rings[ANA].counts.refused[Refusal.FORGED] == 1


def test_a_stream_of_an_unknown_kind_is_authenticated_and_ignored() -> None:
    desk = Desk()
    desk.take(desk.seal(BEN, key_picture(b"?"), context=5))
    assert (desk.played, desk.heard) == ([], [(BEN, 1)])


def test_pipes_are_bounded_and_the_longest_unused_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_PIPES", 3)
    desk = Desk()
    for ssrc, now in ((1, 0.0), (2, 1.0), (3, 2.0), (1, 3.0), (4, 4.0)):
        desk.take([RtpPacket(96, 0, 0, ssrc, b"")], now)
    assert set(desk.receiver._pipes) == {1, 3, 4}


def test_a_frame_of_an_unknown_epoch_is_told_also_when_no_more_can_wait() -> None:
    desk = Desk()
    for leaf in (BEN, CLEO):
        desk.rings[leaf].advance(epoch_keys(2, leaf, ALL), 0.0)
    for _ in range(HOLD_MAX_FRAMES + 1):
        desk.take(desk.seal(BEN, key_picture(b"early")))
    assert desk.unknown == HOLD_MAX_FRAMES + 1


def test_an_idle_pipe_is_forgotten_and_its_losses_are_not() -> None:
    desk = Desk()
    packets = [desk.seal(BEN, key_picture(b"1"))[0] for _ in range(3)]
    desk.take([packets[0], packets[2]])
    desk.receiver.tick(1.0)
    desk.receiver.tick(100.0)
    assert desk.receiver._pipes == {}
    assert desk.receiver.packets_lost == 1
