"""The log as a member reads it: every entry once, in order, whatever the service does."""

import random

from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting.log import (
    ASK_AGAIN_S,
    ASK_FOR_MORE_S,
    DOUBT_S,
    GONE_S,
    MAX_KNOWN,
    MAX_WAITING_ENTRIES,
    Log,
)
from tests.meeting.cast import PATIENT


def drain(log: Log) -> list[bytes]:
    taken = []
    while (data := log.take()) is not None:
        taken.append(data)
    return taken


@PATIENT
@given(st.integers(1, 40), st.integers(0, 2**32))
def test_entries_come_out_once_and_in_order_however_they_come_in(count: int, seed: int) -> None:
    entries = [bytes([i]) for i in range(count)]
    order = [*range(count), *range(count)]
    random.Random(seed).shuffle(order)
    log, taken = Log(), []
    for sequence in order:
        log.arrive(sequence, entries[sequence], 0.0)
        taken += drain(log)
    assert taken == entries
    assert log.is_drained


def test_the_first_gap_is_asked_for_at_once() -> None:
    log = Log()
    assert not log.arrive(0, b"0", 1.0)
    assert log.take() == b"0"
    assert log.arrive(2, b"2", 2.0)
    assert log.gap_since == 2.0
    assert log.take() is None
    assert not log.arrive(3, b"3", 2.5)


def test_a_gap_that_stays_is_asked_for_again_every_second() -> None:
    log = Log()
    log.arrive(1, b"1", 10.0)
    assert not log.asks_again(10.0 + ASK_AGAIN_S / 2)
    assert log.asks_again(10.0 + ASK_AGAIN_S)
    assert not log.asks_again(10.0 + ASK_AGAIN_S * 1.5)
    assert log.asks_again(10.0 + ASK_AGAIN_S * 2)
    assert log.gap_since == 10.0


def test_a_filled_gap_is_none_any_more() -> None:
    log = Log()
    log.arrive(1, b"1", 10.0)
    log.arrive(0, b"0", 11.0)
    assert drain(log) == [b"0", b"1"]
    assert not log.asks_again(10.0 + ASK_AGAIN_S)
    assert log.gap_since is None


def test_now_and_then_more_is_asked_for_though_nothing_is_missing() -> None:
    log = Log()
    assert not log.asks_again(10.0)
    assert not log.asks_again(10.0 + ASK_FOR_MORE_S - 0.1)
    assert log.asks_again(10.0 + ASK_FOR_MORE_S)
    assert not log.asks_again(10.0 + ASK_FOR_MORE_S + 0.1)
    assert log.gap_since is None


def test_what_was_said_first_for_a_place_stays() -> None:
    log = Log()
    log.arrive(1, b"first", 0.0)
    log.arrive(1, b"second", 0.0)
    log.arrive(0, b"0", 0.0)
    assert drain(log) == [b"0", b"first"]
    log.arrive(1, b"third", 0.0)
    assert drain(log) == []


def test_a_reader_starts_where_it_is_told_and_takes_nothing_that_came_before_it_was() -> None:
    log = Log()
    log.arrive(0, b"0", 0.0)
    log.arrive(5, b"5", 0.0)
    log.skip_to(5)
    assert drain(log) == []
    log.arrive(5, b"another five", 1.0)
    assert drain(log) == [b"another five"]
    log.start(0)
    assert log.next_sequence == 0


def test_a_reader_that_skips_or_starts_anew_leaves_its_gap_behind() -> None:
    for begin in (Log.skip_to, Log.start):
        log = Log()
        log.arrive(3, b"3", 1.0)
        assert has_gap(log)
        begin(log, 7)
        assert not has_gap(log)
        assert log.is_drained


def test_it_says_what_has_come() -> None:
    log = Log()
    log.arrive(0, b"0", 0.0)
    log.arrive(2, b"2", 0.0)
    log.take()
    assert [log.has(i) for i in range(4)] == [True, False, True, False]


def test_entries_from_far_ahead_do_not_shut_out_the_next_one() -> None:
    log = Log()
    for i in range(MAX_WAITING_ENTRIES + 10):
        log.arrive(10**9 + i, b"far", 0.0)
    for i in range(20):
        log.arrive(i, bytes([i]), 1.0)
    assert drain(log) == [bytes([i]) for i in range(20)]


def test_what_waits_is_bounded() -> None:
    log = Log()
    for i in range(2 * MAX_WAITING_ENTRIES):
        log.arrive(1 + i, b"ahead", 0.0)
    assert repr(log) == f"Log(next=0, {MAX_WAITING_ENTRIES - 1} waiting)"


def has_gap(log: Log) -> bool:
    return log.gap_since is not None


def ask_until(log: Log, start: float, end: float) -> int:
    """Tick ten times a second; how often it asked."""
    return sum(log.asks_again(start + i / 10) for i in range(round((end - start) * 10)))


def test_an_entry_that_the_service_made_up_is_given_up_and_the_gap_with_it() -> None:
    log = Log()
    log.arrive(7, b"made up", 100.0)
    assert ask_until(log, 100.0, 110.0) >= 9
    assert has_gap(log)
    ask_until(log, 110.0, 110.0 + DOUBT_S)
    assert log.is_drained
    assert has_gap(log)
    ask_until(log, 110.0 + DOUBT_S, 120.0)
    assert not has_gap(log)
    log.arrive(0, b"0", 121.0)
    assert log.take() == b"0"


def test_a_gap_that_stays_counts_from_its_beginning_however_long_it_lasts() -> None:
    log = Log()
    for tenth in range(1000):
        now = 100.0 + tenth / 10
        if log.asks_again(now) or not tenth:
            log.arrive(1, b"after the hidden one", now)
        assert log.gap_since == 100.0


def test_repr_shows_no_entry() -> None:
    log = Log()
    log.arrive(1, b"a message", 0.0)
    assert "message" not in repr(log)


def log_of(*entries: bytes) -> Log:
    log = Log()
    for sequence, data in enumerate(entries):
        log.arrive(sequence, data, 0.0)
    drain(log)
    return log


def test_after_a_new_connection_the_newest_entry_is_asked_for_again() -> None:
    log = log_of(b"0", b"1")
    assert log.ask_from == 2
    log.reconnected(0.0)
    assert log.ask_from == 1
    assert not log.is_another(1, b"1")
    assert log.ask_from == 2


def test_another_entry_in_its_place_shows_another_log() -> None:
    log = log_of(b"0", b"1")
    log.reconnected(0.0)
    assert not log.is_another(0, b"x")
    assert log.is_another(1, b"x")


def test_entries_of_another_log_that_come_before_the_answer_do_not_hide_it() -> None:
    log = log_of(b"0", b"1")
    log.reconnected(0.0)
    log.arrive(2, b"of another", 1.0)
    assert drain(log) == [b"of another"]
    log.reconnected(0.0)
    assert log.ask_from == 1
    assert log.is_another(1, b"x")


def test_while_the_connection_stands_another_entry_in_an_old_one_s_place_means_nothing() -> None:
    log = log_of(b"0", b"1")
    assert not log.is_another(1, b"x")
    assert log.ask_from == 2


def test_who_comes_in_later_learns_the_entry_before_by_asking_for_it() -> None:
    log = Log()
    log.skip_to(5)
    assert log.ask_from == 4
    assert not log.is_another(4, b"4")
    assert log.ask_from == 5
    log.reconnected(0.0)
    assert log.is_another(4, b"x")


def test_who_comes_in_and_has_the_entry_before_already_need_not_ask() -> None:
    log = Log()
    log.arrive(4, b"4", 0.0)
    log.arrive(5, b"5", 0.0)
    log.skip_to(5)
    assert log.ask_from == 5
    log.arrive(5, b"5", 0.0)
    assert drain(log) == [b"5"]


def test_a_log_in_doubt_is_asked_every_second_until_its_newest_entry_is_seen_again() -> None:
    log = log_of(b"0", b"1")
    assert not log.asks_again(0.0)
    log.doubt(0.0)
    assert log.asks_again(ASK_AGAIN_S)
    assert log.asks_again(2 * ASK_AGAIN_S)
    assert not log.is_another(1, b"1")
    assert not log.asks_again(3 * ASK_AGAIN_S)


def test_a_newest_entry_that_is_asked_for_in_vain_is_gone() -> None:
    log = log_of(b"0", b"1")
    log.doubt(1.0)
    log.doubt(5.0)
    assert not log.is_gone(1.0 + GONE_S - 0.1)
    assert log.is_gone(1.0 + GONE_S)
    log.reconnected(16.0)
    assert not log.is_gone(16.0 + GONE_S - 0.1)


def test_two_logs_that_are_one_again_differ_in_what_came_before() -> None:
    log = log_of(b"0", b"1", b"2", b"3")
    log.doubt(0.0)
    assert log.ask_from == 3
    assert not log.is_another(3, b"3")
    log.doubt(0.0, is_deep=True)
    assert log.ask_from == 0
    assert not log.is_another(0, b"0")
    assert log.is_another(1, b"x")
    assert log.is_in_doubt
    assert not log.is_another(3, b"3")
    assert not log.is_in_doubt


def looks(log: Log, at: float) -> int:
    """How far back a deep doubt looks then; the newest entry, the service still has."""
    log.doubt(at, is_deep=True)
    far = log.next_sequence - log.ask_from
    newest = log.next_sequence - 1
    assert not log.is_another(newest, str(newest).encode())
    return far


def test_each_deep_doubt_goes_back_twice_as_far_and_waits_twice_as_long() -> None:
    log = log_of(*(str(i).encode() for i in range(MAX_KNOWN + 500)))
    at = [0.0, 4.9, 5.0, 14.9, 15.0, 34.9, 35.0, 75.0, 155.0, 315.0, 475.0]
    assert [looks(log, each) for each in at] == [32, 1, 64, 1, 128, 1, 256, 512, 1024, 1024, 1024]
    assert looks(log, 800.0) == 32


def test_a_deep_doubt_goes_back_no_further_than_what_is_known() -> None:
    log = log_of(*(str(i).encode() for i in range(20)))
    assert looks(log, 0.0) == 20


def test_an_entry_that_has_come_is_no_news_unless_the_log_is_in_doubt_or_it_is_to_be_learned() -> None:
    log = log_of(b"0", b"1")
    assert log.is_no_news(0)
    assert log.is_no_news(1)
    assert not log.is_no_news(2)
    log.doubt(0.0)
    assert not log.is_no_news(1)
    late = Log()
    late.skip_to(5)
    assert not late.is_no_news(4)


def test_one_that_came_in_behind_the_end_of_the_log_finds_out() -> None:
    # The Welcome's log was another one than that which the service goes on with, and longer.
    log = Log()
    log.skip_to(7)
    log.doubt(0.0)
    assert log.ask_from == 6
    assert not log.is_gone(GONE_S - 0.1)
    assert log.is_gone(GONE_S)


def test_the_entry_that_it_had_not_seen_ends_the_doubt() -> None:
    log = Log()
    log.skip_to(7)
    log.doubt(0.0)
    assert not log.is_another(6, b"6")
    assert not log.is_in_doubt
    log.doubt(1.0)
    assert log.is_another(6, b"x")
