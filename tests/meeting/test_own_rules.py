"""Own rules: what this device demands of a meeting, by its own anchors and policy."""

import pytest

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import InvitationError, Level, OwnRules, Participant, Role
from tests.meeting.cast import CLOSED, HOST, invitation
from tests.meeting.simulated_service import WALL, trust

LOCKED = invitation(level=Level.LOCKED)


def verdict(assurance: Assurance) -> Verdict:
    return Verdict(assurance, None, "host.example.com", "because", "", 0)


def participant(assurance: Assurance, *, is_self: bool = False, role: Role = Role.MEMBER) -> Participant:
    return Participant(1, "x.example", assurance, role, b"", is_self, True, "because", "", "")


@pytest.mark.parametrize(
    ("minimum", "signed", "assurance", "is_followed"),
    [
        (Level.STANDARD, CLOSED, Assurance.VERIFIED, True),
        (Level.STANDARD, CLOSED, Assurance.PROVIDER, True),
        (Level.STANDARD, CLOSED, Assurance.UNKNOWN, False),
        (Level.STANDARD, LOCKED, Assurance.VERIFIED, True),
        (Level.STANDARD, LOCKED, Assurance.PROVIDER, False),
        (Level.STANDARD, LOCKED, Assurance.UNKNOWN, False),
        (Level.LOCKED, LOCKED, Assurance.VERIFIED, True),
        (Level.LOCKED, LOCKED, Assurance.PROVIDER, False),
        (Level.LOCKED, CLOSED, Assurance.VERIFIED, False),
    ],
)
def test_which_invitations_a_device_follows(
    minimum: Level, signed: object, assurance: Assurance, is_followed: bool
) -> None:
    rules = OwnRules(minimum)

    def check() -> None:
        rules.check_invitation(signed, lambda chain, key: verdict(assurance))  # type: ignore[arg-type]

    if is_followed:
        check()
    else:
        with pytest.raises(InvitationError) as caught:
            check()
        assert caught.value.hint


def test_the_signer_is_judged_by_this_devices_anchors() -> None:
    OwnRules().check_invitation(CLOSED, lambda chain, key: trust().assess(chain, key, now=WALL))
    with pytest.raises(InvitationError):
        OwnRules().check_invitation(
            CLOSED, lambda chain, key: type(trust())().assess(chain, HOST.signer.public_key, now=WALL)
        )


@pytest.mark.parametrize(
    ("minimum", "signed", "assurance", "stays"),
    [
        (Level.STANDARD, CLOSED, Assurance.VERIFIED, True),
        (Level.STANDARD, CLOSED, Assurance.PROVIDER, True),
        (Level.STANDARD, LOCKED, Assurance.VERIFIED, True),
        (Level.STANDARD, LOCKED, Assurance.PROVIDER, False),
        (Level.STANDARD, LOCKED, Assurance.UNKNOWN, False),
        (Level.LOCKED, LOCKED, Assurance.VERIFIED, True),
        (Level.LOCKED, LOCKED, Assurance.PROVIDER, False),
    ],
)
def test_among_whom_a_device_stays(minimum: Level, signed: object, assurance: Assurance, stays: bool) -> None:
    others = [participant(Assurance.VERIFIED, is_self=True), participant(assurance)]
    reason = OwnRules(minimum).reason_to_leave(signed, others)  # type: ignore[arg-type]
    assert (reason is None) is stays
    assert stays or "x.example" in str(reason)


def test_a_device_whose_policy_has_become_locked_stays_in_no_other_meeting() -> None:
    reason = OwnRules(Level.LOCKED).reason_to_leave(CLOSED, [participant(Assurance.VERIFIED, is_self=True)])
    assert "locked meetings only" in str(reason)


@pytest.mark.parametrize(
    ("signed", "role", "enters"),
    [
        (LOCKED, Role.HOST, True),
        (LOCKED, Role.MEMBER, False),
        (CLOSED, Role.HOST, True),
        (CLOSED, Role.MEMBER, True),
    ],
)
def test_a_device_enters_no_locked_meeting_without_a_host(signed: object, role: Role, enters: bool) -> None:
    others = [participant(Assurance.VERIFIED, is_self=True), participant(Assurance.VERIFIED, role=role)]
    reason = OwnRules().reason_not_to_enter(signed, others)  # type: ignore[arg-type]
    assert (reason is None) is enters
