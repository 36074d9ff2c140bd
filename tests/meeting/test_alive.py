"""Alive and behind, under a clock of the test's own."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting.alive import (
    BEACON_INTERVAL_S,
    DRIFT,
    FRESH_S,
    GAP_S,
    LOST_S,
    LOWEST_LEAVES,
    OFFLINE_S,
    UNKNOWN_EPOCH_S,
    VANISHED_S,
    WINDOW_S,
    Beacon,
    Watch,
    beacons,
)
from tests.meeting.cast import PATIENT

NOBODY: frozenset[int] = frozenset()
SESSION = b"a session"[:8]


def watch(*others: int) -> Watch:
    made = Watch(0.0)
    made.expect(frozenset(others), 0.0)
    return made


def beacon(sent: float, session: bytes = SESSION, begun: float = 0.0) -> Beacon:
    """As its sender says it at `sent`, by a session that began at `begun`."""
    return Beacon(session, round((sent - begun) * 1000))


def hear(watched: Watch, leaf: int, at: float, *, sent: float | None = None) -> None:
    watched.heard(leaf, beacon(at if sent is None else sent), at)


def hear_regularly(watched: Watch, leaves: range, start: float, until: float) -> float:
    """All of `leaves`, every two seconds; returns when they were heard last."""
    last, now = start, start + BEACON_INTERVAL_S
    while now <= until:
        for leaf in leaves:
            hear(watched, leaf, now)
        last, now = now, now + BEACON_INTERVAL_S
    return last


def test_the_intervals_are_those_of_the_design() -> None:
    assert (BEACON_INTERVAL_S, WINDOW_S, UNKNOWN_EPOCH_S, VANISHED_S, LOWEST_LEAVES) == (2, 5, 2, 20, 3)


# -- who sends, and what is said --------------------------------------------------------------------


def test_the_hosts_and_the_three_lowest_leaves_send_beacons() -> None:
    assert beacons(frozenset({1, 9}), frozenset(range(10))) == {0, 1, 2, 9}
    assert beacons(frozenset({7}), frozenset({7, 1, 5, 3})) == {1, 3, 5, 7}
    assert beacons(frozenset({0}), frozenset({0, 1, 5, 3})) == {0, 1, 3}
    assert beacons(NOBODY, frozenset({7, 1, 5, 3})) == {1, 3, 5}
    assert beacons(NOBODY, frozenset({2})) == {2}


@given(st.sets(st.integers(0, 50), min_size=2), st.data())
def test_whoever_is_not_alone_hears_somebody(leaves: set[int], data: st.DataObject) -> None:
    hosts = data.draw(st.sets(st.sampled_from(sorted(leaves))))
    for own in leaves:
        assert beacons(frozenset(hosts), frozenset(leaves)) - {own}


def test_a_beacon_survives_its_encoding() -> None:
    said = Beacon(bytes(range(8)), 2**40)
    assert len(said.encode()) == 17
    assert Beacon.decode(said.encode()) == said


@PATIENT
@given(st.binary(max_size=40))
def test_any_other_application_message_is_no_beacon(data: bytes) -> None:
    said = Beacon.decode(data)
    assert said is None or said.encode() == data


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x02" + bytes(16), b"\x01" + bytes(15), b"\x01" + bytes(17)]
)
def test_a_malformed_beacon_is_none(data: bytes) -> None:
    assert Beacon.decode(data) is None


# -- silence ----------------------------------------------------------------------------------------


def test_a_member_that_hears_the_host_is_not_behind() -> None:
    watched = watch(0)
    for i in range(1, 100):
        hear(watched, 0, 2.0 * i)
        assert watched.reason_behind(2.0 * i + 1.9) is None


def test_silence_for_five_seconds_is_noticed_and_not_before() -> None:
    watched = watch(0)
    last = hear_regularly(watched, range(1), 0.0, 20.0)
    assert watched.reason_behind(last + WINDOW_S - 0.1) is None
    assert watched.reason_behind(last + WINDOW_S + 0.1) is not None


def test_silence_from_the_start_is_noticed_after_five_seconds() -> None:
    watched = watch(0)
    assert watched.reason_behind(4.9) is None
    assert watched.reason_behind(5.0) is not None


def test_those_who_are_silent_are_named_the_first_few() -> None:
    watched = watch(0, 1, 2, 3, 4)
    watched.name_of = "room-{}.example.com".format
    hear(watched, 1, 4.0)
    silent = "room-0.example.com, room-2.example.com, room-3.example.com and others"
    assert watched.reason_behind(6.0) == f"not heard for five seconds: {silent}"
    hear(watched, 0, 6.0)
    hear(watched, 2, 6.0)
    hear(watched, 4, 6.0)
    assert watched.reason_behind(7.0) == "not heard for five seconds: room-3.example.com"


def test_one_heard_again_comes_back_at_once() -> None:
    watched = watch(0)
    assert watched.reason_behind(6.0) is not None
    hear(watched, 0, 6.1)
    assert watched.reason_behind(6.2) is None


@pytest.mark.parametrize("silent", range(4))
def test_each_of_those_who_should_is_wanted(silent: int) -> None:
    # One left out is one who could be kept from telling of a Remove.
    watched = watch(*range(4))
    for i in range(1, 16):
        for leaf in {0, 1, 2, 3} - {silent}:
            hear(watched, leaf, 2.0 * i)
    assert watched.reason_behind(30.0) is not None
    hear(watched, silent, 30.0)
    assert watched.reason_behind(30.0) is None


def test_a_beacon_by_somebody_who_sends_none_counts_for_nothing() -> None:
    watched = watch(0)
    for i in range(1, 10):
        hear(watched, 5, 2.0 * i)
    assert watched.reason_behind(18.0) is not None


def test_who_is_alone_expects_none() -> None:
    assert watch().reason_behind(1000.0) is None


def test_a_member_that_begins_to_expect_beacons_gives_them_five_seconds() -> None:
    watched = watch()
    watched.expect(frozenset({1}), 100.0)
    assert watched.reason_behind(104.9) is None
    assert watched.reason_behind(105.0) is not None


def test_a_beacon_that_joins_is_given_time_too() -> None:
    watched = watch(0)
    last = hear_regularly(watched, range(1), 0.0, 20.0)
    watched.expect(frozenset(range(8)), last)
    hear(watched, 0, last + 2.0)
    hear(watched, 0, last + 4.0)
    assert watched.reason_behind(last + 4.5) is None
    assert watched.reason_behind(last + 5.5) is not None


def test_a_leaf_that_another_has_taken_is_given_time_and_has_not_vanished() -> None:
    watched = watch(0, 1)
    hear_regularly(watched, range(1), 0.0, 40.0)
    assert watched.vanished(40.0) == {1}
    watched.expect(frozenset({0, 1}), 40.0, fresh=frozenset({1}))
    assert watched.vanished(40.0) == NOBODY
    assert watched.reason_behind(44.0) is None
    hear(watched, 0, 45.0)
    assert watched.reason_behind(45.0) is not None


# -- late beacons -----------------------------------------------------------------------------------


def test_beacons_kept_back_and_handed_out_later_are_as_old_as_they_are_late() -> None:
    watched = watch(0)
    kept = []
    for i in range(1, 41):
        if i % 2:
            kept.append(2.0 * i)
        else:
            hear(watched, 0, 2.0 * i)
            assert watched.reason_behind(2.0 * i) is None
    for i, sent in enumerate(kept):
        hear(watched, 0, 80.0 + i, sent=sent)
    assert watched.reason_behind(80.0 + WINDOW_S + 0.1) is not None


def test_a_delay_that_grows_little_by_little_is_noticed_when_it_is_five_seconds() -> None:
    # Stored and handed out at half the speed.
    watched = watch(0)
    hear_regularly(watched, range(1), 0.0, 20.0)
    noticed = None
    for i in range(1, 40):
        at, sent = 20.0 + 2.0 * i, 20.0 + 1.0 * i
        hear(watched, 0, at, sent=sent)
        if watched.reason_behind(at) is not None:
            noticed = at - sent
            break
    assert noticed is not None
    assert noticed <= WINDOW_S + 1.1


def test_a_beacon_late_by_less_than_the_window_is_no_alarm() -> None:
    watched, rng = watch(0), random.Random(5)
    for i in range(1, 200):
        sent = 2.0 * i
        hear(watched, 0, sent + rng.uniform(0.0, 1.4), sent=sent)
        assert watched.reason_behind(sent + 1.5) is None


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_clocks_that_drift_raise_no_alarm_in_ten_hours(drift: float) -> None:
    watched = watch(0)
    for i in range(1, 5 * 3600):
        now = 2.0 * i
        hear(watched, 0, now + 0.05, sent=now * (1 + drift))
        assert watched.reason_behind(now + 1.9) is None
    assert abs(drift) < DRIFT


def test_a_session_that_began_anew_counts_from_its_own_beginning() -> None:
    watched = watch(0)
    last = hear_regularly(watched, range(1), 0.0, 100.0)
    watched.heard(0, beacon(last + 3, b"another!", begun=last + 2.5), last + 3)
    assert watched.reason_behind(last + 3 + WINDOW_S - 0.1) is None


# -- frames of an unknown epoch ---------------------------------------------------------------------


def unknown_frames(watched: Watch, start: float, end: float) -> float:
    """Ten a second; the time of the last."""
    for tenth in range(round((end - start) * 10) + 1):
        watched.unknown_epoch(start + tenth / 10)
    return end


def test_frames_of_an_unknown_epoch_for_two_seconds_are_noticed_sooner_than_silence() -> None:
    watched = watch(0)
    hear(watched, 0, 10.0)
    assert watched.reason_behind(unknown_frames(watched, 11.0, 12.9)) is None
    assert watched.reason_behind(unknown_frames(watched, 13.0, 13.1)) is not None
    assert watched.is_in_doubt(13.1)


def test_whoever_has_a_fresh_beacon_believes_no_such_frame() -> None:
    watched = watch(0, 1)
    for second in range(0, 60, 2):
        hear(watched, 0, float(second))
        hear(watched, 1, float(second))
        unknown_frames(watched, second + 0.1, second + 1.9)
        assert watched.reason_behind(second + 1.9) is None
        assert not watched.is_in_doubt(second + 1.9)
        assert not watched.is_lost(second + 1.9)
    assert FRESH_S > BEACON_INTERVAL_S


def test_frames_of_an_unknown_epoch_beside_fresh_beacons_do_not_add_up_to_being_lost() -> None:
    watched = watch(0)
    for second in range(0, 31, 2):
        hear(watched, 0, float(second))
        unknown_frames(watched, second + 0.5, second + 1.5)
    # The next beacon is late.
    watched.unknown_epoch(32.55)
    assert not watched.is_lost(32.6)


def test_who_is_alone_gives_up_nothing_for_such_frames() -> None:
    watched = watch()
    unknown_frames(watched, 0.0, 60.0)
    assert watched.reason_behind(60.0) is None
    assert not watched.is_lost(60.0)


def test_now_and_then_a_frame_of_an_unknown_epoch_means_nothing() -> None:
    watched = watch(0)
    for i in range(10):
        watched.expect(NOBODY, 5.1 * i)
        watched.expect(frozenset({0}), 5.1 * i)
        watched.unknown_epoch(5.1 * i)
        assert watched.reason_behind(5.1 * i) is None
        assert not watched.is_lost(5.1 * i)


def test_one_beacon_after_another_of_an_unknown_epoch_is_enough_to_be_lost() -> None:
    watched = watch(0)
    for i in range(8):
        watched.unknown_epoch(2.1 * i)
        assert not watched.is_lost(2.1 * i)
    watched.unknown_epoch(2.1 * 8)
    assert watched.is_lost(2.1 * 8)


def test_the_next_epoch_ends_the_doubt() -> None:
    watched = watch(0)
    unknown_frames(watched, 0.0, 2.0)
    assert watched.reason_behind(2.0) is not None
    watched.advanced()
    assert watched.reason_behind(2.0) is None


def test_an_unknown_epoch_for_fifteen_seconds_is_waited_out_no_longer() -> None:
    watched = watch(0)
    assert not watched.is_lost(unknown_frames(watched, 0.0, LOST_S - 0.1))
    assert watched.is_lost(unknown_frames(watched, LOST_S, LOST_S + 0.1))


# -- the connection, and the log --------------------------------------------------------------------


def test_a_lost_connection_is_noticed_after_two_seconds_and_forgotten_when_it_is_back() -> None:
    watched = watch()
    watched.connection(False, 10.0)
    watched.connection(False, 11.0)
    assert watched.reason_behind(10.0 + OFFLINE_S - 0.1) is None
    assert watched.reason_behind(10.0 + OFFLINE_S) is not None
    watched.connection(True, 13.0)
    assert watched.reason_behind(13.0) is None


def test_a_gap_in_the_log_is_noticed_after_two_seconds_and_given_up_after_fifteen() -> None:
    watched = watch()
    watched.gap(10.0)
    assert watched.reason_behind(10.0 + GAP_S - 0.1) is None
    assert watched.reason_behind(10.0 + GAP_S) is not None
    assert not watched.is_lost(10.0 + LOST_S - 0.1)
    assert watched.is_lost(10.0 + LOST_S)
    watched.connection(False, 11.0)
    assert not watched.is_lost(10.0 + LOST_S)
    watched.connection(True, 12.0)
    watched.gap(None)
    assert watched.reason_behind(12.0) is None


# -- vanished ---------------------------------------------------------------------------------------


def test_who_is_silent_for_twenty_seconds_has_vanished() -> None:
    watched = watch(0, 1)
    last = hear_regularly(watched, range(2), 0.0, 20.0)
    hear_regularly(watched, range(1), last, last + 40.0)
    assert watched.vanished(last + VANISHED_S - 0.1) == NOBODY
    assert watched.vanished(last + VANISHED_S) == {1}


def test_nobody_has_vanished_for_one_who_is_or_was_just_offline() -> None:
    watched = watch(0)
    hear(watched, 0, 2.0)
    watched.connection(False, 4.0)
    assert watched.vanished(60.0) == NOBODY
    watched.connection(True, 60.0)
    assert watched.vanished(60.0 + VANISHED_S - 0.1) == NOBODY
    assert watched.vanished(60.0 + VANISHED_S) == {0}


def test_repr_shows_who_is_expected() -> None:
    assert repr(watch(2, 1)) == "Watch(beacons=[1, 2])"


def test_of_two_that_are_alone_the_host_waits_longer_for_the_other() -> None:
    watch = Watch(0.0)
    for at in range(0, 13, 2):
        watch.another_group(float(at))
    assert watch.is_another_group_there(12.0)
    assert not watch.is_another_group_there(12.0, is_host=True)
    for at in range(14, 23, 2):
        watch.another_group(float(at))
    assert watch.is_another_group_there(22.0, is_host=True)
