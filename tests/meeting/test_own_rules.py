"""Own rules: what this device demands of a meeting, by its own anchors and policy."""

import pytest

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import InvitationError, Level, OwnRules, Participant, Role
from tests.meeting.cast import CLOSED, HOST, invitation
from tests.meeting.simulated_service import WALL, trust

LOCKED = invitation(level=Level.LOCKED)
KEY = HOST.signer.public_key


def verdict(assurance: Assurance) -> Verdict:
    return Verdict(assurance, None, "host.example.com", "because", "", 0)


def participant(assurance: Assurance, *, is_self: bool = False, role: Role = Role.MEMBER) -> Participant:
    return Participant(1, "x.example", assurance, role, KEY, is_self, True, "because", "", "", False)


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
    objection = OwnRules(minimum).objection(signed, others)  # type: ignore[arg-type]
    assert (objection is None) is stays
    assert stays or "x.example" in str(objection)


def test_a_device_whose_policy_has_become_locked_stays_in_no_other_meeting() -> None:
    objection = OwnRules(Level.LOCKED).objection(CLOSED, [participant(Assurance.VERIFIED, is_self=True)])
    assert objection is not None
    assert objection.key is None
    assert "locked meetings only" in objection.reason


@pytest.mark.parametrize("assurance", list(Assurance))
def test_a_device_for_verified_names_only_minds_anybody_else(assurance: Assurance) -> None:
    objection = OwnRules(requires_verified=True).objection(CLOSED, [participant(assurance)])
    assert (objection is None) is (assurance is Assurance.VERIFIED)
    assert objection is None or objection.key == KEY


def test_a_device_for_verified_names_only_follows_no_other_invitation() -> None:
    with pytest.raises(InvitationError, match="verified names only"):
        OwnRules(requires_verified=True).check_invitation(
            CLOSED, lambda chain, key: verdict(Assurance.PROVIDER)
        )


def test_a_device_may_refuse_the_company_of_service_ends() -> None:
    recorder = participant(Assurance.VERIFIED, role=Role.SERVICE_END)
    assert OwnRules().objection(CLOSED, [recorder]) is None
    objection = OwnRules(allows_service_ends=False).objection(CLOSED, [recorder])
    assert objection is not None
    assert objection.key == KEY


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
