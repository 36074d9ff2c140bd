"""How long a device stays among those who break its own rules."""

import math

import pytest

from conclaved.identity import Assurance, SoftwareSigner, TrustStore
from conclaved.meeting import Level, OwnIdentity, OwnRules, Participant
from conclaved.meeting.leaving import LEAVE_WITHIN_S
from conclaved.meeting.minding import MIND_S
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    PUBLIC_CA,
    WALL,
    Meeting,
    Room,
    agree,
    identity,
    trust,
)

SHORT = "short.example.com"
ENDS_AFTER_S = 20
NAMES = ("a.example.com", "b.example.com", SHORT)


def short_lived() -> OwnIdentity:
    """A room whose certificate ends soon."""
    signer = SoftwareSigner.generate()
    key = signer.certificate_public_key
    chain = PUBLIC_CA.issue(key, dns=[SHORT], not_before=WALL - 60, not_after=WALL + ENDS_AFTER_S)
    return OwnIdentity(signer, tuple(chain))


SHORT_ROOM = short_lived()


def with_one_that_expires(level: Level = Level.LOCKED) -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(NAMES, level=level)
    host, a, short = meeting.room(meeting.host), meeting.room(identity(NAMES[0])), meeting.room(SHORT_ROOM)
    meeting.service.run(3)
    agree(host, a, short)
    return meeting, host, a, short


def run_until_expired(meeting: Meeting, seconds_after: float) -> None:
    left = WALL + ENDS_AFTER_S + 1 - meeting.service.clock.wall()
    meeting.service.run(left + seconds_after)


def shown(room: Room, name: str) -> Participant:
    return next(p for p in room.view.participants if p.name == name)


def test_a_certificate_that_ends_in_mid_meeting_shows_within_five_seconds() -> None:
    meeting, _, a, _ = with_one_that_expires(Level.STANDARD)
    run_until_expired(meeting, 0)
    changes = a.changes
    meeting.service.run(5)
    assert a.changes > changes
    assert shown(a, SHORT).assurance is Assurance.UNKNOWN
    assert "ended on" in shown(a, SHORT).reason
    assert not a.view.minds


def test_in_a_locked_meeting_everybody_counts_down_and_says_why() -> None:
    meeting, host, a, _ = with_one_that_expires()
    run_until_expired(meeting, 5)
    for room in (host, a):
        assert SHORT in room.view.minds
        assert 0 < room.view.leaving_in_s <= MIND_S
    before = a.view.leaving_in_s
    meeting.service.run(10)
    assert before - a.view.leaving_in_s in (9, 10, 11)
    assert a.may_send()


def test_when_the_time_is_over_the_device_leaves_with_that_reason() -> None:
    meeting, host, a, _ = with_one_that_expires()
    run_until_expired(meeting, 5 + MIND_S + LEAVE_WITHIN_S)
    for room in (host, a):
        assert room.ended is not None
        assert room.ended.is_error
        assert room.ended.hint
        assert SHORT in room.ended.reason


def test_the_countdown_stops_when_a_host_removes_the_one_concerned() -> None:
    meeting, host, a, _ = with_one_that_expires()
    run_until_expired(meeting, 10)
    host.kick(SHORT)
    meeting.service.run(2)
    for room in (host, a):
        assert not room.view.minds
        assert room.view.leaving_in_s == 0
    meeting.service.run(MIND_S)
    agree(host, a)


def test_the_countdown_stops_when_the_admin_trusts_again() -> None:
    meeting = Meeting.invite(NAMES, level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(identity(NAMES[0]))
    meeting.service.run(3)
    a.anchors[0] = TrustStore()
    a.perform(a.session.trust_changed(meeting.service.clock.now))
    assert a.view.leaving_in_s == math.ceil(MIND_S)
    a.anchors[0] = trust()
    a.perform(a.session.trust_changed(meeting.service.clock.now))
    assert not a.view.minds
    meeting.service.run(MIND_S + LEAVE_WITHIN_S, step=0.5)
    agree(host, a)


def test_who_leaves_after_the_countdown_is_removed_by_those_who_stay() -> None:
    meeting = Meeting.invite(NAMES, level=Level.LOCKED)
    host, a, b = (meeting.room(who) for who in (meeting.host, identity(NAMES[0]), identity(NAMES[1])))
    meeting.service.run(3)
    a.anchors[0] = TrustStore()
    a.perform(a.session.trust_changed(meeting.service.clock.now))
    meeting.service.run(MIND_S + 2)
    assert a.has_ended()
    assert NAMES[0] not in host.names()
    agree(host, b)


def test_who_comes_in_against_a_rule_is_not_borne_for_a_moment() -> None:
    meeting = Meeting.invite(NAMES)
    host = meeting.room(meeting.host)
    a = meeting.room(identity(NAMES[0]), rules=OwnRules(requires_verified=True))
    meeting.service.run(3)
    guest = identity("guest.provider.example", PROVIDER_CA)
    Insider.admit(meeting, who=guest).join()
    assert a.ended is not None
    assert "guest.provider.example" in a.ended.reason
    assert host.is_in()


def test_a_countdown_hides_nobody_else_who_comes_in_against_a_rule() -> None:
    meeting, _, a, _ = with_one_that_expires(Level.STANDARD)
    rules = OwnRules(requires_verified=True)
    a.perform(a.session.rules_changed(rules, meeting.service.clock.now))
    run_until_expired(meeting, 5)
    assert SHORT in a.view.minds
    Insider.admit(meeting, who=identity("guest.provider.example", PROVIDER_CA)).join()
    assert a.ended is not None
    assert "guest.provider.example" in a.ended.reason


def test_to_come_back_anew_buys_no_time() -> None:
    meeting, _, a, short = with_one_that_expires()
    run_until_expired(meeting, 5)
    left = a.view.leaving_in_s
    meeting.service.crash(short)
    back = Insider.admit(meeting, who=SHORT_ROOM, admission=short.session.admission)
    back.join()
    assert back.is_in()
    assert SHORT in a.view.minds
    assert a.view.leaving_in_s <= left - 1


@pytest.mark.parametrize("rules", [OwnRules(Level.LOCKED), OwnRules(requires_verified=True)])
def test_a_policy_that_forbids_the_meeting_as_such_is_not_waited_out(rules: OwnRules) -> None:
    meeting = Meeting.invite(NAMES)
    host, a = meeting.room(meeting.host), meeting.room(identity(NAMES[0]))
    meeting.service.run(3)
    a.perform(a.session.rules_changed(rules, meeting.service.clock.now))
    assert a.may_send() is (rules.minimum_level is not Level.LOCKED)
    meeting.service.run(2)
    assert a.has_ended() is (rules.minimum_level is Level.LOCKED)
    assert host.is_in()
