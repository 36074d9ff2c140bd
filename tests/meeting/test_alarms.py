"""How long an alarm lasts, and whom it names."""

from conclaved.meeting.alarms import ALARM_S
from conclaved.meeting.audit import Event
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
INVITED = ("a.example.com", "b.example.com", "insider.example.com")


def begun() -> tuple[Meeting, Room, Room, Insider]:
    """A meeting with a host, a member, and one that keeps to no rule."""
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    member = Insider.admit(meeting).join()
    meeting.service.run(3)
    agree(host, a)
    return meeting, host, a, member


def play_two_sides(meeting: Meeting, member: Insider) -> None:
    before = member.live
    spare = before.protect(before.commit().content)
    member.commit(enters=True)
    meeting.service.settle()
    member.publish(spare)
    meeting.service.settle()


def alarms_written(room: Room) -> list[str]:
    return [entry.cause for entry in room.session.record.entries if entry.event is Event.ALARM]


def test_an_alarm_names_the_signer_of_a_second_commit_and_stays_while_the_code_does() -> None:
    meeting, host, a, member = begun()
    play_two_sides(meeting, member)
    meeting.service.run(10)
    for room in (host, a):
        (alarm,) = room.view.alarms
        assert "signed by insider.example.com" in alarm


def test_an_alarm_ends_with_the_next_code_and_is_news_then_and_in_the_record() -> None:
    meeting, host, a, member = begun()
    play_two_sides(meeting, member)
    (alarm,) = a.view.alarms
    late = meeting.room(B)
    meeting.service.run(4)
    agree(host, a, late)
    assert [room.view.alarms for room in (host, a)] == [(), ()]
    assert f"until now: {alarm}" in a.view.news
    assert alarms_written(a) == [alarm]


def test_one_member_does_not_break_the_lock_for_the_rest_of_the_meeting() -> None:
    meeting, host, a, member = begun()
    play_two_sides(meeting, member)
    assert a.view.alarms
    host.kick("insider.example.com")
    meeting.service.run(3)
    agree(host, a)
    assert [room.view.alarms for room in (host, a)] == [(), ()]


def test_who_was_thrown_out_raises_an_alarm_for_a_minute_at_most() -> None:
    meeting, host, a, member = begun()
    before = member.live
    spare = before.protect(before.commit().content)
    member.is_following = False
    host.kick("insider.example.com")
    meeting.service.run(2)
    member.publish(spare)
    meeting.service.run(2)
    assert [len(room.view.alarms) for room in (host, a)] == [1, 1]
    meeting.service.run(ALARM_S)
    assert [room.view.alarms for room in (host, a)] == [(), ()]
