"""A chain that somebody brings for this device is judged before it is put into force."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from conclaved.identity.anchors import fingerprint_of_spki
from conclaved.identity.errors import ChainError
from conclaved.identity.own_chain import check_own_chain, read_pem_chain
from tests.pki import TestAuthority

ROOT = TestAuthority("Root")
INTERMEDIATE = TestAuthority("Intermediate", parent=ROOT)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
DOMAIN = "room.example.com"
NOW = 1_800_000_000


def fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return fingerprint_of_spki(spki)


def issued(key: ec.EllipticCurvePrivateKey = KEY, domain: str = DOMAIN) -> tuple[bytes, ...]:
    return INTERMEDIATE.issue(
        key.public_key(), dns=[domain], not_before=NOW - 100, not_after=NOW + 100 * 86400
    )


def checked(chain: tuple[bytes, ...], now: int | None = NOW, domain: str = DOMAIN) -> tuple[bytes, ...]:
    return check_own_chain(chain, {fingerprint(OTHER), fingerprint(KEY)}, domain, now=now)


def test_a_chain_for_one_of_our_keys_is_taken() -> None:
    chain = issued()
    assert checked(chain) == chain


def test_any_order_is_put_right_and_the_root_left_out() -> None:
    leaf, intermediate = issued()
    root = ROOT.certificate.public_bytes(Encoding.DER)
    assert checked((root, intermediate, leaf)) == (leaf, intermediate)


def test_another_key_is_refused() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ChainError, match="for this device's key"):
        checked(issued(stranger))


def test_another_domain_is_refused() -> None:
    with pytest.raises(ChainError, match=r"for other\.example\.com and not for room\.example\.com"):
        checked(issued(domain="other.example.com"))


@pytest.mark.parametrize(("now", "words"), [(NOW + 101 * 86400, "expired"), (NOW - 200, "not valid yet")])
def test_a_chain_out_of_its_time_is_refused(now: int, words: str) -> None:
    with pytest.raises(ChainError, match=words):
        checked(issued(), now)


def test_without_a_believed_clock_time_is_not_judged() -> None:
    assert checked(issued(), None)


def test_a_certificate_that_does_not_belong_is_refused() -> None:
    stray = TestAuthority("Stray").certificate.public_bytes(Encoding.DER)
    with pytest.raises(ChainError, match="does not belong"):
        checked((*issued(), stray))


def test_two_leaves_are_refused() -> None:
    with pytest.raises(ChainError, match="two certificates"):
        checked((*issued(), issued(OTHER)[0]))


def test_what_no_other_room_would_accept_is_refused() -> None:
    wildcard = INTERMEDIATE.issue(KEY.public_key(), dns=["*.example.com"])
    with pytest.raises(ChainError, match="labels"):
        checked(wildcard)


def test_pem_is_read_in_its_order() -> None:
    chain = issued()
    pem = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)
    assert read_pem_chain(b"subject=\n" + pem) == chain


@pytest.mark.parametrize(
    "pem",
    [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", bytes(200_000)],
)
def test_what_is_no_pem_is_refused(pem: bytes) -> None:
    with pytest.raises(ChainError):
        read_pem_chain(pem)


def test_a_private_key_is_refused_and_not_quoted() -> None:
    pem = OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ChainError, match="private key") as caught:
        read_pem_chain(pem)
    assert pem.splitlines()[1].decode() not in repr(caught.value)
