"""How long an alarm lasts, and whom it names."""

from conclaved.meeting.alarms import ALARM_S, CHANGES_A_MINUTE
from conclaved.meeting.audit import Event
from conclaved.mls import LeafChange, X509Credential
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import PUBLIC_CA, WALL, Meeting, Room, agree, identity

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


# -- a member that changes its certificate all the time -------------------------------------------------


def change_certificate(meeting: Meeting, member: Insider, times: int, *names: str) -> None:
    """It takes one certificate for its key after the other."""
    key = member.who.signer.certificate_public_key
    for turn in range(times):
        name = names[turn % len(names)]
        chain = PUBLIC_CA.issue(key, dns=[name], not_before=WALL - 60, not_after=WALL + 86400 + turn)
        member.commit(enters=True, leaf=LeafChange(credential=X509Credential(tuple(chain))))
        meeting.service.settle()


def test_a_few_new_certificates_raise_no_alarm_and_have_a_line_each() -> None:
    meeting, host, a, member = begun()
    change_certificate(meeting, member, CHANGES_A_MINUTE, "insider.example.com")
    assert [room.view.alarms for room in (host, a)] == [(), ()]
    written = [entry for entry in a.session.record.entries if entry.event is Event.RENEWED]
    assert len(written) == CHANGES_A_MINUTE


def test_one_that_changes_the_code_again_and_again_is_named_until_it_stops_for_a_minute() -> None:
    meeting, host, a, member = begun()
    change_certificate(meeting, member, 20, "insider.example.com")
    for room in (host, a):
        assert room.view.alarms == (
            "insider.example.com changes its certificate again and again, and with it the code; "
            "a host can remove it",
        )
    assert len(alarms_written(a)) == 1
    meeting.service.run(ALARM_S + 1)
    assert [room.view.alarms for room in (host, a)] == [(), ()]


def test_one_that_takes_another_name_each_time_is_named_as_it_came_and_until_a_host_throws_it_out() -> None:
    meeting, host, a, member = begun()
    change_certificate(meeting, member, 20, "x.example.com", "y.example.com", "z.example.com")
    (alarm,) = a.view.alarms
    assert alarm.startswith("\u201cinsider.example.com\u201d changes")
    host.perform(host.session.kick(member.leaf, meeting.service.clock.now))
    meeting.service.run(3)
    assert [room.view.alarms for room in (host, a)] == [(), ()]


def test_what_one_does_again_and_again_has_one_line_in_the_record_that_counts() -> None:
    meeting, _, a, member = begun()
    before = len(a.session.record.entries)
    change_certificate(meeting, member, CHANGES_A_MINUTE + 18, "insider.example.com")
    entries = a.session.record.entries[before:]
    # The changes that an honest one may make, with their codes; the alarm; one line, and its code.
    assert len(entries) == 2 * CHANGES_A_MINUTE + 3
    alarm, renewed, code = entries[-3:]
    assert alarm.event is Event.ALARM
    assert renewed.cause.endswith(f"; and 17 more times, the last in epoch {a.view.epoch}")
    assert (code.event, code.epoch) == (Event.CODE_EPOCH, a.view.code_epoch)
    assert code.cause.endswith(f"; and 17 more times before, since epoch {a.view.epoch - 17}")
    assert [entry.seq for entry in entries] == list(range(before + 1, before + 1 + len(entries)))


def test_a_code_by_another_cause_has_its_own_line() -> None:
    meeting, _, a, member = begun()
    change_certificate(meeting, member, CHANGES_A_MINUTE + 2, "insider.example.com")
    late = meeting.room(B)
    meeting.service.run(3)
    assert late.is_in()
    change_certificate(meeting, member, 2, "insider.example.com")
    codes = [entry for entry in a.session.record.entries if entry.event is Event.CODE_EPOCH]
    assert "b.example.com joined" in codes[-2].cause
    assert codes[-1].cause.endswith(f"; and 1 more time before, since epoch {a.view.epoch - 1}")
