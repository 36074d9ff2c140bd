"""Whom the invitation names comes in as what it says, if its name holds."""

import pytest

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import Role, State
from conclaved.meeting.desk import Desk
from tests.meeting.cast import content
from tests.meeting.simulated_service import PROVIDER_CA, Meeting, agree, identity
from tests.meeting.test_desk import verdict

CHAIR, RECORDER = "chair.example.com", "recorder.example.com"


@pytest.mark.parametrize(
    ("who", "role"),
    [
        (verdict(CHAIR), Role.HOST),
        (verdict(RECORDER), Role.SERVICE_END),
        (verdict("a.example.com"), Role.MEMBER),
        (verdict(CHAIR, Assurance.PROVIDER), None),
        (verdict(CHAIR, Assurance.UNKNOWN), None),
        # The provider's CA could sign anything in a recorder's name: a person is to look.
        (verdict(RECORDER, Assurance.PROVIDER), None),
        (verdict(RECORDER, Assurance.UNKNOWN), None),
    ],
)
def test_a_device_gives_by_itself_only_what_the_invitation_says_to_a_verified_name(
    who: Verdict, role: Role | None
) -> None:
    assert Desk.role_without_asking(content(hosts=(CHAIR,)), who, is_kicked=False) is role
    assert Desk.role_without_asking(content(hosts=(CHAIR,)), who, is_kicked=True) is None


def test_a_named_host_a_recorder_and_a_member_come_in_by_themselves() -> None:
    meeting = Meeting.invite(("a.example.com",), hosts=(CHAIR,), service_ends=(RECORDER,))
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    names = (CHAIR, RECORDER, "a.example.com")
    rooms = [meeting.room(identity(name)) for name in names]
    meeting.service.run(4)
    agree(host, *rooms)
    assert [host.role(name) for name in names] == [Role.HOST, Role.SERVICE_END, Role.MEMBER]
    assert rooms[0].view.is_host


def test_the_invitations_signer_is_a_host_under_another_key_too() -> None:
    meeting = Meeting.invite(("a.example.com",), hosts=(CHAIR,))
    first, chair, a = (
        meeting.room(who) for who in (meeting.host, identity(CHAIR), identity("a.example.com"))
    )
    meeting.service.run(4)
    agree(first, chair, a)
    first.leave()
    meeting.service.run(4)
    again = meeting.room(identity("host.example.com"))
    meeting.service.run(4)
    agree(chair, a, again)
    assert again.view.is_host


def test_nobody_is_the_signer_beside_it() -> None:
    meeting = Meeting.invite(("host.example.com",), hosts=(CHAIR,))
    host, chair = meeting.room(meeting.host), meeting.room(identity(CHAIR))
    meeting.service.run(4)
    impostor = meeting.room(identity("host.example.com"))
    meeting.service.run(4)
    agree(host, chair, impostor)
    assert not impostor.view.is_host


def test_a_name_that_only_the_provider_vouches_for_is_not_the_signers() -> None:
    meeting = Meeting.invite((), hosts=(CHAIR,))
    chair = meeting.room(identity(CHAIR))
    host = meeting.room(meeting.host)
    meeting.service.run(4)
    other = meeting.room(identity("host.example.com", PROVIDER_CA))
    meeting.service.run(4)
    assert not other.is_in()
    assert [waiting.name for waiting in chair.view.lobby] == ["host.example.com"]
    host.admit("host.example.com")
    meeting.service.run(4)
    assert other.is_in()
    assert not other.view.is_host


def test_a_recorder_that_only_the_provider_vouches_for_waits_and_comes_in_as_one() -> None:
    meeting = Meeting.invite((), service_ends=(RECORDER,))
    host = meeting.room(meeting.host)
    recorder = meeting.room(identity(RECORDER, PROVIDER_CA))
    meeting.service.run(3)
    assert recorder.view.state is State.ASKING
    host.admit(RECORDER)
    meeting.service.run(4)
    agree(host, recorder)
    assert host.role(RECORDER) is Role.SERVICE_END


def test_one_whom_a_person_admits_gets_what_the_invitation_says() -> None:
    # A host that does not know the name behind a kicked key leaves everybody to a person.
    meeting = Meeting.invite(("a.example.com", "b.example.com"), hosts=(CHAIR,))
    host, gone = meeting.room(meeting.host), meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    host.kick("b.example.com")
    meeting.service.run(2)
    assert gone.has_ended()
    chair = meeting.room(identity(CHAIR))
    meeting.service.run(4)
    meeting.service.crash(host)
    a = meeting.room(identity("a.example.com"))
    meeting.service.run(3)
    chair.admit("a.example.com")
    meeting.service.run(4)
    assert chair.role("a.example.com") is Role.MEMBER
    assert a.is_in()


def test_a_named_host_that_could_admit_nobody_comes_in_as_a_member() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"), hosts=(CHAIR,))
    host = meeting.room(meeting.host)
    a, b = (meeting.room(identity(f"{name}.example.com")) for name in "ab")
    meeting.service.run(4)
    host.hand_over("a.example.com")
    meeting.service.run(2)
    a.hand_over("b.example.com")
    meeting.service.run(2)
    for room in (host, a):
        room.leave()
        meeting.service.run(6)
    chair = meeting.room(identity(CHAIR))
    meeting.service.run(4)
    agree(b, chair)
    assert b.role("b.example.com") is Role.HOST
    assert b.role(CHAIR) is Role.MEMBER
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(2)
    b.admit("guest.provider.example")
    meeting.service.run(4)
    agree(b, chair, guest)


def test_a_service_end_comes_into_an_open_meeting_as_one_and_not_by_the_link() -> None:
    meeting = Meeting.invite(("a.example.com",), is_open=True, service_ends=(RECORDER,))
    host, recorder = meeting.room(meeting.host), meeting.room(identity(RECORDER))
    meeting.service.run(3)
    agree(host, recorder)
    assert next(p.role for p in host.view.participants if p.name == RECORDER) is Role.SERVICE_END
