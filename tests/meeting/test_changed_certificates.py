"""A member whose certificate changes under the same key: renewed, or another name's."""

import pytest

from conclaved.identity import Assurance
from conclaved.meeting import Level, Participant
from conclaved.meeting.minding import MIND_S
from conclaved.mls import LeafChange, X509Credential
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    PUBLIC_CA,
    UNKNOWN_CA,
    WALL,
    Meeting,
    Room,
    agree,
    identity,
)
from tests.pki import TestAuthority

NAME = "insider.example.com"


def meeting_with_insider(level: Level = Level.STANDARD) -> tuple[Meeting, Room, Room, Insider]:
    meeting = Meeting.invite(("a.example.com", "late.example.com"), level=level)
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    agree(host, a)
    return meeting, host, a, insider


def swap(meeting: Meeting, insider: Insider, name: str, authority: TestAuthority = PUBLIC_CA) -> None:
    """The insider takes a certificate of `name` for the key that it has."""
    key = insider.who.signer.certificate_public_key
    chain = authority.issue(key, dns=[name], not_before=WALL - 60, not_after=WALL + 86400)
    insider.commit(leaf=LeafChange(credential=X509Credential(tuple(chain))), enters=True)
    meeting.service.settle()


def shown(room: Room, insider: Insider) -> Participant:
    return next(p for p in room.view.participants if p.leaf == insider.leaf)


def test_a_renewed_certificate_of_the_same_name_stays_verified_and_changes_the_code() -> None:
    meeting, host, a, insider = meeting_with_insider()
    code = a.view.security_code
    swap(meeting, insider, NAME)
    agree(host, a)
    assert shown(a, insider).assurance is Assurance.VERIFIED
    assert a.view.security_code != code
    assert a.view.code_reason == f"{NAME} renewed its certificate"


@pytest.mark.parametrize(
    ("name", "authority"),
    [
        ("ceo.example.com", PUBLIC_CA),
        ("a.example.com", PUBLIC_CA),
        (NAME, PROVIDER_CA),
        (NAME, UNKNOWN_CA),
    ],
    ids=["another name", "another member's name", "a weaker anchor", "no anchor"],
)
def test_a_certificate_that_is_no_successor_is_shown_as_not_verified_at_once(
    name: str, authority: TestAuthority
) -> None:
    meeting, host, a, insider = meeting_with_insider()
    code = a.view.security_code
    swap(meeting, insider, name, authority)
    agree(host, a)
    for room in (host, a):
        assert shown(room, insider).assurance is Assurance.UNKNOWN
        assert room.view.code_reason.startswith(f"{NAME} changed its certificate: ")
        assert name in room.view.code_reason
    assert a.view.security_code != code


def test_the_doubt_stays_while_the_certificate_does() -> None:
    meeting, host, a, insider = meeting_with_insider()
    swap(meeting, insider, "ceo.example.com")
    insider.commit(enters=True)
    meeting.service.settle()
    swap(meeting, insider, "ceo.example.com")
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(3)
    agree(host, a, late)
    for room in (host, a):
        assert shown(room, insider).name == "ceo.example.com"
        assert shown(room, insider).assurance is Assurance.UNKNOWN
        assert "from insider.example.com to ceo.example.com" in shown(room, insider).reason


def test_in_a_locked_meeting_everybody_counts_down_when_a_members_name_becomes_another() -> None:
    meeting, host, a, insider = meeting_with_insider(Level.LOCKED)
    swap(meeting, insider, "ceo.example.com")
    for room in (host, a):
        assert "insider.example.com" in room.view.minds
        assert "ceo.example.com" in room.view.minds
        assert room.view.leaving_in_s == MIND_S


def test_a_locked_meeting_goes_on_when_a_certificate_is_renewed() -> None:
    meeting, host, a, insider = meeting_with_insider(Level.LOCKED)
    swap(meeting, insider, NAME)
    agree(host, a)
