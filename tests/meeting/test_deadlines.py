"""When a session wants to be called again."""

from conclaved.meeting.committing import BATCH_S, TAKEOVER_S
from conclaved.meeting.events import Leader
from conclaved.meeting.leaving import LEAVE_WITHIN_S
from tests.meeting.simulated_service import Meeting, Room, agree, identity


def two() -> tuple[Meeting, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    meeting.service.run(2)
    agree(host, a)
    return meeting, host, a


def ticks(room: Room, seconds: float) -> int:
    """How often a session that nothing happens to is called, if it is called when it wants to be."""
    clock, count = room.service.clock, 0
    until = clock.now + seconds
    while clock.now < until:
        clock.now = room.session.next_deadline(clock.now)
        room.tick(clock.now)
        room.service.settle()
        count += 1
    return count


def test_an_idle_session_is_called_about_twice_a_second() -> None:
    _, host, _ = two()
    assert ticks(host, 10) <= 26


def test_a_session_on_its_way_in_is_called_about_twice_a_second() -> None:
    meeting = Meeting.invite(("a.example.com",))
    assert ticks(meeting.room(identity("a.example.com")), 10) <= 26


def test_a_commit_is_made_as_soon_as_the_window_for_others_ends() -> None:
    meeting, host, _ = two()
    host.hear(Leader(True))
    meeting.room(identity("b.example.com"))
    now = meeting.service.clock.now
    assert host.session.next_deadline(now) <= now + BATCH_S


def test_one_who_does_not_lead_is_not_woken_before_its_turn() -> None:
    meeting, host, a = two()
    meeting.service.names_leaders = False
    host.hear(Leader(False))
    meeting.room(identity("b.example.com"))
    meeting.service.upstream = lambda client, effect: client is a
    assert ticks(a, TAKEOVER_S - 0.2) <= 6


def test_a_leaver_is_called_when_its_time_is_over() -> None:
    meeting, _, a = two()
    meeting.service.upstream = lambda client, effect: False
    a.leave()
    until = meeting.service.clock.now + LEAVE_WITHIN_S
    assert a.session.next_deadline(until - 0.2) == until
