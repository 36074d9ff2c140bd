"""What a meeting does when everybody is honest."""

from conclaved.identity import Assurance
from conclaved.meeting import State
from conclaved.meeting.admission import Role
from tests.meeting.simulated_service import PROVIDER_CA, Meeting, Room, identity, in_group


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host = meeting.room(meeting.host)
    a = meeting.room(identity("a.example.com"))
    b = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    return meeting, host, a, b


def test_invited_rooms_come_in_by_themselves_and_show_one_code() -> None:
    _, host, a, b = three_rooms()
    assert in_group(host, a, b)
    names = {"host.example.com", "a.example.com", "b.example.com"}
    assert host.names() == a.names() == b.names() == names
    assert host.view.security_code == a.view.security_code == b.view.security_code != ""
    assert all(p.assurance is Assurance.VERIFIED for p in a.view.participants)


def test_all_members_have_the_same_media_keys() -> None:
    _, host, a, b = three_rooms()
    keys = {(room.keys[-1].epoch, bytes(room.keys[-1].base_key)) for room in (host, a, b)}
    assert len(keys) == 1


def test_a_founder_alone_shows_no_code() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    assert host.view.state is State.IN_GROUP
    assert host.view.security_code == ""


def test_a_leave_rotates_the_key_and_keeps_the_code() -> None:
    meeting, host, a, b = three_rooms()
    code, epoch = host.view.security_code, host.view.epoch
    b.perform(b.session.leave(meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    assert not b.ended.is_error
    assert host.names() == {"host.example.com", "a.example.com"}
    assert host.view.epoch == a.view.epoch > epoch
    assert host.view.security_code == a.view.security_code == code
    assert bytes(host.keys[-1].base_key) == bytes(a.keys[-1].base_key) != bytes(b.keys[-1].base_key)


def test_the_leader_can_leave() -> None:
    meeting, host, a, b = three_rooms()
    host.perform(host.session.leave(meeting.service.clock.now))
    meeting.service.run(8)
    assert a.names() == b.names() == {"a.example.com", "b.example.com"}
    assert a.view.epoch == b.view.epoch


def test_a_guest_waits_in_the_lobby_and_changes_the_code_when_admitted() -> None:
    meeting, host, a, b = three_rooms()
    code = host.view.security_code
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(5)
    assert guest.view.state is State.ASKING
    assert [w.name for w in host.view.lobby] == ["guest.provider.example"]
    assert a.view.lobby == ()
    host.perform(host.session.admit("guest.provider.example", meeting.service.clock.now))
    meeting.service.run(5)
    assert in_group(guest)
    codes = {room.view.security_code for room in (host, a, b, guest)}
    assert len(codes) == 1
    assert codes != {code}
    shown = next(p for p in a.view.participants if p.name == "guest.provider.example")
    assert shown.assurance is Assurance.PROVIDER
    assert shown.role is Role.GUEST
    assert shown.admitted_by == "host.example.com"
    assert "guest.provider.example (guest) joined" in a.view.code_reason
    assert host.view.lobby == ()


def test_a_denied_guest_is_told() -> None:
    meeting, host, _, _ = three_rooms()
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    host.perform(host.session.deny("guest.provider.example", meeting.service.clock.now))
    meeting.service.run(3)
    assert guest.ended is not None
    assert guest.ended.is_error


def test_members_stay_alive_for_a_minute() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.run(60)
    assert [room.view.behind for room in (host, a, b)] == ["", "", ""]
    assert all(p.is_heard for p in a.view.participants if p.role is Role.HOST)


def test_a_kicked_member_is_out_and_waits_in_the_lobby_if_it_comes_back() -> None:
    meeting, host, a, b = three_rooms()
    leaf = next(p.leaf for p in host.view.participants if p.name == "b.example.com")
    host.perform(host.session.kick(leaf, meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    assert "removed" in b.ended.reason
    assert a.names() == {"host.example.com", "a.example.com"}
    # A new key for the same name is no way around it, invited or not.
    back = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    assert back.view.state is State.ASKING
    assert [w.name for w in host.view.lobby] == ["b.example.com"]


def test_a_kicked_key_comes_back_when_a_host_says_so() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    own = identity("b.example.com")
    host, a, b = meeting.room(meeting.host), meeting.room(identity("a.example.com")), meeting.room(own)
    meeting.service.run(5)
    leaf = next(p.leaf for p in host.view.participants if p.name == "b.example.com")
    host.perform(host.session.kick(leaf, meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    back = meeting.room(own)
    meeting.service.run(3)
    host.perform(host.session.admit("b.example.com", meeting.service.clock.now))
    meeting.service.run(8)
    assert in_group(back, a)
    assert "b.example.com" in a.names()
