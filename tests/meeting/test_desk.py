"""The host's desk: who waits, who comes in without asking, and that nobody swaps places."""

import os

import pytest

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import Level, LocalError, OwnIdentity, Role, lobby
from conclaved.meeting.desk import FORGET_S, MAX_WAITING, Desk
from conclaved.meeting.lobby import Denial, Grant, Request
from tests.meeting.cast import CONTENT, HOST, LINK, MEETING_ID, A, B, by_host, host_admission
from tests.meeting.simulated_service import WALL, trust


def verdict(name: str, assurance: Assurance = Assurance.VERIFIED) -> Verdict:
    return Verdict(assurance, None, name, "because", "", 0)


def ask(who: OwnIdentity = A, request_id: bytes = b"") -> Request:
    return lobby.request(who.signer, who.chain, MEETING_ID, request_id or os.urandom(16))


GUEST = verdict("guest.example.net", Assurance.PROVIDER)


def test_one_who_asks_waits_until_answered() -> None:
    desk, request = Desk(CONTENT), ask()
    assert desk.arrive(request, GUEST, 0.0)
    assert not desk.arrive(request, GUEST, 1.0)
    assert [w.name for w in desk.waiting()] == ["guest.example.net"]
    grant = Grant(request.request_id, by_host(A.signer.public_key))
    desk.answered(request.request_id, grant)
    assert desk.waiting() == ()
    assert desk.answer_to(request) == grant


def test_one_who_stops_asking_is_forgotten() -> None:
    desk = Desk(CONTENT)
    desk.arrive(ask(), GUEST, 0.0)
    assert not desk.forget(FORGET_S)
    assert desk.forget(FORGET_S + 0.1)
    assert desk.waiting() == ()


def test_a_full_lobby_takes_no_more_and_keeps_those_who_wait() -> None:
    desk = Desk(CONTENT)
    requests = [ask() for _ in range(MAX_WAITING)]
    for request in requests:
        assert desk.arrive(request, GUEST, 0.0)
    assert not desk.arrive(ask(B), GUEST, 0.0)
    assert [w.request for w in desk.waiting()] == requests
    desk.arrive(requests[0], GUEST, FORGET_S)
    desk.forget(FORGET_S + 1)
    assert [w.request for w in desk.waiting()] == [requests[0]]


def test_another_key_does_not_take_the_place_of_one_who_waits() -> None:
    desk, request_id = Desk(CONTENT), os.urandom(16)
    first = ask(A, request_id)
    desk.arrive(first, GUEST, 0.0)
    assert not desk.arrive(ask(B, request_id), verdict("mallory.example.net", Assurance.PROVIDER), 1.0)
    assert [w.request for w in desk.waiting()] == [first]
    assert desk.find(request_id.hex()[:8]).name == "guest.example.net"


def test_another_key_gets_nobody_elses_answer() -> None:
    desk, request_id = Desk(CONTENT), os.urandom(16)
    desk.answered(request_id, Grant(request_id, by_host(A.signer.public_key)))
    assert desk.answer_to(ask(B, request_id)) is None
    assert desk.answer_to(ask(A, request_id)) is not None


def test_a_denied_one_is_told_so_again() -> None:
    desk, request = Desk(CONTENT), ask()
    desk.arrive(request, GUEST, 0.0)
    denial = lobby.deny(HOST.signer, host_admission(), MEETING_ID, request.request_id)
    desk.answered(request.request_id, denial)
    answer = desk.answer_to(request)
    assert isinstance(answer, Denial)


@pytest.mark.parametrize(
    ("who", "role"),
    [
        (verdict("a.example.com"), Role.MEMBER),
        (verdict("room.example.org"), Role.MEMBER),
        (verdict("b.example.com"), None),
        (verdict("a.example.com", Assurance.PROVIDER), None),
        (verdict("a.example.com", Assurance.UNKNOWN), None),
        (verdict("", Assurance.UNKNOWN), None),
    ],
)
def test_only_an_invited_and_verified_name_comes_in_without_asking(who: Verdict, role: Role | None) -> None:
    assert Desk(CONTENT).role_without_asking(who, kicked=False) is role


def test_a_kicked_one_waits_though_it_is_invited() -> None:
    assert Desk(CONTENT).role_without_asking(verdict("a.example.com"), kicked=True) is None


@pytest.mark.parametrize(
    ("assurance", "level", "is_admissible"),
    [
        (Assurance.VERIFIED, Level.LOCKED, True),
        (Assurance.PROVIDER, Level.LOCKED, False),
        (Assurance.UNKNOWN, Level.LOCKED, False),
        (Assurance.VERIFIED, Level.STANDARD, True),
        (Assurance.PROVIDER, Level.STANDARD, True),
        (Assurance.UNKNOWN, Level.STANDARD, False),
    ],
)
def test_whom_a_host_may_admit(assurance: Assurance, level: Level, is_admissible: bool) -> None:
    desk = Desk(CONTENT)
    desk.arrive(ask(), verdict("x.example", assurance), 0.0)
    assert (desk.waiting()[0].obstacle(level) is None) is is_admissible


def test_one_is_found_by_name_or_id() -> None:
    desk, request = Desk(CONTENT), ask()
    desk.arrive(request, GUEST, 0.0)
    assert desk.find("guest.example.net") == desk.find(request.request_id.hex()[:8]) == desk.waiting()[0]


def test_who_is_not_there_is_not_found() -> None:
    with pytest.raises(LocalError) as caught:
        Desk(CONTENT).find("guest.example.net")
    assert caught.value.hint


def test_of_two_with_one_name_none_is_taken() -> None:
    desk, second = Desk(CONTENT), ask(B)
    desk.arrive(ask(A), GUEST, 0.0)
    desk.arrive(second, GUEST, 0.0)
    with pytest.raises(LocalError) as caught:
        desk.find("guest.example.net")
    assert caught.value.hint
    assert desk.find(second.request_id.hex()[:8]).request == second


def test_a_chain_that_cannot_be_read_is_unknown_and_has_no_name() -> None:
    desk = Desk(CONTENT)
    request = lobby.request(A.signer, (b"no certificate",), MEETING_ID, os.urandom(16))
    desk.arrive(request, trust().assess(request.chain, request.signature_key, now=WALL), 0.0)
    waiting = desk.waiting()[0]
    assert waiting.name == "(no name)"
    assert waiting.obstacle(Level.STANDARD)


def test_repr_shows_no_name() -> None:
    desk = Desk(CONTENT)
    desk.arrive(ask(), GUEST, 0.0)
    assert repr(desk) == "Desk(1 waiting, 0 answered)"
    assert LINK.secret.hex() not in repr(desk)
