"""A host makes a member a host, by itself or when it goes as the last one."""

from dataclasses import replace

import pytest

from conclaved.meeting import Level, LocalError, Role, lobby
from conclaved.meeting.admission import issue
from conclaved.meeting.alive import Beacon
from conclaved.meeting.appointing import MOST_TRIES, REPEAT_S
from conclaved.meeting.events import CarrierEvent, Lobby, SendLobby
from conclaved.meeting.leaving import HAND_OVER_WITHIN_S, LEAVE_WITHIN_S
from conclaved.mls import LeafChange, X509Credential
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    PUBLIC_CA,
    UNKNOWN_CA,
    WALL,
    Client,
    Meeting,
    Room,
    agree,
    identity,
)

A, B = identity("a.example.com"), identity("b.example.com")
GUEST = "guest.provider.example"


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"))
    rooms = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(*rooms)
    return meeting, *rooms


@pytest.mark.parametrize("name", ["a.example.com", "b.example.com"])
def test_the_appointed_one_is_a_host_for_all_and_the_code_stays(name: str) -> None:
    meeting, host, a, b = three_rooms()
    code = host.view.security_code
    host.hand_over(name)
    meeting.service.run(2)
    agree(host, a, b)
    assert {room.role(name) for room in (host, a, b)} == {Role.HOST}
    assert host.role("host.example.com") is Role.HOST
    assert host.view.security_code == code
    assert any(f"{name} is a host now" in room.view.news for room in (host, a, b))
    appointed = a if name == "a.example.com" else b
    assert appointed.view.is_host


def test_the_appointed_one_admits_kicks_and_appoints() -> None:
    meeting, host, a, b = three_rooms()
    host.hand_over("a.example.com")
    meeting.service.run(2)
    host.leave()
    meeting.service.run(3)
    guest = meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.service.run(2)
    a.admit(GUEST)
    meeting.service.run(4)
    agree(a, b, guest)
    a.hand_over("b.example.com")
    meeting.service.run(2)
    assert b.view.is_host
    b.kick(GUEST)
    meeting.service.run(2)
    assert guest.ended is not None
    agree(a, b)


def test_an_appointed_host_comes_back_as_one() -> None:
    meeting, host, a, b = three_rooms()
    host.hand_over("a.example.com")
    meeting.service.run(2)
    meeting.service.crash(a)
    again = meeting.room(A, admission=a.session.admission)
    meeting.service.run(3)
    agree(host, again, b)
    assert again.view.is_host


def test_an_appointment_that_is_lost_is_said_again() -> None:
    meeting, host, a, b = three_rooms()
    lost: list[CarrierEvent] = []

    def lose(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if isinstance(event, Lobby) and client is a and len(lost) < 2:
            lost.append(event)
            return []
        return [event]

    meeting.service.filter = lose
    host.hand_over("a.example.com")
    meeting.service.run(3 * REPEAT_S)
    assert a.view.is_host
    agree(host, a, b)


def test_an_appointment_that_nobody_takes_is_given_up_and_people_are_told() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    before = len(insider.heard)
    host.hand_over("insider.example.com")
    meeting.service.run((MOST_TRIES + 5) * REPEAT_S)
    said = [e for e in insider.heard[before:] if isinstance(e, Lobby)]
    assert len(said) == MOST_TRIES
    assert "insider.example.com has not become a host: its device does not answer" in host.view.news
    agree(host, a, b)


def test_the_service_sees_no_appointment() -> None:
    meeting, host, a, b = three_rooms()
    host.hand_over("a.example.com")
    meeting.service.run(2)
    agree(host, a, b)
    said = [effect.data for effect in meeting.service.sent]
    assert not any(b"Appointment" in data or A.signer.public_key in data for data in said)


@pytest.mark.parametrize("what", ["self", "nobody", "host", "stranger"])
def test_whom_a_host_cannot_make_a_host(what: str) -> None:
    meeting, host, a, b = three_rooms()
    leaf = 99
    if what == "self":
        leaf = host.leaf("host.example.com")
    elif what == "host":
        host.hand_over("a.example.com")
        meeting.service.run(2)
        leaf = host.leaf("a.example.com")
    elif what == "stranger":
        stranger = identity("x.example.net", UNKNOWN_CA)
        leaf = Insider.admit(meeting, Role.GUEST, who=stranger).join().leaf
    epoch = host.view.epoch
    with pytest.raises(LocalError) as caught:
        host.session.hand_over(leaf, meeting.service.clock.now)
    assert caught.value.hint
    meeting.service.run(1)
    assert host.view.epoch == epoch
    agree(host, a, b)


def test_only_a_host_hands_over() -> None:
    _meeting, host, a, b = three_rooms()
    with pytest.raises(LocalError) as caught:
        a.hand_over("b.example.com")
    assert caught.value.hint
    agree(host, a, b)


def test_a_host_at_the_end_of_a_full_chain_cannot_appoint() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com", "c.example.com"))
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    host.hand_over("a.example.com")
    meeting.service.run(2)
    a.hand_over("b.example.com")
    meeting.service.run(2)
    c = meeting.room(identity("c.example.com"))
    meeting.service.run(3)
    agree(host, a, b, c)
    with pytest.raises(LocalError) as caught:
        b.hand_over("c.example.com")
    assert "too many hosts" in str(caught.value)
    host.hand_over("c.example.com")
    meeting.service.run(2)
    assert c.view.is_host


# -- hostile ----------------------------------------------------------------------------------------


def forged(meeting: Meeting, insider: Insider, victim: Room, role: Role, key: bytes) -> lobby.Appointment:
    meeting_id = meeting.invitation.content.meeting_id
    admission = issue(insider.who.signer, meeting_id, key, role, issuer_admission=insider.admission)
    return lobby.appoint(insider.who.signer, admission, insider.live.group_id)


def test_a_member_appoints_nobody() -> None:
    meeting, _host, a, _b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    epoch = a.view.epoch
    insider.say(forged(meeting, insider, a, Role.HOST, A.signer.public_key))
    meeting.service.run(1)
    assert a.view.epoch == epoch
    assert not a.view.is_host
    assert a.bad_inputs


def test_an_appointment_to_a_lower_role_or_of_another_key_changes_nothing() -> None:
    meeting, _host, a, _b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    epoch = a.view.epoch
    insider.say(forged(meeting, insider, a, Role.GUEST, A.signer.public_key))
    insider.say(forged(meeting, insider, a, Role.HOST, identity("x.example.com").signer.public_key))
    meeting.service.run(1)
    assert a.view.epoch == epoch
    assert not a.view.is_host


def test_one_who_was_kicked_appoints_nobody_any_more() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    host.kick("insider.example.com")
    meeting.service.run(2)
    insider.say(forged(meeting, insider, a, Role.HOST, A.signer.public_key))
    meeting.service.run(8)
    assert not a.view.is_host
    assert a.role("a.example.com") is Role.MEMBER
    agree(host, a, b)


# -- the last host goes -----------------------------------------------------------------------------


def test_the_last_host_hands_over_before_it_leaves() -> None:
    meeting, host, a, b = three_rooms()
    host.leave()
    meeting.service.run(LEAVE_WITHIN_S)
    assert host.ended is not None
    assert host.ended.reason == "left the meeting"
    assert a.view.is_host
    assert not b.view.is_host
    agree(a, b)
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(4)
    agree(a, b, late)


def test_a_host_that_is_not_the_last_one_just_leaves() -> None:
    meeting, host, a, b = three_rooms()
    host.hand_over("b.example.com")
    meeting.service.run(2)
    host.leave()
    meeting.service.run(1.5)
    assert host.ended is not None
    assert not a.view.is_host
    agree(a, b)


def test_a_last_host_among_guests_hands_over_to_nobody() -> None:
    meeting = Meeting.invite(())
    host, guest = meeting.room(meeting.host), meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.service.run(2)
    host.admit(GUEST)
    meeting.service.run(3)
    agree(host, guest)
    host.leave()
    meeting.service.run(1.5)
    assert host.ended is not None
    assert guest.is_in()
    assert not guest.view.is_host


def test_a_last_host_whose_successor_does_not_answer_says_goodbye_all_the_same() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    insider = Insider.admit(meeting).join()
    other = identity("b.example.com")
    b = meeting.room(other, admission=meeting.admission(other, Role.GUEST))
    meeting.service.run(3)
    host.leave()
    meeting.service.run(HAND_OVER_WITHIN_S - 0.3)
    assert not host.has_ended()
    meeting.service.run(2)
    assert host.has_ended()
    assert "host.example.com" not in b.names()
    assert insider.leaf in {p.leaf for p in b.view.participants}


def test_a_last_host_that_nobody_hears_is_gone_within_five_seconds() -> None:
    meeting, host, a, _b = three_rooms()
    meeting.service.upstream = lambda client, effect: client is not host
    host.leave()
    meeting.service.run(LEAVE_WITHIN_S + 0.2)
    assert host.has_ended()
    assert not a.view.is_host


def test_a_device_that_leaves_by_its_own_rules_makes_nobody_a_host() -> None:
    meeting = Meeting.invite(("a.example.com", "insider.example.com"), level=Level.LOCKED)
    host = meeting.room(meeting.host)
    first, second = (
        Insider.admit(meeting).join(),
        Insider.admit(meeting, who=identity("a.example.com")).join(),
    )
    begun = meeting.service.clock.now
    chain = PUBLIC_CA.issue(
        first.who.signer.certificate_public_key,
        dns=["somebody-else.example.com"],
        not_before=WALL - 86400,
        not_after=WALL + 86400,
    )
    meeting.service.run(1)
    # Of two accomplices one makes the host's device leave, so that the other becomes a host.
    first.commit(enters=True, leaf=LeafChange(credential=X509Credential(tuple(chain))))
    for _ in range(20):
        for each in (first, second):
            beacon = Beacon(b"12345678", int((meeting.service.clock.now - begun) * 1000)).encode()
            each.live_message(each.live.protect(each.live.sign_application(beacon)))
        meeting.service.run(2)
    assert host.has_ended()
    link = meeting.link.sealer()
    appointments = [
        m
        for m in (lobby.unseal(e.data, link) for e in meeting.service.sent if isinstance(e, SendLobby))
        if isinstance(m, lobby.Appointment)
    ]
    assert not appointments


def test_what_was_said_in_one_use_of_a_link_makes_nobody_a_host_in_the_next() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)
    host.hand_over("a.example.com")
    meeting.service.run(5)
    said = [each for each in meeting.service.sent if isinstance(each, SendLobby)]
    assert a.role("a.example.com") is Role.HOST
    host.leave()
    a.leave()
    meeting.service.run(6)
    assert host.has_ended()
    assert a.has_ended()
    meeting.service.log.clear()
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)
    agree(host, a)
    outsider = Insider.admit(meeting)
    for each in said:
        meeting.service.take(outsider, each)
    meeting.service.run(5)
    assert host.role("a.example.com") is Role.MEMBER


def test_an_appointment_by_a_host_that_is_not_in_the_group_changes_nothing() -> None:
    meeting, host, a, _b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    message = forged(meeting, insider, a, Role.HOST, A.signer.public_key)
    host.kick("insider.example.com")
    meeting.service.run(3)
    insider.is_following = False
    insider.say(message)
    meeting.service.run(3)
    assert not a.view.is_host
    assert a.bad_inputs


@pytest.mark.parametrize("what", ["signature", "group"])
def test_an_appointment_that_its_host_has_not_signed_for_this_group_changes_nothing(what: str) -> None:
    meeting, host, a, _b = three_rooms()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    said = forged(meeting, insider, a, Role.HOST, A.signer.public_key)
    if what == "signature":
        wrong = replace(said, signature=said.signature[:-1] + bytes([said.signature[-1] ^ 1]))
    else:
        elsewhere = lobby.appoint(insider.who.signer, said.admission, bytes(32))
        wrong = replace(elsewhere, group_id=said.group_id)
    insider.say(wrong)
    meeting.service.run(2)
    assert a.bad_inputs
    assert host.role("a.example.com") is Role.MEMBER
    insider.say(said)
    meeting.service.run(2)
    assert host.role("a.example.com") is Role.HOST
