"""The host's desk: who waits, who comes in without asking, and that nobody swaps places."""

import os

import pytest

from conclaved.identity import Assurance, SoftwareSigner, Verdict
from conclaved.meeting import Level, LocalError, OwnIdentity, Role, lobby
from conclaved.meeting.desk import FORGET_S, Desk
from conclaved.meeting.limits import DEFAULT_LIMITS
from conclaved.meeting.lobby import Denial, Grant, Request
from tests.meeting.cast import CONTENT, HOST, LINK, MEETING_ID, A, B, by_host, host_admission
from tests.meeting.simulated_service import WALL, trust


def verdict(name: str, assurance: Assurance = Assurance.VERIFIED) -> Verdict:
    return Verdict(assurance, None, name, "because", "", 0)


def ask(who: OwnIdentity = A, request_id: bytes = b"") -> Request:
    return lobby.request(who.signer, who.chain, MEETING_ID, request_id or os.urandom(16))


GUEST = verdict("guest.example.net", Assurance.PROVIDER)


def test_one_who_asks_waits_until_answered() -> None:
    desk, request = Desk(), ask()
    assert desk.arrive(request, GUEST, 0.0)
    assert not desk.arrive(request, GUEST, 1.0)
    assert [w.name for w in desk.waiting()] == ["guest.example.net"]
    grant = Grant(request.request_id, by_host(A.signer.public_key))
    desk.answered(request, grant)
    assert desk.waiting() == ()
    assert desk.answer_to(request) == grant


def test_one_who_stops_asking_is_forgotten() -> None:
    desk = Desk()
    desk.arrive(ask(), GUEST, 0.0)
    assert not desk.forget(FORGET_S)
    assert desk.forget(FORGET_S + 0.1)
    assert desk.waiting() == ()


def test_a_full_lobby_takes_no_more_and_keeps_those_who_wait() -> None:
    desk = Desk()
    requests = [ask(OwnIdentity(SoftwareSigner.generate(), A.chain)) for _ in range(DEFAULT_LIMITS.waiting)]
    for request in requests:
        assert desk.arrive(request, GUEST, 0.0)
    assert not desk.arrive(ask(B), GUEST, 0.0)
    assert [w.request for w in desk.waiting()] == requests
    desk.arrive(requests[0], GUEST, FORGET_S)
    desk.forget(FORGET_S + 1)
    assert [w.request for w in desk.waiting()] == [requests[0]]


def test_another_key_under_the_same_id_is_another_request() -> None:
    desk, request_id = Desk(), os.urandom(16)
    first, second = ask(A, request_id), ask(B, request_id)
    # The one who repeats the other's id may come first: it takes nobody's place.
    for request in (second, first):
        assert desk.arrive(request, GUEST, 0.0)
    ids = {desk.find(w.request_id).request.signature_key: w.request_id for w in desk.waiting()}
    assert ids.keys() == {A.signer.public_key, B.signer.public_key}
    assert len(set(ids.values())) == 2
    assert {len(each) for each in ids.values()} == {16}


def test_another_key_gets_nobody_elses_answer() -> None:
    desk, request_id = Desk(), os.urandom(16)
    mine, other = ask(A, request_id), ask(B, request_id)
    desk.answered(mine, Grant(request_id, by_host(A.signer.public_key)))
    assert desk.answer_to(other) is None
    key = B.signer.public_key
    desk.answered(other, lobby.deny(HOST.signer, host_admission(), MEETING_ID, request_id, key))
    assert isinstance(desk.answer_to(mine), Grant)
    assert isinstance(desk.answer_to(other), Denial)


STRANGER = verdict("guest.example.net", Assurance.UNKNOWN)


@pytest.mark.parametrize("assurance", [Assurance.PROVIDER, Assurance.VERIFIED])
def test_strangers_by_the_dozen_do_not_keep_out_one_whom_somebody_vouches_for(assurance: Assurance) -> None:
    desk, request = Desk(), ask()
    for _ in range(DEFAULT_LIMITS.waiting):
        assert desk.arrive(ask(B), STRANGER, 0.0)
    assert not desk.arrive(ask(B), STRANGER, 0.0)
    assert desk.arrive(request, verdict("a.example.com", assurance), 1.0)
    assert repr(desk) == f"Desk({DEFAULT_LIMITS.waiting} waiting, 0 answered)"
    assert desk.find("a.example.com").request == request
    assert not desk.arrive(ask(B), STRANGER, 2.0)


def test_one_key_that_fills_the_lobby_keeps_out_nobody_else() -> None:
    desk, request = Desk(), ask(A)
    for _ in range(DEFAULT_LIMITS.waiting):
        desk.arrive(ask(B), GUEST, 0.0)
    assert desk.arrive(request, verdict("a.example.com"), 1.0)
    assert desk.find("a.example.com").request == request


def test_a_strangers_claim_to_a_name_does_not_hide_the_one_who_has_it() -> None:
    desk, request = Desk(), ask(A)
    desk.arrive(ask(B), STRANGER, 0.0)
    desk.arrive(request, GUEST, 0.0)
    assert desk.find("guest.example.net").request == request


def test_a_denied_one_is_told_so_again() -> None:
    desk, request = Desk(), ask()
    desk.arrive(request, GUEST, 0.0)
    denial = lobby.deny(HOST.signer, host_admission(), MEETING_ID, request.request_id, request.signature_key)
    desk.answered(request, denial)
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
    assert Desk.role_without_asking(CONTENT, who, is_kicked=False) is role


def test_a_kicked_one_waits_though_it_is_invited() -> None:
    assert Desk.role_without_asking(CONTENT, verdict("a.example.com"), is_kicked=True) is None


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
    desk = Desk()
    desk.arrive(ask(), verdict("x.example", assurance), 0.0)
    assert (desk.waiting()[0].obstacle(level) is None) is is_admissible


def test_one_is_found_by_name_or_id() -> None:
    desk, request = Desk(), ask()
    desk.arrive(request, GUEST, 0.0)
    assert desk.find("guest.example.net") == desk.find(desk.waiting()[0].request_id) == desk.waiting()[0]


def test_who_is_not_there_is_not_found() -> None:
    with pytest.raises(LocalError) as caught:
        Desk().find("guest.example.net")
    assert caught.value.hint


def test_of_two_with_one_name_none_is_taken() -> None:
    desk, second = Desk(), ask(B)
    desk.arrive(ask(A), GUEST, 0.0)
    desk.arrive(second, GUEST, 0.0)
    with pytest.raises(LocalError) as caught:
        desk.find("guest.example.net")
    assert caught.value.hint
    assert desk.find(desk.waiting()[1].request_id).request == second


def test_who_gave_up_and_asks_anew_waits_once() -> None:
    desk, again = Desk(), ask(A)
    desk.arrive(ask(A), GUEST, 0.0)
    desk.arrive(again, GUEST, 5.0)
    assert [w.request for w in desk.waiting()] == [again]
    assert desk.find("guest.example.net").request == again


def test_a_chain_that_cannot_be_read_is_unknown_and_has_no_name() -> None:
    desk = Desk()
    request = lobby.request(A.signer, (b"no certificate",), MEETING_ID, os.urandom(16))
    desk.arrive(request, trust().assess(request.chain, request.signature_key, now=WALL), 0.0)
    waiting = desk.waiting()[0]
    assert waiting.name == "(no name)"
    assert waiting.obstacle(Level.STANDARD)


def test_repr_shows_no_name() -> None:
    desk = Desk()
    desk.arrive(ask(), GUEST, 0.0)
    assert repr(desk) == "Desk(1 waiting, 0 answered)"
    assert LINK.secret.hex() not in repr(desk)
