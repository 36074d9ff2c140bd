"""Members that are gone without a word, or only seem to be."""

import pytest

from conclaved.meeting import Role, State
from conclaved.meeting.awaiting import COMES_BACK_S
from conclaved.meeting.events import CarrierEvent, Entry, Live
from conclaved.mls import Remove
from tests.meeting.insider import LEAVE, VANISHED, Insider
from tests.meeting.simulated_service import PROVIDER_CA, Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(host, a, b)
    return meeting, host, a, b


def test_a_host_that_crashes_is_cleared_away_after_twenty_seconds_and_the_lock_comes_back() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.crash(host)
    meeting.service.run(6)
    assert not a.may_send()
    assert not b.may_send()
    meeting.service.run(12)
    assert "host.example.com" in a.names()
    meeting.service.run(4)
    for room in (a, b):
        assert room.names() == {"a.example.com", "b.example.com"}
        assert room.may_send()
        assert any("host.example.com was taken to have vanished" in text for text in room.view.news)
    agree(a, b)


def test_taking_somebody_for_gone_changes_the_code_and_says_why() -> None:
    # It may go on elsewhere, where this one is out: people must not find the same code there.
    meeting, host, a, b = three_rooms()
    code = a.view.security_code
    meeting.service.crash(b)
    meeting.service.run(25)
    agree(host, a)
    assert a.view.security_code != code
    assert a.view.code_epoch == a.view.epoch
    assert a.view.code_reason == "b.example.com was taken to have vanished, by host.example.com"


def test_one_heard_a_moment_ago_that_is_taken_for_gone_is_waited_for() -> None:
    meeting, _, a, b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    meeting.service.disconnect(b)
    insider.commit([Remove(insider.leaf_of(B))], authenticated_data=VANISHED, enters=True)
    meeting.service.settle()
    assert a.view.behind == "b.example.com was taken to have vanished, and was heard just before"
    meeting.service.connect(b)
    meeting.service.run(1)
    assert a.may_send()
    assert len(a.groups) == 1


def test_it_is_not_waited_for_for_ever() -> None:
    meeting, _, a, b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    meeting.service.crash(b)
    insider.commit([Remove(insider.leaf_of(B))], authenticated_data=VANISHED, enters=True)
    meeting.service.settle()
    insider.propose(Remove(insider.leaf), LEAVE)
    meeting.service.run(COMES_BACK_S - 1)
    assert not a.may_send()
    meeting.service.run(2)
    assert a.may_send()
    assert len(a.groups) == 1
    assert any("b.example.com was taken to have vanished" in text for text in a.view.news)


@pytest.mark.parametrize("after_s", [3, 19.4, 40])
def test_a_host_that_crashed_comes_back_by_itself_with_its_admission(after_s: float) -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.crash(host)
    meeting.service.run(after_s)
    again = meeting.room(meeting.host, admission=host.session.admission)
    meeting.service.run(6)
    agree(again, a, b)
    assert len(a.names()) == 3
    assert again.view.is_host
    assert a.view.lobby == b.view.lobby == ()
    # It stays: what was not heard of it before counts no more.
    epoch = a.view.epoch
    meeting.service.run(25)
    assert a.view.epoch == epoch
    assert all(room.may_send() for room in (again, a, b))


def no_live(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
    return [] if isinstance(event, Live) else [event]


def test_one_that_has_come_back_is_given_its_twenty_seconds_anew() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.crash(host)
    meeting.service.run(16)
    again = meeting.room(meeting.host, admission=host.session.admission)
    meeting.service.filter = no_live
    meeting.service.run(7)
    agree(again, a, b)
    assert len(a.names()) == 3
    assert len(again.groups) == 1


def test_in_a_new_group_everybody_is_given_time_to_be_heard() -> None:
    meeting, host, a, _ = three_rooms()
    for room in (host, a):
        meeting.service.disconnect(room)
    meeting.service.run(10)
    meeting.service.filter = no_live
    meeting.service.lose_log(host, a)
    meeting.service.run(1)
    agree(host, a)
    for _ in range(30):
        assert a.may_send()
        meeting.service.run(0.1)


def test_a_guest_that_crashed_comes_back_without_the_lobby() -> None:
    meeting = Meeting.invite(())
    guest_identity = identity("guest.provider.example", PROVIDER_CA)
    host, guest = meeting.room(meeting.host), meeting.room(guest_identity)
    meeting.service.run(3)
    host.admit("guest.provider.example")
    meeting.service.run(3)
    agree(host, guest)
    meeting.service.crash(guest)
    meeting.service.run(25)
    assert host.names() == {"host.example.com"}
    again = meeting.room(guest_identity, admission=guest.session.admission)
    meeting.service.run(4)
    agree(host, again)
    assert host.view.lobby == ()


def test_a_room_that_is_killed_five_times_in_a_row_is_back_within_three_seconds_each_time() -> None:
    meeting, host, a, b = three_rooms()
    for _ in range(5):
        meeting.service.crash(b)
        b = meeting.room(B, admission=b.session.admission)
        meeting.service.run(3)
        agree(host, a, b)
    assert len(host.names()) == 3


def test_a_room_that_is_killed_every_few_seconds_is_always_back_within_three() -> None:
    meeting, host, a, b = three_rooms()
    for _ in range(20):
        meeting.service.crash(b)
        meeting.service.run(2)
        b = meeting.room(B, admission=b.session.admission)
        meeting.service.run(2)
        agree(host, a, b)


def test_an_admission_of_another_key_or_meeting_brings_nobody_back() -> None:
    meeting, host, _, _ = three_rooms()
    guest = identity("guest.provider.example", PROVIDER_CA)
    for admission in (meeting.admission(A), Meeting.invite(()).admission(guest, Role.HOST)):
        room = meeting.room(guest, admission=admission)
        meeting.service.run(2)
        assert room.view.state is State.ASKING
        room.leave()
    assert len(host.names()) == 3


def test_one_removed_as_vanished_that_is_alive_comes_back() -> None:
    meeting, host, a, b = three_rooms()
    # The service keeps what A says from all others.
    meeting.service.upstream = lambda client, effect: client is not a
    meeting.service.run(22)
    assert "a.example.com" not in host.names()
    meeting.service.upstream = lambda client, effect: True
    meeting.service.run(6)
    agree(host, a, b)
    assert len(a.groups) == 2
    assert any("vanished" in text for text in b.view.news)


def test_one_who_is_offline_takes_nobody_to_have_vanished() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.disconnect(a)
    meeting.service.run(15)
    meeting.service.connect(a)
    meeting.service.run(4)
    agree(host, a, b)
    assert len(a.names()) == 3
    assert [room.view.news for room in (host, a, b)] == [(), (), ()]


def test_who_is_leaving_when_it_is_taken_to_have_vanished_is_gone() -> None:
    meeting, host, _, b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    meeting.service.upstream = lambda client, effect: client is not b
    b.leave()
    assert not b.may_send()
    meeting.service.settle()
    insider.commit([Remove(insider.leaf_of(B))], authenticated_data=VANISHED, enters=True)
    meeting.service.settle()
    assert b.ended is not None
    assert not b.ended.is_error
    meeting.service.run(6)
    assert "b.example.com" not in host.names()


def test_a_leaver_waits_until_it_is_removed_and_no_longer() -> None:
    meeting, host, a, b = three_rooms()
    b.leave()
    assert b.view.is_leaving
    assert not b.may_send()
    assert not b.has_ended()
    meeting.service.run(1)
    assert b.ended is not None
    assert "b.example.com" not in host.names()
    assert all("b.example.com left" in room.view.news for room in (host, a))
    # It could follow the commit that removes it, and does not think of coming back.
    assert b.bad_inputs == []
    assert b.view.news == ()


def test_the_service_hides_nothing_from_a_leaver_that_would_keep_it() -> None:
    meeting, _, a, _ = three_rooms()
    meeting.service.filter = lambda room, event: (
        [] if room is a and isinstance(event, Entry | Live) else [event]
    )
    a.leave()
    meeting.service.run(4.5)
    assert not a.has_ended()
    meeting.service.run(1)
    assert a.ended is not None
    assert not a.ended.is_error


def test_who_is_taken_to_have_vanished_again_and_again_comes_back_each_time() -> None:
    # It is not its doing: one could be kept out so otherwise.
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    for _ in range(12):
        leaf = next(m.leaf_index for m in insider.live.members if m.leaf_node.signature_key == key_of(a))
        insider.commit([Remove(leaf)], authenticated_data=VANISHED, enters=True)
        meeting.service.run(1.5)
        agree(host, a, b)
    assert "a.example.com" in host.names()


def key_of(room: Room) -> bytes:
    return next(p.signature_key for p in room.view.participants if p.is_self)


def test_a_member_that_takes_everybody_else_for_gone_does_not_have_the_meeting_to_itself() -> None:
    # Alone in the group, it would take nobody in again, and nobody could throw it out.
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    others = [m.leaf_index for m in insider.live.members if m.leaf_index != insider.leaf]
    insider.commit([Remove(leaf) for leaf in others], authenticated_data=VANISHED)
    meeting.service.run(10)
    agree(host, a, b)


def test_what_a_member_alone_takes_for_gone_nobody_else_clears_away() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    epoch = host.view.epoch
    insider.propose(Remove(insider.leaf_of(A)), VANISHED)
    meeting.service.run(4)
    agree(host, a, b)
    assert host.view.epoch == epoch


def test_a_member_left_alone_with_a_silent_host_waits_for_it_and_takes_in_who_comes() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(A)
    b_admission = meeting.admission(B)
    meeting.service.run(3)
    agree(host, a)
    meeting.service.crash(host)
    meeting.service.run(40)
    assert "host.example.com" in a.names()
    assert not a.may_send()
    b = meeting.room(B, admission=b_admission)
    meeting.service.run(26)
    agree(a, b)
    assert a.names() == {"a.example.com", "b.example.com"}
    assert a.may_send()
    assert b.may_send()


def test_who_is_not_heard_is_named_as_the_reason_not_to_send() -> None:
    meeting = Meeting.invite(("a.example.com",))
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    meeting.service.run(8)
    agree(host, a)
    meeting.service.crash(host)
    meeting.service.run(6)
    assert a.view.behind == "not heard for five seconds: host.example.com"
