"""One group that the service has shown two logs of, and shows one of again."""

from hashlib import sha256

import pytest

from conclaved.meeting import Level, OwnIdentity, Role, lobby
from conclaved.meeting.admission import issue
from conclaved.meeting.audit import Event
from conclaved.meeting.events import Live
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Meeting, Room, SimulatedService, agree, identity
from tests.meeting.test_renewing import change, renewed

SECOND = "second.example.com"


def run_both(services: tuple[SimulatedService, SimulatedService], seconds: float) -> None:
    clock = services[0].clock
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        for service in services:
            for room in list(service.rooms):
                room.tick(clock.now)
            service.settle()


def move(room: Room, source: SimulatedService, target: SimulatedService) -> None:
    """The room is shown the other log from now on, and notices nothing."""
    source.rooms.remove(room)
    target.rooms.append(room)
    room.service = target


def test_one_that_is_alone_and_further_on_comes_to_the_others() -> None:
    meeting = Meeting.invite(("a.example.com", SECOND))
    service, second = meeting.service, identity(SECOND)
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    other = meeting.room(second, admission=meeting.admission(second, Role.HOST))
    service.run(4)
    agree(host, a, other)
    apart = SimulatedService(service.clock)
    apart.log = list(service.log)
    move(other, service, apart)
    apart.leader = other
    run_both((service, apart), 30)
    assert other.names() == {SECOND}
    for _ in range(8):
        second = renewed(second, name=SECOND, is_new_key=False)
        change(other, second)
        run_both((service, apart), 3)
    assert other.view.epoch > host.view.epoch + 3
    move(other, apart, service)
    run_both((service, apart), 60)
    agree(host, a, other)


@pytest.mark.parametrize("level", [Level.STANDARD, Level.LOCKED])
def test_two_sides_of_two_come_together_where_the_invitations_signer_is(level: Level) -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"), hosts=(SECOND,), level=level)
    service = meeting.service
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    second, b = meeting.room(identity(SECOND)), meeting.room(identity("b.example.com"))
    service.run(4)
    agree(host, a, second, b)
    apart = SimulatedService(service.clock)
    apart.log = list(service.log)
    for room in (second, b):
        move(room, service, apart)
    apart.leader = second
    run_both((service, apart), 40)
    assert host.names() == {"host.example.com", "a.example.com"}
    assert second.names() == {SECOND, "b.example.com"}
    group = host.session._member.group
    assert group is not None
    for room in (second, b):
        move(room, apart, service)
    # The service goes on with one log; the entries of the other side have been in it for long.
    service.log += apart.log[len(service.log) :]
    run_both((service, apart), 60)
    agree(host, a, second, b)
    assert host.session._member.group is not None
    assert host.session._member.group.group_id == group.group_id
    assert not [entry for entry in a.session.record.entries if entry.event is Event.REJOINING]


def hears_strangers(meeting: Meeting, room: Room, insider: Insider) -> None:
    """For a quarter of a minute: live messages that nobody in the group can open."""
    for _ in range(8):
        junk = insider.live.protect(insider.live.sign_application(b"x"))
        room.perform(room.session.handle(Live(junk[:-1] + bytes([junk[-1] ^ 1])), meeting.service.clock.now))
        meeting.service.run(2)


def stranger_and(role: Role) -> tuple[Meeting, Room, Room, Insider]:
    meeting = Meeting.invite(("a.example.com",))
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    insider = Insider.admit(meeting, role).join()
    meeting.service.run(2)
    return meeting, host, a, insider


def call(meeting: Meeting, insider: Insider, where: bytes = b"e" * 32) -> None:
    meeting_id = meeting.invitation.content.meeting_id
    insider.say(lobby.gather(insider.who.signer, insider.admission, meeting_id, where))


@pytest.mark.parametrize("role", [Role.MEMBER, Role.HOST])
def test_nobody_follows_one_that_is_no_host_or_counts_less_than_the_host_that_is_here(role: Role) -> None:
    meeting, host, a, insider = stranger_and(role)
    hears_strangers(meeting, a, insider)
    call(meeting, insider)
    hears_strangers(meeting, a, insider)
    assert len(a.groups) == 1
    agree(host, a)
    assert bool(a.bad_inputs) or role is Role.HOST


def outranking(other: OwnIdentity) -> OwnIdentity:
    """One whose key counts before another's."""
    while True:
        made = identity("insider.example.com")
        if sha256(made.key).digest() < sha256(other.key).digest():
            return made


def a_call_from_elsewhere(*, is_kicked: bool) -> tuple[Meeting, Room, Room, Insider]:
    """Two who are in, one a host, and a host that counts before it, which was in and is not any more."""
    meeting, second = Meeting.invite(("a.example.com",), hosts=(SECOND,)), identity(SECOND)
    host, other, a = (meeting.room(who) for who in (meeting.host, second, identity("a.example.com")))
    insider = Insider.admit(meeting, Role.HOST, who=outranking(second)).join()
    meeting.service.run(3)
    group, insider.is_following = insider.live, False
    if is_kicked:
        other.kick("insider.example.com")
    host.leave()
    meeting.service.run(3 if is_kicked else 40)
    insider.group = group
    agree(other, a)
    assert other.names() == {SECOND, "a.example.com"}
    return meeting, other, a, insider


def test_nobody_follows_a_host_that_was_thrown_out() -> None:
    meeting, _, a, insider = a_call_from_elsewhere(is_kicked=True)
    hears_strangers(meeting, a, insider)
    call(meeting, insider)
    hears_strangers(meeting, a, insider)
    assert len(a.groups) == 1


def test_a_call_is_followed_by_who_hears_strangers_and_once() -> None:
    meeting, _, a, insider = a_call_from_elsewhere(is_kicked=False)
    call(meeting, insider)
    meeting.service.run(10)
    assert len(a.groups) == 1
    hears_strangers(meeting, a, insider)
    call(meeting, insider)
    hears_strangers(meeting, a, insider)
    followed = len(a.groups)
    assert followed == 2
    meeting.service.run(10)
    assert a.is_in()
    hears_strangers(meeting, a, insider)
    call(meeting, insider)
    hears_strangers(meeting, a, insider)
    assert len(a.groups) == followed


def test_nobody_follows_one_on_the_word_of_a_host_that_was_thrown_out() -> None:
    meeting, other, a, insider = a_call_from_elsewhere(is_kicked=True)
    meeting_id = meeting.invitation.content.meeting_id
    accomplice = outranking(other.session._own.identity)
    word = issue(
        insider.who.signer, meeting_id, accomplice.key, Role.HOST, issuer_admission=insider.admission
    )
    hears_strangers(meeting, a, insider)
    insider.say(lobby.gather(accomplice.signer, word, meeting_id, b"e" * 32))
    hears_strangers(meeting, a, insider)
    assert len(a.groups) == 1


def test_nobody_follows_an_old_call_of_a_host_that_is_here() -> None:
    meeting, host, a, insider = stranger_and(Role.MEMBER)
    own, meeting_id = host.session._own, meeting.invitation.content.meeting_id
    old = lobby.gather(own.identity.signer, own.own_admission(), meeting_id, b"e" * 32)
    hears_strangers(meeting, a, insider)
    insider.say(old)
    hears_strangers(meeting, a, insider)
    assert len(a.groups) == 1
    assert len(host.groups) == 1
