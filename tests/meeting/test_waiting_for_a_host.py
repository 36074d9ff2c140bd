"""A locked meeting that no host is in: who comes, or comes back, waits outside."""

from conclaved.meeting import Level, State
from conclaved.meeting.entering import LOOK_AGAIN_S
from conclaved.meeting.events import SendLive
from conclaved.meeting.meeting_context import MeetingContext
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Meeting, Room, agree, identity

NO_HOST_LEFT = "all hosts of the locked meeting have vanished"
NAMES = ("a.example.com", "b.example.com", "c.example.com")


def without_host() -> tuple[Meeting, Room, Room, Room]:
    """Three members whose host has crashed, and was cleared away as vanished."""
    meeting = Meeting.invite(NAMES, level=Level.LOCKED)
    host, a, b, c = (meeting.room(who) for who in (meeting.host, *map(identity, NAMES)))
    meeting.service.run(4)
    agree(host, a, b, c)
    meeting.service.crash(host)
    meeting.service.run(30)
    agree(a, b, c)
    assert "host.example.com" not in a.names()
    return meeting, a, b, c


def restart(meeting: Meeting, room: Room, name: str) -> Room:
    """The device of that name is killed, and comes back with its key and admission."""
    identity_of, admission = room.session._own.identity, room.session.admission
    meeting.service.crash(room)
    assert room.view.participants
    return meeting.room(identity_of, name=name, admission=admission)


def test_a_room_that_comes_back_waits_and_says_for_what() -> None:
    meeting, _, _, c = without_host()
    back = restart(meeting, c, "c")
    meeting.service.run(4)
    assert back.view.state is State.OFFERING
    assert "no host" in back.view.waits_for
    assert not back.has_ended()
    assert not back.keys


def test_those_inside_do_not_send_before_a_host_is_heard() -> None:
    # The hosts may have thrown one of them out in another group that the service hides.
    meeting, a, b, c = without_host()
    rooms = (a, b, c)
    for _ in range(10):
        meeting.service.run(2)
        assert [room.view.behind for room in rooms] == [NO_HOST_LEFT] * 3
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    agree(*rooms, host)
    meeting.service.run(2)
    for _ in range(20):
        assert all(room.may_send() for room in rooms)
        meeting.service.run(0.5)


def test_a_host_that_only_seems_to_be_back_is_not_enough() -> None:
    meeting, a, b, c = without_host()
    host = meeting.room(meeting.host)
    meeting.service.upstream = lambda client, effect: client is not host or not isinstance(effect, SendLive)
    meeting.service.run(4)
    agree(a, b, c, host)
    assert [room.view.behind for room in (a, b, c)] == [NO_HOST_LEFT] * 3


def test_the_others_remove_it_again_and_nobody_minds() -> None:
    meeting, a, b, c = without_host()
    restart(meeting, c, "c")
    for _ in range(100):
        meeting.service.run(0.2)
        assert a.view.behind == b.view.behind == NO_HOST_LEFT
    agree(a, b)
    assert "c.example.com" not in a.names()


def test_it_is_in_soon_after_a_host_has_come() -> None:
    meeting, a, b, c = without_host()
    back = restart(meeting, c, "c")
    meeting.service.run(12)
    assert not back.is_in()
    host = meeting.room(meeting.host)
    meeting.service.run(6)
    agree(a, b, back, host)
    assert back.view.waits_for == ""


def test_it_looks_again_after_a_while_and_not_all_the_time() -> None:
    meeting, a, _, c = without_host()
    restart(meeting, c, "c")
    meeting.service.run(5)
    epoch = a.view.epoch
    meeting.service.run(LOOK_AGAIN_S - 10)
    assert a.view.epoch == epoch
    meeting.service.run(20)
    assert a.view.epoch == epoch + 2


def test_a_welcome_into_a_group_without_a_host_does_not_keep_out_one_that_comes_after_it() -> None:
    # Whoever was in once can make such a group, and be the first to answer the offer.
    meeting = Meeting.invite(NAMES, level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(identity(NAMES[0]))
    meeting.service.run(3)
    agree(host, a)
    founder = Insider.admit(meeting)
    founder.found(MeetingContext(meeting.invitation))
    late = meeting.room(identity(NAMES[1]))
    assert late.view.state is State.OFFERING
    founder.welcome()
    meeting.service.settle()
    assert "no host" in late.view.waits_for
    meeting.service.run(1)
    agree(host, a, late)
    assert late.view.waits_for == ""


def test_no_key_of_the_group_that_it_did_not_enter_is_left() -> None:
    meeting = Meeting.invite(NAMES, level=Level.LOCKED)
    who = identity(NAMES[0])
    founder = Insider.admit(meeting).found(MeetingContext(meeting.invitation))
    a = meeting.room(who, admission=meeting.admission(who))
    meeting.service.run(1)
    a.holds_jobs = True
    founder.welcome()
    meeting.service.settle()
    a.work()
    group = a.session._entering._outside
    assert group is not None
    a.leave()
    assert a.has_ended()
    assert group.stage_of_life.value == "closed"


def test_a_room_in_the_lobby_knows_whether_the_invitation_names_it() -> None:
    meeting = Meeting.invite(("a.example.com",))
    invited, guest = (meeting.room(identity(name)) for name in ("a.example.com", "guest.example.com"))
    meeting.service.run(5)
    assert all(room.view.state is State.ASKING and room.view.is_kept_waiting for room in (invited, guest))
    assert (invited.view.is_invited, guest.view.is_invited) == (True, False)
