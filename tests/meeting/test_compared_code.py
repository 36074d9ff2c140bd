"""When the code came, why, and with whom it was compared."""

import pytest

from conclaved.meeting import LocalError
from tests.meeting.simulated_service import Meeting, Room, agree, identity


def three() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"))
    host = meeting.room(meeting.host)
    a, b = meeting.room(identity("a.example.com")), meeting.room(identity("b.example.com"))
    meeting.service.run(2)
    agree(host, a, b)
    return meeting, host, a, b


def compare(room: Room, name: str, *, is_compared: bool = True) -> None:
    room.perform(room.session.compare(room.leaf(name), is_compared, room.service.clock.now))


def compared(room: Room) -> set[str]:
    return {p.name for p in room.view.participants if p.is_compared}


def test_the_code_says_when_it_came() -> None:
    meeting, host, a, _ = three()
    meeting.service.run(7)
    wall = meeting.service.clock.wall()
    meeting.room(identity("late.example.com"))
    meeting.service.run(1)
    for room in (host, a):
        assert room.view.code_reason == "late.example.com joined"
        assert wall <= room.view.code_time <= wall + 1


def test_who_is_alone_has_no_code_and_no_time_of_it() -> None:
    meeting = Meeting.invite(())
    assert meeting.room(meeting.host).view.code_time == 0


def test_who_was_compared_with_is_ticked_off_in_this_room_only() -> None:
    _, host, a, _ = three()
    compare(host, "a.example.com")
    assert compared(host) == {"a.example.com"}
    assert not compared(a)


def test_a_tick_can_be_taken_back() -> None:
    _, host, _, _ = three()
    compare(host, "a.example.com")
    compare(host, "a.example.com", is_compared=False)
    assert not compared(host)


def test_a_new_code_takes_every_tick_away() -> None:
    meeting, host, _, _ = three()
    compare(host, "a.example.com")
    meeting.room(identity("late.example.com"))
    meeting.service.run(1)
    assert not compared(host)


def test_a_leave_keeps_the_code_its_time_and_the_ticks() -> None:
    meeting, host, _, b = three()
    compare(host, "a.example.com")
    before = host.view
    b.leave()
    meeting.service.run(2)
    assert host.view.epoch > before.epoch
    assert host.view.code_time == before.code_time
    assert host.view.security_code == before.security_code
    assert compared(host) == {"a.example.com"}


@pytest.mark.parametrize("leaf", ["own", "unknown"])
def test_there_is_nothing_to_compare_with_oneself_or_nobody(leaf: str) -> None:
    _, host, _, _ = three()
    before = host.state()
    with pytest.raises(LocalError, match="no such other member"):
        host.session.compare(host.leaf("host.example.com") if leaf == "own" else 17, True, 0.0)
    assert host.state() == before
