"""One name for one admission: who comes back is who a host let in."""

import pytest

from conclaved.meeting import Level, OwnIdentity
from conclaved.mls import LeafChange, Remove, X509Credential
from tests.meeting.insider import LEAVE, Insider
from tests.meeting.simulated_service import PUBLIC_CA, WALL, Meeting, Room, agree, identity

A = identity("a.example.com")
CHAIR = "chairwoman.example.net"


def renamed(who: OwnIdentity) -> OwnIdentity:
    """The same key with a certificate for another name."""
    chain = PUBLIC_CA.issue(
        who.signer.certificate_public_key, dns=[CHAIR], not_before=WALL - 60, not_after=WALL + 86400
    )
    return OwnIdentity(who.signer, tuple(chain))


def locked_meeting() -> tuple[Meeting, Room, Insider]:
    meeting = Meeting.invite(("a.example.com",), level=Level.LOCKED)
    host, _ = meeting.room(meeting.host), meeting.room(A)
    member = Insider.admit(meeting).join()
    meeting.service.run(2)
    return meeting, host, member


def test_a_member_does_not_come_back_under_another_name() -> None:
    meeting, host, member = locked_meeting()
    member.who, member.group = renamed(member.who), None
    member.offer()
    meeting.service.run(8)
    assert CHAIR not in host.names()
    assert member.group is None


def test_nor_when_it_has_left_before() -> None:
    meeting, host, member = locked_meeting()
    leaf = member.leaf
    member.propose(Remove(leaf), LEAVE)
    meeting.service.run(2)
    assert leaf not in {p.leaf for p in host.view.participants}
    member.who, member.group = renamed(member.who), None
    member.offer()
    meeting.service.run(8)
    assert CHAIR not in host.names()


def test_what_is_held_against_a_name_outlives_a_rejoin() -> None:
    meeting, host, member = locked_meeting()
    other = renamed(member.who)
    member.commit(enters=True, leaf=LeafChange(credential=X509Credential(other.chain)))
    meeting.service.run(1)
    assert host.view.minds
    member.who, member.group = other, None
    member.offer()
    meeting.service.run(3)
    assert CHAIR in host.names()
    assert host.view.minds


@pytest.mark.parametrize("has_left", [False, True], ids=["killed", "left"])
def test_one_that_a_host_has_let_in_anew_comes_back_under_the_name_that_the_host_saw(has_left: bool) -> None:
    others = [f"{letter}.example.com" for letter in "abc"]
    meeting = Meeting.invite(tuple(others))
    host, *rooms = [meeting.room(who) for who in (meeting.host, *map(identity, others))]
    meeting.service.run(3)
    guest = identity("guest.example.net")
    room = meeting.room(guest)
    meeting.service.run(3)
    host.admit("guest.example.net")
    meeting.service.run(3)
    kept = room.session.admission
    if has_left:
        room.leave()
        meeting.service.run(3)
    else:
        meeting.service.crash(room)
    back = meeting.room(renamed(guest), admission=kept)
    meeting.service.run(30)
    assert not back.is_in()
    assert [waiting.name for waiting in host.view.lobby] == [CHAIR]
    host.admit(CHAIR)
    meeting.service.run(4)
    agree(host, *rooms, back)
    told = "guest.example.net came back as chairwoman.example.net, let in by a host"
    assert (told in rooms[0].view.news) is not has_left
    assert back.session.admission != kept
