"""A few schedules, that a seed is a schedule, and that what must hold can be seen not to."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from conclaved.meeting import CameraState, MediaState, MicrophoneState
from conclaved.meeting.committing import Committing
from conclaved.meeting.media_state import Statement
from conclaved.meeting.membership import Membership
from conclaved.mls import Group
from conclaved.sframe import MediaKeyring
from tests.simulation import invariants_group, invariants_keys, invariants_people
from tests.simulation.invariants_lock import MUTED
from tests.simulation.runner import run_seed
from tests.simulation.world import World

SEEDS = (1, 2, 4, 6, 8)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_hold_does_in_a_schedule_of_faults(seed: int) -> None:
    outcome = World(seed, is_fast=True).run()
    assert outcome.violation is None
    assert outcome.commits >= 20
    assert outcome.faults.total() >= 3


def test_what_must_hold_does_under_the_real_cryptography() -> None:
    assert World(SEEDS[0], is_fast=False).run().violation is None


def test_a_seed_gives_the_same_schedule_again() -> None:
    first, second = run_seed(SEEDS[0], is_traced=True), run_seed(SEEDS[0], is_traced=True)
    assert len(first.trace) > 100
    assert first.trace == second.trace


def test_another_seed_gives_another_schedule() -> None:
    assert run_seed(1, is_traced=True).trace != run_seed(2, is_traced=True).trace


def _finds(invariant: str, seeds: Iterable[int] = SEEDS) -> bool:
    violations = (run_seed(seed).violation for seed in seeds)
    return any(violation is not None and violation.invariant == invariant for violation in violations)


def test_old_handshake_keys_that_are_kept_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Membership, "expire", lambda self, now: None)
    assert _finds(invariants_keys.GONE)


def test_old_media_keys_that_are_kept_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MediaKeyring, "_erase_due", lambda self, now: None)
    assert _finds(invariants_keys.GONE)


def test_what_nobody_said_of_a_microphone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    never = MediaState(MicrophoneState.MUTED, CameraState.CLOSED)
    decode = Statement.decode

    def another(data: bytes) -> Statement | None:
        statement = decode(data)
        return statement and replace(statement, state=never)

    monkeypatch.setattr(Statement, "decode", another)
    assert _finds(invariants_people.TOLD)


def test_a_code_that_does_not_depend_on_the_group_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclaved.meeting.membership.security_code", lambda secret: "00000 " * 6)
    assert _finds(invariants_group.ONE_CODE)


def test_a_key_that_members_do_not_share_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Group.export
    monkeypatch.setattr(
        Group,
        "export",
        lambda self, label, context, length: honest(self, f"{label}{self.own_leaf_index}", context, length),
    )
    assert _finds(invariants_group.AGREE)


def test_a_commit_behind_one_that_is_being_judged_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def publish_at_once(self: Committing, now: float) -> None:
        if self._made is not None:
            (commit, _), self._made = self._made, None
            self.publish(commit, now)

    monkeypatch.setattr(Committing, "_publish_made", publish_at_once)
    assert _finds(invariants_group.ONE_IN_LOG, (56, 156, 215, 220))


def test_a_lock_that_falls_while_all_are_muted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclaved.meeting.alive.WINDOW_S", 1.9)
    assert _finds(MUTED, range(1, 20))
