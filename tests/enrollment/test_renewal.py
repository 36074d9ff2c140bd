"""When to renew: rules of time and chance, without a clock."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from conclave_provisioning.enrollment.renewal import (
    DAY_S,
    LONGEST_WISH_S,
    MAX_FAILED_VALIDATIONS,
    VALIDATION_PERIOD_S,
    Life,
    RenewalState,
    after_failure,
    after_info,
    after_no_info,
    for_certificate,
    plan,
)
from conclave_provisioning.enrollment.renewal_file import RenewalFile
from conclave_provisioning.enrollment.renewal_info import RenewalInfo, certificate_id

BEGIN = 1_800_000_000.0
MONTHS = Life(BEGIN, BEGIN + 90 * DAY_S)
WEEK = Life(BEGIN, BEGIN + 6 * DAY_S)
SECONDS = Life(BEGIN, BEGIN + 20)
lives = st.builds(lambda length: Life(BEGIN, BEGIN + length), st.floats(1.0, 400 * DAY_S))
chances = st.floats(0.0, 1.0, exclude_max=True)


def fresh(life: Life, *, now: float = BEGIN, chance: float = 0.0) -> RenewalState:
    return for_certificate(RenewalState(), "one", life, now=now, chance=chance)


def window(start: float, end: float, retry_after_s: float | None = None) -> RenewalInfo:
    return RenewalInfo(BEGIN + start, BEGIN + end, "", retry_after_s)


@pytest.mark.parametrize(("life", "days"), [(MONTHS, 60.0), (WEEK, 3.0)])
def test_without_a_window_it_is_two_thirds_of_a_life_or_half_of_a_short_one(life: Life, days: float) -> None:
    assert plan(fresh(life), life).renew_at == pytest.approx(BEGIN + days * DAY_S)


def test_chance_spreads_a_building_over_a_twentieth_of_the_life() -> None:
    moments = [plan(fresh(MONTHS, chance=n / 100), MONTHS).renew_at for n in range(100)]
    assert moments == sorted(set(moments))
    assert max(moments) - min(moments) == pytest.approx(0.99 * 90 * DAY_S / 20)


def test_a_window_takes_the_place_of_the_usual_moment() -> None:
    state = after_info(fresh(MONTHS), window(DAY_S, 3 * DAY_S), MONTHS, now=BEGIN, chance=0.25)
    decided = plan(state, MONTHS)
    assert (decided.renew_at, decided.reason) == (BEGIN + 1.5 * DAY_S, "the CA suggests it")


def test_the_moment_in_a_window_is_chosen_once() -> None:
    state = after_info(fresh(MONTHS), window(DAY_S, 3 * DAY_S), MONTHS, now=BEGIN, chance=0.25)
    again = after_info(state, window(DAY_S, 3 * DAY_S), MONTHS, now=BEGIN + 9, chance=0.75)
    assert again.chosen == state.chosen


def test_a_window_that_moved_is_followed() -> None:
    state = after_info(fresh(MONTHS), window(50 * DAY_S, 60 * DAY_S), MONTHS, now=BEGIN, chance=0.5)
    moved = after_info(state, window(-2 * DAY_S, -DAY_S), MONTHS, now=BEGIN + 40 * DAY_S, chance=0.5)
    assert plan(moved, MONTHS).renew_at < BEGIN + 40 * DAY_S


def test_no_window_makes_a_certificate_end_before_it_is_renewed() -> None:
    state = after_info(fresh(MONTHS), window(200 * DAY_S, 300 * DAY_S), MONTHS, now=BEGIN, chance=0.5)
    assert plan(state, MONTHS).renew_at == pytest.approx(BEGIN + 0.95 * 90 * DAY_S)


@pytest.mark.parametrize(
    ("said", "pause"), [(None, 21600.0), (0.0, 60.0), (600.0, 600.0), (30 * DAY_S, DAY_S)]
)
def test_the_ca_is_asked_again_when_it_says_so_within_reason(said: float | None, pause: float) -> None:
    state = after_info(fresh(MONTHS), window(DAY_S, 2 * DAY_S, said), MONTHS, now=BEGIN, chance=0.5)
    assert state.ask_at == BEGIN + pause


def test_a_ca_that_has_no_say_is_asked_now_and_then() -> None:
    state = after_info(fresh(MONTHS), None, MONTHS, now=BEGIN, chance=0.5)
    assert (state.window, state.ask_at) == (None, BEGIN + 21600)


def test_a_ca_that_cannot_be_asked_is_asked_less_and_less_and_its_word_stays() -> None:
    state = after_info(fresh(MONTHS), window(DAY_S, 2 * DAY_S), MONTHS, now=BEGIN, chance=0.5)
    pauses = []
    for _ in range(12):
        state = after_no_info(state, MONTHS, now=BEGIN)
        pauses.append(state.ask_at - BEGIN)
    assert pauses[:3] == [60.0, 120.0, 240.0]
    assert (pauses[-1], state.chosen) == (21600.0, BEGIN + 1.5 * DAY_S)
    assert after_no_info(state, MONTHS, now=BEGIN, retry_after_s=50000).ask_at == BEGIN + 50000
    assert after_info(state, None, MONTHS, now=BEGIN, chance=0).ask_failures == 0


def test_waits_after_failures_grow_and_leave_time_for_more_attempts() -> None:
    state, waits = fresh(MONTHS), []
    for _ in range(10):
        state = after_failure(state, MONTHS, now=BEGIN, chance=0.0)
        waits.append(state.not_before - BEGIN)
    assert waits[:3] == [300.0, 600.0, 1200.0]
    assert max(waits) == 6 * 3600


def test_where_no_ca_was_reached_the_waits_are_those_for_a_network() -> None:
    state, waits = RenewalState(), []
    for _ in range(10):
        state = after_failure(state, None, now=BEGIN, chance=0.0, is_unreached=True)
        waits.append(state.not_before - BEGIN)
    assert waits[:3] == [15.0, 30.0, 60.0]
    assert max(waits) == 600


def test_without_a_certificate_waits_grow_all_the_same() -> None:
    state = after_failure(RenewalState(), None, now=BEGIN, chance=0.0)
    assert state.not_before == BEGIN + 300


def test_retry_after_is_respected_within_reason() -> None:
    state = after_failure(fresh(MONTHS), MONTHS, now=BEGIN, chance=0.0, retry_after_s=7200)
    assert state.not_before == BEGIN + 7200
    state = after_failure(fresh(MONTHS), MONTHS, now=BEGIN, chance=0.0, retry_after_s=math.inf)
    assert state.not_before == BEGIN + LONGEST_WISH_S


@given(st.lists(st.tuples(st.floats(0.0, 2000.0), st.booleans()), max_size=40))
def test_a_ca_never_sees_more_failed_validations_in_an_hour_than_it_bears(
    attempts: list[tuple[float, bool]],
) -> None:
    state, now, failed = RenewalState(), BEGIN, []
    for delay, is_validation in attempts:
        now = max(now + delay, state.not_before)
        state = after_failure(state, SECONDS, now=now, chance=0.0, is_validation=is_validation)
        failed += [now] if is_validation else []
    for moment in failed:
        hour = [other for other in failed if moment <= other < moment + VALIDATION_PERIOD_S]
        assert len(hour) <= MAX_FAILED_VALIDATIONS


def test_a_new_certificate_forgets_failures_but_not_what_the_ca_counts() -> None:
    state = after_failure(fresh(MONTHS), MONTHS, now=BEGIN, chance=0.0, is_validation=True)
    other = for_certificate(state, "two", WEEK, now=BEGIN + 5, chance=0.0)
    assert (other.failures, other.not_before, other.window) == (0, 0.0, None)
    assert other.failed_validations == (BEGIN,)
    assert for_certificate(other, "two", WEEK, now=BEGIN + 9, chance=0.9) == other


@given(lives, chances, st.floats(-1000 * DAY_S, 1000 * DAY_S), st.floats(1.0, 1000 * DAY_S))
def test_a_renewal_is_never_sooner_than_a_least_rest_whatever_the_ca_says(
    life: Life, chance: float, start: float, length: float
) -> None:
    """Each new certificate is of the same life and meets the same window, relative to its begin."""
    taken = life.begin
    state = for_certificate(RenewalState(), "one", life, now=taken, chance=chance)
    state = after_info(state, window(start, start + length), life, now=taken, chance=chance)
    rest = plan(state, life).renew_at - taken
    assert rest >= min(2.0, 3600.0)
    assert rest <= max(life.length, 2.0)


def test_twenty_seconds_are_renewed_in_their_middle_and_asked_about_at_most_four_times() -> None:
    state = fresh(SECONDS)
    assert plan(state, SECONDS).renew_at == BEGIN + 10
    state = after_info(state, window(8, 12, 0.0), SECONDS, now=BEGIN, chance=0.5)
    assert (plan(state, SECONDS).renew_at, state.ask_at) == (BEGIN + 10, BEGIN + 5)
    state = after_failure(state, SECONDS, now=BEGIN + 10, chance=0.0)
    assert plan(state, SECONDS).renew_at == BEGIN + 11


def test_a_certificate_that_was_old_when_it_came_does_not_spin() -> None:
    state = fresh(MONTHS, now=BEGIN + 89 * DAY_S)
    decided = plan(state, MONTHS)
    assert (decided.renew_at, decided.reason) == (BEGIN + 89 * DAY_S + 3600, "it was renewed a moment ago")


def test_the_next_look_is_at_whatever_comes_first() -> None:
    state = replace(fresh(MONTHS), ask_at=BEGIN + 5)
    assert plan(state, MONTHS).wake_at == BEGIN + 5
    assert plan(replace(state, ask_at=BEGIN + 80 * DAY_S), MONTHS).wake_at == BEGIN + 60 * DAY_S


def test_a_life_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="ends after"):
        Life(BEGIN, BEGIN)


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    state = after_info(fresh(WEEK), window(DAY_S, 2 * DAY_S, 600), WEEK, now=BEGIN, chance=0.3)
    state = after_failure(state, WEEK, now=BEGIN, chance=0.1, is_validation=True)
    RenewalFile(tmp_path).save(replace(state, explanation_url="https://ca.example/why"))
    assert RenewalFile(tmp_path).load() == replace(state, explanation_url="https://ca.example/why")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "{",
        '{"certificate": 1}',
        '{"certificate": "a", "window": [1], "chosen": null}',
        "[" * 9999,
    ],
    ids=range(7),
)
def test_a_damaged_file_costs_the_memory_only(tmp_path: Path, content: str) -> None:
    (tmp_path / "renewal.json").write_text(content)
    assert RenewalFile(tmp_path).load() == RenewalState()


def test_the_identifier_of_a_certificate_is_that_of_the_standards_example() -> None:
    # RFC 9773 §4.1: key identifier 69:88:5B:6B:..., serial 00:87:65:43:21.
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = bytes.fromhex("69885b6b87464041e1b37b847bd0ae2cde01c8d4")
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x87654321)
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert certificate_id(certificate) == "aYhba4dGQEHhs3uEe9CuLN4ByNQ.AIdlQyE"


def test_a_clock_that_was_ahead_for_a_while_keeps_nobody_from_renewing() -> None:
    ahead = BEGIN + 3000 * DAY_S
    state = fresh(MONTHS)
    for _ in range(MAX_FAILED_VALIDATIONS):
        state = after_failure(state, MONTHS, now=ahead, chance=0.0, is_validation=True)
    state = after_no_info(state, MONTHS, now=ahead)
    now = BEGIN + 61 * DAY_S
    state = for_certificate(state, "one", MONTHS, now=now, chance=0.0)
    assert plan(state, MONTHS).renew_at <= now
    assert plan(state, MONTHS).ask_at <= now
    assert after_failure(state, MONTHS, now=now, chance=0.0, is_validation=True).not_before < now + DAY_S


def test_a_wait_that_a_ca_may_ask_for_is_kept() -> None:
    state = after_failure(fresh(MONTHS), MONTHS, now=BEGIN, chance=0.0, retry_after_s=9 * LONGEST_WISH_S)
    assert for_certificate(state, "one", MONTHS, now=BEGIN, chance=0.0) == state
