"""What is said in the lobby: only those with the link hear it, only hosts turn people away."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting import LinkSecret, RemoteError, Role, SealError, lobby
from conclaved.meeting.admission import issue
from conclaved.meeting.link import NONCE_BYTES
from tests.meeting.cast import (
    CLOSED,
    HOST,
    LINK,
    MEETING_ID,
    OTHER_HOST,
    PATIENT,
    A,
    B,
    by_host,
    host_admission,
)

SEALER = LINK.sealer()
ID = bytes(range(16))
REQUEST = lobby.request(A.signer, A.chain, MEETING_ID, ID)
KEY = A.signer.public_key
DENIAL = lobby.deny(HOST.signer, host_admission(), MEETING_ID, ID, KEY)
MESSAGES: list[lobby.LobbyMessage] = [
    REQUEST,
    lobby.Grant(ID, by_host(A.signer.public_key)),
    DENIAL,
    lobby.deny(HOST.signer, host_admission(), MEETING_ID, ID, KEY, lobby.DenialReason.ENDED),
    lobby.Offer(b"key package"),
    lobby.WelcomeMessage(2**40, b"welcome" * 500),
]


def seal(message: lobby.LobbyMessage) -> bytes:
    return lobby.seal(message, SEALER, os.urandom(NONCE_BYTES))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_seal(message: lobby.LobbyMessage) -> None:
    assert lobby.unseal(seal(message), SEALER) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_another_link_opens_nothing(message: lobby.LobbyMessage) -> None:
    with pytest.raises(SealError):
        lobby.unseal(seal(message), LinkSecret(bytes(32)).sealer())


def test_the_service_sees_no_name() -> None:
    sealed = seal(REQUEST)
    assert b"a.example.com" in A.chain[0]
    assert b"a.example.com" not in sealed
    assert A.signer.public_key[1:] not in sealed


def test_an_invitation_in_a_lobby_messages_place_is_refused() -> None:
    sealed = SEALER.seal(CLOSED.token.encode(), b"invitation", bytes(NONCE_BYTES))
    with pytest.raises(SealError):
        lobby.unseal(sealed, SEALER)


@PATIENT
@given(st.binary(max_size=300))
def test_any_sealed_bytes_are_parsed_or_refused_without_another_exception(body: bytes) -> None:
    try:
        message = lobby.unseal(SEALER.seal(body, lobby.PURPOSE, bytes(NONCE_BYTES)), SEALER)
    except RemoteError:
        return
    assert seal(message)


@PATIENT
@given(st.integers(1, 7), st.binary(max_size=200))
def test_any_body_of_each_kind_is_parsed_or_refused_without_another_exception(kind: int, body: bytes) -> None:
    with contextlib.suppress(RemoteError):
        lobby.unseal(SEALER.seal(bytes([kind]) + body, lobby.PURPOSE, bytes(NONCE_BYTES)), SEALER)


def test_too_long_a_message_is_not_even_opened() -> None:
    with pytest.raises(RemoteError, match="too long"):
        lobby.unseal(bytes(lobby.MAX_MESSAGE_BYTES + 1), SEALER)


def test_a_request_with_too_many_certificates_is_refused() -> None:
    many = lobby.Request(ID, A.chain * (lobby.MAX_CERTIFICATES + 1), A.signer.public_key, b"")
    with pytest.raises(RemoteError):
        lobby.unseal(seal(many), SEALER)


def test_a_request_with_a_certificate_of_impossible_size_is_refused() -> None:
    long = lobby.Request(ID, (bytes(lobby.MAX_CERTIFICATE_BYTES + 1),), A.signer.public_key, b"")
    with pytest.raises(RemoteError):
        lobby.unseal(seal(long), SEALER)


@pytest.mark.parametrize("sequence", [lobby.MAX_SEQUENCE + 1, 2**64 - 1])
def test_a_welcome_to_an_impossible_place_in_the_log_is_refused(sequence: int) -> None:
    with pytest.raises(RemoteError):
        lobby.unseal(seal(lobby.WelcomeMessage(sequence, b"welcome")), SEALER)


def test_a_request_proves_that_its_key_is_at_hand() -> None:
    lobby.check_request(REQUEST, MEETING_ID)
    foreign = lobby.Request(ID, B.chain, B.signer.public_key, REQUEST.signature)
    with pytest.raises(RemoteError):
        lobby.check_request(foreign, MEETING_ID)


def test_a_request_to_another_meeting_or_under_another_id_is_refused() -> None:
    with pytest.raises(RemoteError):
        lobby.check_request(REQUEST, MEETING_ID[::-1])
    renamed = lobby.Request(ID[::-1], A.chain, A.signer.public_key, REQUEST.signature)
    with pytest.raises(RemoteError):
        lobby.check_request(renamed, MEETING_ID)


def test_a_request_with_another_chain_is_refused() -> None:
    for chain in ((), B.chain, (*A.chain, b"more")):
        with pytest.raises(RemoteError):
            lobby.check_request(lobby.Request(ID, chain, A.signer.public_key, REQUEST.signature), MEETING_ID)


def test_a_host_turns_away() -> None:
    lobby.check_denial(DENIAL, CLOSED, KEY)


def test_a_host_by_admission_turns_away() -> None:
    own = issue(HOST.signer, MEETING_ID, OTHER_HOST.signer.public_key, Role.HOST)
    lobby.check_denial(lobby.deny(OTHER_HOST.signer, own, MEETING_ID, ID, KEY), CLOSED, KEY)


def test_who_is_no_host_turns_nobody_away() -> None:
    member = lobby.deny(B.signer, by_host(B.signer.public_key), MEETING_ID, ID, KEY)
    with pytest.raises(RemoteError, match="not a host"):
        lobby.check_denial(member, CLOSED, KEY)


def test_a_host_elsewhere_turns_nobody_away_here() -> None:
    own = issue(B.signer, MEETING_ID, B.signer.public_key, Role.HOST)
    with pytest.raises(RemoteError):
        lobby.check_denial(lobby.deny(B.signer, own, MEETING_ID, ID, KEY), CLOSED, KEY)


def test_a_denial_of_one_does_not_turn_away_another() -> None:
    moved = lobby.Denial(ID[::-1], DENIAL.host, DENIAL.signature)
    with pytest.raises(RemoteError):
        lobby.check_denial(moved, CLOSED, KEY)


def test_the_reason_of_a_denial_is_the_hosts_too() -> None:
    changed = lobby.Denial(ID, DENIAL.host, DENIAL.signature, lobby.DenialReason.ENDED)
    with pytest.raises(RemoteError):
        lobby.check_denial(changed, CLOSED, KEY)


def test_a_denial_for_an_unknown_reason_is_refused() -> None:
    sealed = seal(DENIAL)
    body = SEALER.open(sealed, lobby.PURPOSE)
    with pytest.raises(RemoteError):
        lobby.unseal(SEALER.seal(body[:-1] + b"\x03", lobby.PURPOSE, bytes(NONCE_BYTES)), SEALER)


def test_a_denial_of_one_key_does_not_turn_away_another_under_the_same_id() -> None:
    with pytest.raises(RemoteError):
        lobby.check_denial(DENIAL, CLOSED, B.signer.public_key)


def test_a_denial_in_a_hosts_name_by_somebody_else_is_refused() -> None:
    forged = lobby.Denial(ID, host_admission(), B.signer.sign(lobby.Denial.signed_part(MEETING_ID, ID, KEY)))
    with pytest.raises(RemoteError):
        lobby.check_denial(forged, CLOSED, KEY)


def test_a_request_is_no_denial() -> None:
    own = host_admission()
    signature = lobby.request(HOST.signer, HOST.chain, MEETING_ID, ID).signature
    with pytest.raises(RemoteError):
        lobby.check_denial(lobby.Denial(ID, own, signature), CLOSED, KEY)
