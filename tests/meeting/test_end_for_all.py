"""A host ends the meeting for everybody."""

import pytest

from conclaved.meeting import GroupRuleError, LocalError, Role, State
from conclaved.meeting.events import Effect, Publish, SendLobby
from conclaved.meeting.joining import DENIED_AFTER_S, DENIED_BY_ANOTHER_AFTER_S
from conclaved.meeting.leaving import LEAVE_WITHIN_S, TOLD_WITHIN_S
from conclaved.meeting.own_side import OwnIdentity
from tests.meeting.insider import VANISHED, Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
OTHER_HOST = identity("other-host.example.com")
ENDED = "host.example.com ended the meeting for all"


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"))
    rooms = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(*rooms)
    return meeting, *rooms


def all_ended(*rooms: Room, reason: str = ENDED) -> bool:
    return all(room.ended is not None and room.ended.reason == reason for room in rooms)


def test_every_room_ends_and_says_who_ended_the_meeting() -> None:
    meeting, host, a, b = three_rooms()
    host.end_for_all()
    meeting.service.run(1)
    assert all_ended(host, a, b)
    assert not any(room.ended.is_error for room in (host, a, b) if room.ended)
    assert all(room.keyring.epoch is None for room in (host, a, b))


def test_an_end_is_carried_out_by_whoever_commits() -> None:
    meeting, host, a, b = three_rooms()
    committers: list[Client] = []

    def others_only(client: Client, effect: Effect) -> bool:
        if isinstance(effect, Publish) and effect.expected is not None:
            committers.append(client)
            return client is b
        return True

    meeting.service.upstream = others_only
    host.end_for_all()
    meeting.service.run(LEAVE_WITHIN_S - 0.2)
    assert all_ended(host, a, b)
    assert committers[-1] is b


def test_a_host_alone_just_ends() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    host.end_for_all()
    assert all_ended(host)


def with_a_guest_outside(*members: OwnIdentity) -> tuple[Meeting, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host = meeting.room(meeting.host)
    for member in members:
        meeting.room(member)
    meeting.service.run(4)
    guest = meeting.room(identity("guest.example.com"))
    meeting.service.run(1)
    assert [w.name for w in host.view.lobby] == ["guest.example.com"]
    return meeting, host, guest


@pytest.mark.parametrize("members", [(), (A, B)], ids=["alone", "with others"])
def test_who_waits_in_the_lobby_hears_who_ended_the_meeting(members: tuple[OwnIdentity, ...]) -> None:
    meeting, host, guest = with_a_guest_outside(*members)
    host.end_for_all()
    meeting.service.run(DENIED_AFTER_S + 1)
    assert all_ended(host, guest)
    assert guest.ended
    assert not guest.ended.is_error


def test_who_asks_while_the_meeting_ends_hears_of_it_too() -> None:
    meeting, host, _a, _b = three_rooms()
    meeting.service.upstream = lambda client, effect: client is not host or isinstance(effect, SendLobby)
    host.end_for_all()
    meeting.service.run(1)
    guest = meeting.room(identity("guest.example.com"))
    meeting.service.run(DENIED_AFTER_S + 1)
    assert all_ended(guest)


def test_the_end_waits_until_those_in_the_lobby_are_answered_but_not_for_long() -> None:
    meeting, host, guest = with_a_guest_outside(A)
    host.holds_jobs = True
    host.end_for_all()
    assert not host.has_ended()
    host.holds_jobs = False
    meeting.service.run(TOLD_WITHIN_S + 1)
    assert all_ended(host)
    assert not guest.has_ended()


def test_a_second_host_that_ended_it_has_no_name_outside() -> None:
    meeting, host, guest = with_a_guest_outside(A)
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    meeting.service.run(4)
    other.end_for_all()
    meeting.service.run(DENIED_AFTER_S + 1)
    assert all_ended(host, other, reason="other-host.example.com ended the meeting for all")
    assert guest.view.waits_for == "another host, since a host ended the meeting for all"
    meeting.service.run(DENIED_BY_ANOTHER_AFTER_S)
    assert all_ended(guest, reason="a host ended the meeting for all")


def test_an_end_that_comes_after_the_end_of_its_epoch_is_proposed_again() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    insider.commit(enters=True)
    host.end_for_all()
    meeting.service.run(2)
    assert all_ended(host, a, b)


def test_kicks_go_with_the_end() -> None:
    meeting, host, a, b = three_rooms()
    host.kick("b.example.com")
    host.end_for_all()
    meeting.service.run(2)
    assert all_ended(host, a)
    assert b.ended is not None


def test_nobody_comes_in_with_the_commit_that_ends_the_meeting() -> None:
    meeting, host, a, b = three_rooms()
    late = Insider.admit(meeting)
    late.offer()
    host.end_for_all()
    meeting.service.run(2)
    assert all_ended(host, a, b)
    assert not late.is_in()


def test_a_commit_that_passes_over_the_end_is_nobodys() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    epoch = a.view.epoch
    host.end_for_all()
    meeting.service.settle()
    insider.commit()
    insider.commit([], authenticated_data=VANISHED)
    meeting.service.settle()
    assert a.view.epoch == b.view.epoch == epoch
    assert all(isinstance(room.bad_inputs[-1], GroupRuleError) for room in (a, b))
    meeting.service.run(1)
    assert all_ended(host, a, b)


def test_a_room_that_comes_afterwards_finds_an_empty_address() -> None:
    meeting, host, _a, _b = three_rooms()
    host.end_for_all()
    meeting.service.run(2)
    meeting.service.log.clear()
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(2)
    assert late.view.state is State.ASKING
    again = meeting.room(meeting.host)
    meeting.service.run(4)
    agree(again, late)


def test_an_end_that_the_service_swallows_ends_for_the_host_and_says_what_is_open() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.upstream = lambda client, effect: client is not host
    host.end_for_all()
    assert host.view.is_leaving
    assert not host.may_send()
    meeting.service.run(LEAVE_WITHIN_S + 0.2)
    assert host.ended is not None
    assert host.ended.is_error
    assert "may not have heard" in host.ended.reason
    assert host.ended.hint
    assert a.is_in()
    assert b.is_in()


def test_a_second_host_may_end_it_too_and_is_named() -> None:
    meeting, host, a, b = three_rooms()
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    meeting.service.run(4)
    other.end_for_all()
    meeting.service.run(2)
    assert all_ended(host, other, a, b, reason="other-host.example.com ended the meeting for all")


def test_only_a_host_ends_it() -> None:
    meeting, host, a, b = three_rooms()
    before = [room.state() for room in (host, a, b)]
    with pytest.raises(LocalError) as caught:
        a.end_for_all()
    assert caught.value.hint
    meeting.service.run(1)
    assert [room.state() for room in (host, a, b)] == before
