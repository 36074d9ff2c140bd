"""Alive and behind, under a clock of the test's own."""

import pytest

from conclaved.meeting.alive import (
    BEACON_INTERVAL_S,
    BEACONS_WITHOUT_HOST,
    OFFLINE_S,
    UNKNOWN_EPOCH_S,
    WINDOW_S,
    Watch,
    beacons,
)

NOBODY: frozenset[int] = frozenset()


def watch(*others: int) -> Watch:
    made = Watch(0.0)
    made.expect(frozenset(others), 0.0)
    return made


def hear_regularly(watched: Watch, leaf: int, until: float, every: float = BEACON_INTERVAL_S) -> float:
    now = 0.0
    while now + every <= until:
        now += every
        watched.heard(leaf, now)
    return now


def test_the_intervals_are_those_of_the_design() -> None:
    assert (BEACON_INTERVAL_S, WINDOW_S, UNKNOWN_EPOCH_S, BEACONS_WITHOUT_HOST) == (2.0, 5.0, 2.0, 3)


def test_hosts_send_beacons_and_the_three_lowest_where_there_is_none() -> None:
    assert beacons(frozenset({4, 9}), frozenset(range(10))) == {4, 9}
    assert beacons(NOBODY, frozenset({7, 1, 5, 3})) == {1, 3, 5}
    assert beacons(NOBODY, frozenset({2})) == {2}


def test_a_member_that_hears_the_host_is_not_behind() -> None:
    watched = watch(0)
    for i in range(1, 100):
        watched.heard(0, 2.0 * i)
        assert watched.reason_behind(2.0 * i + 1.9) is None


def test_silence_for_five_seconds_is_noticed_and_not_before() -> None:
    watched = watch(0)
    last = hear_regularly(watched, 0, 20.0)
    assert watched.reason_behind(last + 1.0) is None
    assert watched.reason_behind(last + WINDOW_S + 0.1) is not None


def test_silence_from_the_start_is_noticed_after_five_seconds() -> None:
    watched = watch(0)
    assert watched.reason_behind(4.9) is None
    assert watched.reason_behind(5.0) is not None


def test_more_than_half_missing_is_noticed() -> None:
    watched = watch(0)
    hear_regularly(watched, 0, 59.0, every=6.0)
    assert watched.reason_behind(59.5) is not None


def test_one_heard_again_comes_back() -> None:
    watched = watch(0)
    assert watched.reason_behind(6.0) is not None
    watched.heard(0, 6.1)
    watched.heard(0, 8.1)
    assert watched.reason_behind(8.2) is None


@pytest.mark.parametrize("count", [3, 4, 6])
def test_with_several_beacons_more_than_half_of_all_of_them_is_wanted(count: int) -> None:
    # What the service may hold back it can hand out later, when it hides a Remove.
    watched = watch(*range(count))
    for i in range(1, 16):
        watched.heard(0, 2.0 * i)
    assert watched.reason_behind(30.0) is not None
    for i in range(15, 25):
        for leaf in range(count):
            watched.heard(leaf, 2.0 * i)
    assert watched.reason_behind(49.0) is None


def test_one_host_of_three_that_is_gone_does_not_drop_the_lock() -> None:
    watched = watch(0, 1, 2)
    for i in range(1, 16):
        watched.heard(0, 2.0 * i)
        watched.heard(1, 2.0 * i + 0.5)
    assert watched.reason_behind(30.6) is None


def test_one_beacon_ten_times_is_not_ten_beacons() -> None:
    watched = watch(0, 1, 2)
    for i in range(10):
        watched.heard(0, 10.0 + i / 10)
    assert watched.reason_behind(11.0) is not None


def test_a_beacon_by_somebody_who_sends_none_counts_for_nothing() -> None:
    watched = watch(0)
    for i in range(1, 10):
        watched.heard(5, 2.0 * i)
    assert watched.reason_behind(18.0) is not None


def test_who_is_the_only_beacon_expects_none() -> None:
    assert watch().reason_behind(1000.0) is None


def test_a_member_that_begins_to_expect_beacons_gives_them_five_seconds() -> None:
    watched = watch()
    watched.expect(frozenset({1}), 100.0)
    assert watched.reason_behind(104.9) is None
    assert watched.reason_behind(105.0) is not None


def test_a_beacon_that_joins_is_given_time_too() -> None:
    watched = watch(0)
    last = hear_regularly(watched, 0, 20.0)
    watched.expect(frozenset(range(8)), last)
    for i in range(1, 3):
        watched.heard(0, last + 2.0 * i)
    assert watched.reason_behind(last + 4.5) is None


def test_frames_of_an_unknown_epoch_for_two_seconds_are_noticed() -> None:
    watched = watch()
    for tenth in range(20):
        watched.unknown_epoch(10.0 + tenth / 10)
    assert watched.reason_behind(12.0) is None
    watched.unknown_epoch(12.0)
    assert watched.reason_behind(12.0) is not None


def test_now_and_then_a_frame_of_an_unknown_epoch_means_nothing() -> None:
    watched = watch()
    for i in range(10):
        watched.unknown_epoch(10.0 + 3 * i)
        assert watched.reason_behind(10.0 + 3 * i) is None


def test_the_next_epoch_ends_the_doubt() -> None:
    watched = watch()
    watched.unknown_epoch(10.0)
    watched.unknown_epoch(12.0)
    assert watched.reason_behind(12.0) is not None
    watched.advanced()
    assert watched.reason_behind(12.0) is None


def test_a_lost_connection_is_noticed_after_two_seconds_and_forgotten_when_it_is_back() -> None:
    watched = watch()
    watched.connection(False, 10.0)
    watched.connection(False, 11.0)
    assert watched.reason_behind(10.0 + OFFLINE_S - 0.1) is None
    assert watched.reason_behind(10.0 + OFFLINE_S) is not None
    watched.connection(True, 13.0)
    assert watched.reason_behind(13.0) is None


def test_a_gap_in_the_log_is_noticed_after_two_seconds() -> None:
    watched = watch()
    watched.gap(10.0)
    assert watched.reason_behind(11.9) is None
    assert watched.reason_behind(12.0) is not None
    watched.gap(None)
    assert watched.reason_behind(12.0) is None
