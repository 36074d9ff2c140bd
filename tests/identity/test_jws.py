"""Tokens signed by a certificate's key (RFC 7515)."""

import base64
import json
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from josepy.jwk import JWKEC
from josepy.jws import JWS
from josepy.util import ComparableECKey

from conclaved.identity import jws
from conclaved.identity.errors import JwsError, LocalIdentityError
from conclaved.identity.signer import SoftwareSigner
from tests.pki import TestAuthority

TYP = "conclave-test+jws"


@dataclass(frozen=True)
class Room:
    signer: SoftwareSigner
    chain: tuple[bytes, ...]

    def token(self, payload: bytes = b"{}") -> str:
        return jws.sign(payload, self.signer, self.chain, typ=TYP)


@pytest.fixture(scope="module")
def room() -> Room:
    signer = SoftwareSigner.generate()
    authority = TestAuthority("Issuing", parent=TestAuthority("Root"))
    return Room(signer, authority.issue(signer.public_key, dns=["room.example.com"]))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(room: Room, header: bytes) -> str:
    """A token with an arbitrary header, rightly signed."""
    signing_input = f"{b64(header)}.{b64(b'{}')}"
    return f"{signing_input}.{b64(_raw(room.signer.sign(signing_input.encode())))}"


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def header_of(room: Room, **changes: object) -> bytes:
    x5c = [base64.b64encode(der).decode() for der in room.chain]
    return json.dumps({"alg": "ES256", "typ": TYP, "x5c": x5c} | changes).encode()


def test_a_signed_token_gives_back_payload_chain_and_key(room: Room) -> None:
    content = jws.verify(room.token(b'{"a":1}'), typ=TYP)
    assert content == jws.JwsContent(b'{"a":1}', room.chain, room.signer.public_key)


def test_another_implementation_accepts_our_token(room: Room) -> None:
    compact = JWS.from_compact(room.token(b"hello").encode())
    assert compact.verify(JWKEC(key=ComparableECKey(room.signer.certificate_public_key)))
    assert compact.payload == b"hello"


def test_a_token_of_another_type_is_refused(room: Room) -> None:
    with pytest.raises(JwsError, match="not of type other"):
        jws.verify(room.token(), typ="other")


def test_a_changed_payload_is_refused(room: Room) -> None:
    header, _, signature = room.token().split(".")
    with pytest.raises(JwsError, match="signature"):
        jws.verify(f"{header}.{b64(b'[]')}.{signature}", typ=TYP)


def test_a_token_under_another_certificate_of_the_same_authority_is_refused(room: Room) -> None:
    other = TestAuthority("Root").issue(ec.generate_private_key(ec.SECP256R1()), dns=["room.example.com"])
    x5c = [base64.b64encode(der).decode() for der in other]
    with pytest.raises(JwsError, match="signature"):
        jws.verify(with_header(room, header_of(room, x5c=x5c)), typ=TYP)


def test_a_rightly_signed_header_of_our_profile_is_accepted(room: Room) -> None:
    assert jws.verify(with_header(room, header_of(room)), typ=TYP).payload == b"{}"


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"crit": ["exp"]},
        {"jwk": {}},
        {"x5c": []},
        {"x5c": "AAAA"},
        {"x5c": [1]},
        {"x5c": ["A A="]},
        {"x5c": ["AAAA"]},
        {"typ": None},
    ],
    ids=str,
)
def test_a_header_outside_the_profile_is_refused(room: Room, changes: dict[str, object]) -> None:
    with pytest.raises(JwsError):
        jws.verify(with_header(room, header_of(room, **changes)), typ=TYP)


@pytest.mark.parametrize("header", [b"[]", b"{", b"\xff", b"[" * 40000, b"null"], ids=lambda h: repr(h[:4]))
def test_a_header_that_is_no_object_is_refused(room: Room, header: bytes) -> None:
    with pytest.raises(JwsError):
        jws.verify(f"{b64(header)}.{b64(b'{}')}.{b64(bytes(64))}", typ=TYP)


def test_a_header_with_a_member_twice_is_refused(room: Room) -> None:
    header = header_of(room).replace(b'{"alg"', b'{"alg": "ES256", "alg"')
    with pytest.raises(JwsError, match="not JSON"):
        jws.verify(with_header(room, header), typ=TYP)


def test_padding_or_loose_bits_are_refused(room: Room) -> None:
    header, payload, signature = room.token(b"a").split(".")
    assert payload == "YQ"
    for spelling in ("YQ==", "YR", "Y Q", "YQ\n"):
        with pytest.raises(JwsError, match="payload"):
            jws.verify(f"{header}.{spelling}.{signature}", typ=TYP)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c.d", "é.é.é", "...", "a" * 65537])
def test_a_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(JwsError):
        jws.verify(token, typ=TYP)


def test_a_zero_signature_is_refused(room: Room) -> None:
    header, payload, _ = room.token().split(".")
    with pytest.raises(JwsError):
        jws.verify(f"{header}.{payload}.{b64(bytes(64))}", typ=TYP)


def test_a_chain_of_another_key_is_not_signed_with(room: Room) -> None:
    with pytest.raises(LocalIdentityError, match="another key"):
        jws.sign(b"", SoftwareSigner.generate(), room.chain, typ=TYP)


def test_a_token_beyond_the_size_limit_is_not_made(room: Room) -> None:
    with pytest.raises(LocalIdentityError, match="65536"):
        room.token(bytes(50000))


def test_a_signer_shows_no_secret(room: Room) -> None:
    assert repr(room.signer).startswith("SoftwareSigner(public_key=04")
    assert len(repr(room.signer)) < 60
