"""The keyring's policy, with time handed in.

Ana is leaf 0, Ben leaf 1, Cleo leaf 2. `Group` gives each the keys of an epoch.
"""

from dataclasses import dataclass, field

import pytest

from conclaved.sframe import (
    EpochKeys,
    Header,
    Held,
    KeyGoneError,
    MediaKeyring,
    Opened,
    Refusal,
    ReplayError,
    SframeRemoteError,
    SframeUsageError,
    UnknownKeyError,
)
from conclaved.sframe.header import decode
from conclaved.sframe.keyring import HOLD_MAX_BYTES, HOLD_MAX_FRAMES

ANA, BEN, CLEO = 0, 1, 2
ALL = frozenset({ANA, BEN, CLEO})


def keys(
    epoch: int,
    own: int,
    members: frozenset[int] = ALL,
    removed: frozenset[int] = frozenset(),
    leaves: int = 3,
) -> EpochKeys:
    return EpochKeys(epoch, epoch.to_bytes(16, "big"), leaves, own, members, removed)


@dataclass
class Group:
    """Keyrings of three members."""

    rings: dict[int, MediaKeyring] = field(default_factory=lambda: {leaf: MediaKeyring() for leaf in ALL})

    def advance(
        self,
        epoch: int,
        now: float,
        members: frozenset[int] = ALL,
        removed: frozenset[int] = frozenset(),
        only: frozenset[int] | None = None,
    ) -> None:
        for leaf in members if only is None else only:
            self.rings[leaf].advance(keys(epoch, leaf, members, removed), now)

    def send(self, leaf: int, frame: bytes, now: float, context: int = 0) -> bytes:
        return self.rings[leaf].protect(context, frame, b"meta", now)

    def open(self, leaf: int, sealed: bytes, now: float) -> Opened | Held:
        return self.rings[leaf].unprotect(sealed, b"meta", now)

    def refusal(self, leaf: int, sealed: bytes, now: float) -> Refusal:
        before = self.rings[leaf].counts
        with pytest.raises(SframeRemoteError) as caught:
            self.open(leaf, sealed, now)
        after = self.rings[leaf].counts
        reason = caught.value.refusal
        assert after.refused[reason] == before.refused[reason] + 1
        assert after.opened == before.opened
        return reason


@pytest.fixture
def group() -> Group:
    made = Group()
    made.advance(1, 0.0)
    return made


def test_a_frame_opens_with_the_origin_that_its_kid_proves(group: Group) -> None:
    sealed = group.send(BEN, b"frame", 0.0, context=1)
    assert group.open(ANA, sealed, 0.0) == Opened(1, BEN, 1, 0, b"frame", b"meta")


def test_a_sender_switches_at_once(group: Group) -> None:
    group.advance(2, 1.0)
    assert decode(group.send(ANA, b"frame", 1.0))[0].kid % 256 == 2


def test_counters_start_anew_in_each_stream(group: Group) -> None:
    headers = [decode(group.send(ANA, b"frame", 0.0, context))[0] for context in (0, 1, 0)]
    assert [h.ctr for h in headers] == [0, 0, 1]
    assert len({h.kid for h in headers}) == 2


@pytest.mark.parametrize("epoch", [0, 1])
def test_an_epoch_is_never_entered_twice_or_left_backwards(group: Group, epoch: int) -> None:
    sealed = group.send(BEN, b"frame", 0.0)
    with pytest.raises(SframeUsageError):
        group.rings[ANA].advance(keys(epoch, ANA), 0.0)
    assert isinstance(group.open(ANA, sealed, 0.0), Opened)


def test_an_old_epoch_opens_until_the_grace_ends_and_not_after(group: Group) -> None:
    sealed = [group.send(BEN, b"frame", 0.0) for _ in range(2)]
    group.advance(2, 1.0)
    assert isinstance(group.open(ANA, sealed[0], 10.99), Opened)
    assert group.refusal(ANA, sealed[1], 11.0) is Refusal.EPOCH_GONE


def test_a_remove_shortens_the_grace_of_every_older_epoch(group: Group) -> None:
    first = [group.send(BEN, b"1", 0.0) for _ in range(2)]
    group.advance(2, 0.5)
    second = [group.send(BEN, b"2", 0.5, context=1) for _ in range(2)]
    group.advance(3, 1.0, frozenset({ANA, BEN}), frozenset({CLEO}))
    assert isinstance(group.open(ANA, first[0], 2.99), Opened)
    assert isinstance(group.open(ANA, second[0], 2.99), Opened)
    assert group.refusal(ANA, first[1], 3.0) is Refusal.EPOCH_GONE
    assert group.refusal(ANA, second[1], 3.0) is Refusal.EPOCH_GONE


def test_a_later_commit_never_lengthens_a_grace(group: Group) -> None:
    sealed = group.send(BEN, b"frame", 0.0)
    group.advance(2, 1.0, frozenset({ANA, BEN}), frozenset({CLEO}))
    group.advance(3, 1.5, frozenset({ANA, BEN}))
    assert group.refusal(ANA, sealed, 3.0) is Refusal.EPOCH_GONE


def test_a_removed_members_frames_are_refused_at_once(group: Group) -> None:
    sealed = group.send(CLEO, b"frame", 0.0)
    group.advance(2, 1.0, frozenset({ANA, BEN}), frozenset({CLEO}))
    assert group.refusal(ANA, sealed, 1.0) is Refusal.REMOVED_SENDER


def test_a_member_that_is_missing_counts_as_removed(group: Group) -> None:
    sealed = group.send(CLEO, b"frame", 0.0)
    group.advance(2, 1.0, frozenset({ANA, BEN}))
    assert group.refusal(ANA, sealed, 1.0) is Refusal.REMOVED_SENDER


def test_a_leaf_given_anew_by_the_same_commit_speaks_only_in_the_new_epoch(group: Group) -> None:
    old = group.send(CLEO, b"old", 0.0)
    group.advance(2, 1.0, ALL, frozenset({CLEO}))
    new = group.send(CLEO, b"new", 1.0)
    assert group.refusal(ANA, old, 1.0) is Refusal.REMOVED_SENDER
    assert isinstance(group.open(ANA, new, 1.0), Opened)


def test_a_stream_that_moved_on_is_closed_in_the_old_epoch_half_a_second_later(group: Group) -> None:
    late = [group.send(BEN, b"late", 0.0) for _ in range(2)]
    group.advance(2, 1.0)
    group.open(ANA, group.send(BEN, b"new", 1.0), 2.0)
    assert isinstance(group.open(ANA, late[0], 2.49), Opened)
    assert group.refusal(ANA, late[1], 2.5) is Refusal.STREAM_MOVED


def test_a_stream_that_moved_on_closes_no_other_stream(group: Group) -> None:
    camera = group.send(BEN, b"camera", 0.0, context=1)
    cleo = group.send(CLEO, b"voice", 0.0)
    group.advance(2, 1.0)
    group.open(ANA, group.send(BEN, b"voice", 1.0), 2.0)
    assert isinstance(group.open(ANA, camera, 3.0), Opened)
    assert isinstance(group.open(ANA, cleo, 3.0), Opened)


def test_a_forged_frame_in_the_new_epoch_closes_nothing(group: Group) -> None:
    late = group.send(BEN, b"late", 0.0)
    group.advance(2, 1.0)
    true = group.send(BEN, b"new", 1.0)
    forged = true[:-1] + bytes((true[-1] ^ 1,))
    assert group.refusal(ANA, forged, 1.0) is Refusal.FORGED
    assert isinstance(group.open(ANA, late, 5.0), Opened)


def test_a_frame_of_a_coming_epoch_waits_and_is_opened_by_it(group: Group) -> None:
    group.advance(2, 1.0, only=frozenset({BEN}))
    sealed = group.send(BEN, b"early", 1.0)
    assert group.open(ANA, sealed, 1.0) == Held(2)
    assert group.rings[ANA].advance(keys(2, ANA), 1.49) == (Opened(0, BEN, 2, 0, b"early", b"meta"),)
    assert group.refusal(ANA, sealed, 1.49) is Refusal.REPLAYED


def test_a_frame_waits_half_a_second_and_no_longer(group: Group) -> None:
    group.advance(2, 1.0, only=frozenset({BEN}))
    group.open(ANA, group.send(BEN, b"early", 1.0), 1.0)
    assert group.rings[ANA].advance(keys(2, ANA), 1.5) == ()
    assert group.rings[ANA].counts.expired == 1


def test_a_frame_waits_on_through_an_epoch_that_is_not_its_own(group: Group) -> None:
    group.advance(2, 1.0, only=frozenset({BEN}))
    group.advance(3, 1.0, only=frozenset({BEN}))
    group.open(ANA, group.send(BEN, b"early", 1.0), 1.0)
    assert group.rings[ANA].advance(keys(2, ANA), 1.1) == ()
    assert len(group.rings[ANA].advance(keys(3, ANA), 1.2)) == 1
    assert group.rings[ANA].counts.held == 1


def test_before_the_first_epoch_frames_wait() -> None:
    group = Group()
    group.advance(1, 0.0, only=frozenset({BEN}))
    assert group.open(ANA, group.send(BEN, b"early", 0.0), 0.0) == Held(1)
    assert len(group.rings[ANA].advance(keys(1, ANA), 0.1)) == 1


def test_a_waiting_forgery_is_refused_when_its_epoch_comes(group: Group) -> None:
    group.advance(2, 1.0, only=frozenset({BEN}))
    sealed = group.send(BEN, b"early", 1.0)
    group.open(ANA, sealed[:-1] + bytes((sealed[-1] ^ 1,)), 1.0)
    assert group.rings[ANA].advance(keys(2, ANA), 1.1) == ()
    assert group.rings[ANA].counts.refused[Refusal.FORGED] == 1


def test_frames_that_wait_are_bounded_in_number(group: Group) -> None:
    for ctr in range(HOLD_MAX_FRAMES):
        assert group.open(ANA, Header(2, ctr).encode() + bytes(20), 0.0) == Held(2)
    assert group.refusal(ANA, Header(2, 999).encode() + bytes(20), 0.0) is Refusal.UNKNOWN_EPOCH
    assert group.rings[ANA].counts.frames_waiting == HOLD_MAX_FRAMES


def test_frames_that_wait_are_bounded_in_bytes(group: Group) -> None:
    assert group.open(ANA, Header(2, 0).encode() + bytes(HOLD_MAX_BYTES - 100), 0.0) == Held(2)
    assert group.refusal(ANA, Header(2, 1).encode() + bytes(200), 0.0) is Refusal.UNKNOWN_EPOCH
    assert isinstance(group.open(ANA, Header(2, 1).encode() + bytes(200), 0.5), Held)


def test_a_frame_of_a_past_epoch_never_waits(group: Group) -> None:
    sealed = group.send(BEN, b"frame", 0.0)
    group.advance(2, 0.0)
    assert group.refusal(ANA, sealed, 20.0) is Refusal.EPOCH_GONE


def test_our_own_frames_are_refused_when_they_come_back(group: Group) -> None:
    assert group.refusal(ANA, group.send(ANA, b"frame", 0.0), 0.0) is Refusal.OWN


def test_a_leaf_that_is_no_member_is_refused() -> None:
    group = Group()
    members = frozenset({ANA, BEN})
    group.advance(1, 0.0, members)
    group.rings[CLEO].advance(keys(1, CLEO), 0.0)
    assert group.refusal(ANA, group.send(CLEO, b"frame", 0.0), 0.0) is Refusal.UNKNOWN_SENDER


def test_a_stream_that_nobody_has_is_refused(group: Group) -> None:
    kid = (8 << 10) | (BEN << 8) | 1
    assert group.refusal(ANA, Header(kid, 0).encode() + bytes(20), 0.0) is Refusal.UNKNOWN_STREAM
    with pytest.raises(SframeUsageError):
        group.send(BEN, b"frame", 0.0, context=8)


def test_a_replay_is_refused(group: Group) -> None:
    sealed = group.send(BEN, b"frame", 0.0)
    group.open(ANA, sealed, 0.0)
    with pytest.raises(ReplayError):
        group.open(ANA, sealed, 0.0)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x90\x01\x01\x00"])
def test_garbage_is_malformed(group: Group, data: bytes) -> None:
    assert group.refusal(ANA, data, 0.0) is Refusal.MALFORMED


def test_the_newest_epoch_wins_where_low_bits_meet(group: Group) -> None:
    old = group.send(BEN, b"old", 0.0)
    group.advance(257, 0.0)
    new = group.send(BEN, b"new", 0.0)
    opened = group.open(ANA, new, 0.0)
    assert isinstance(opened, Opened)
    assert opened.epoch == 257
    assert group.refusal(ANA, old, 0.0) in {Refusal.FORGED, Refusal.REPLAYED}


def test_epochs_of_different_tree_sizes_read_their_own_kids() -> None:
    ana, ben = MediaKeyring(), MediaKeyring()
    two = frozenset({0, 1})
    for ring, own in ((ana, 0), (ben, 1)):
        ring.advance(keys(1, own, two, leaves=2), 0.0)
    before = ben.protect(1, b"before", b"", 0.0)
    for ring, own in ((ana, 0), (ben, 1)):
        ring.advance(keys(2, own, two | {40}, leaves=64), 0.0)
    after = ben.protect(1, b"after", b"", 0.0)
    opened = [ana.unprotect(sealed, b"", 0.0) for sealed in (before, after)]
    assert [(o.leaf_index, o.context_id) for o in opened if isinstance(o, Opened)] == [(1, 1), (1, 1)]


def test_poll_says_when_something_is_due_and_erases_it(group: Group) -> None:
    ring = group.rings[ANA]
    assert ring.poll(0.0) is None
    group.open(ANA, group.send(BEN, b"old", 0.0), 0.0)
    group.advance(2, 1.0)
    assert ring.poll(1.0) == 11.0
    group.open(ANA, group.send(BEN, b"new", 1.0), 2.0)
    assert ring.poll(2.0) == 2.5
    assert ring.poll(2.5) == 11.0
    assert ring.counts.epochs_live == 2
    assert ring.poll(11.0) is None
    assert ring.counts.epochs_live == 1


def test_what_is_erased_is_overwritten(group: Group) -> None:
    ring = group.rings[ANA]
    (epoch,) = ring._epochs.values()
    key = epoch._base_key
    assert any(key)
    group.advance(2, 0.0)
    ring.poll(10.0)
    assert not any(key)


def test_a_base_key_in_a_bytearray_is_moved_in(group: Group) -> None:
    base_key = bytearray(b"\x07" * 16)
    group.rings[ANA].advance(EpochKeys(2, base_key, 3, ANA, ALL), 0.0)
    assert not any(base_key)
    group.rings[BEN].advance(EpochKeys(2, b"\x07" * 16, 3, BEN, ALL), 0.0)
    assert isinstance(group.open(ANA, group.send(BEN, b"frame", 0.0), 0.0), Opened)


def test_a_closed_keyring_is_gone(group: Group) -> None:
    ring = group.rings[ANA]
    sealed = group.send(BEN, b"frame", 0.0)
    ring.close()
    ring.close()
    for attempt in (
        lambda: ring.protect(0, b"", b"", 0.0),
        lambda: ring.unprotect(sealed, b"meta", 0.0),
        lambda: ring.poll(0.0),
        lambda: ring.advance(keys(2, ANA), 0.0),
    ):
        with pytest.raises(KeyGoneError):
            attempt()


def test_nothing_is_sent_before_the_first_epoch() -> None:
    with pytest.raises(SframeUsageError):
        MediaKeyring().protect(0, b"frame", b"", 0.0)


def test_neither_keys_nor_frames_are_shown(group: Group) -> None:
    secret = b"\xaa" * 16
    shown = repr(EpochKeys(9, secret, 3, ANA, ALL)) + repr(group.rings[ANA])
    assert "xaa" not in shown
    assert "frame" not in repr(group.open(ANA, group.send(BEN, b"frame", 0.0), 0.0))


@pytest.mark.parametrize(
    ("own", "members", "leaves", "key"),
    [
        (3, ALL, 4, b"k"),
        (0, ALL, 2, b"k"),
        (0, ALL, 3, b""),
    ],
)
def test_impossible_epoch_keys_are_refused(
    own: int, members: frozenset[int], leaves: int, key: bytes
) -> None:
    with pytest.raises(SframeUsageError):
        EpochKeys(1, key, leaves, own, members)


def test_an_unknown_key_error_names_the_kid(group: Group) -> None:
    with pytest.raises(UnknownKeyError, match="unknown_stream"):
        group.open(ANA, Header((9 << 10) | 1 << 8 | 1, 0).encode() + bytes(20), 0.0)
