"""Credentials: an X.509 leaf certificate must hold the very signature key (RFC 9420 §5.3)."""

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.x509.oid import NameOID

from conclaved.mls import (
    AcceptAny,
    Add,
    CipherSuite,
    ExternalSender,
    Group,
    GroupContextExtensions,
    KeyPackageBundle,
    RemoteError,
    SoftwareSigner,
    X509Credential,
    external_senders_extension,
)
from conclaved.mls.codec import Reader
from conclaved.mls.credential import BasicCredential, Credential, UnknownCredential, read_credential
from conclaved.mls.crypto import crypto_for
from tests.mls.cast import LIFETIME, SUITE, Person, received


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, subject: Any = None) -> bytes:
    """A certificate for a public key, its signer's own if there is no other."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "room")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(subject or key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def certified(suite_key: ec.EllipticCurvePrivateKey) -> tuple[SoftwareSigner, X509Credential]:
    private = suite_key.private_numbers().private_value.to_bytes(32, "big")
    return SoftwareSigner.from_private_bytes(SUITE, private), X509Credential((certificate(suite_key),))


def test_a_certified_client_founds_joins_and_is_added() -> None:
    signer, credential = certified(ec.generate_private_key(ec.SECP256R1()))
    group = Group.create(SUITE, b"g", signer, credential, lifetime=LIFETIME, auth=AcceptAny())
    other, other_credential = certified(ec.generate_private_key(ec.SECP256R1()))
    bundle = KeyPackageBundle.generate(SUITE, other, other_credential, lifetime=LIFETIME)
    pending = group.commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    joined = Group.join(pending.welcome, bundle, other, auth=AcceptAny())
    assert joined.epoch_authenticator == pending.merge().epoch_authenticator
    assert [member.leaf_node.credential for member in joined.members] == [credential, other_credential]


def of_version(number: int) -> bytes:
    """A certificate that says that it is of that version, which its parser has an error of its own for."""
    return certificate(ec.generate_private_key(ec.SECP256R1())).replace(
        b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([number]), 1
    )


@pytest.mark.parametrize(
    "chain",
    [
        (of_version(9),),
        (),
        (b"not a certificate",),
        (certificate(ec.generate_private_key(ec.SECP256R1())),),
        (certificate(ec.generate_private_key(ec.SECP384R1())),),
        (certificate(rsa.generate_private_key(65537, 2048)),),
    ],
    ids=["another version", "empty", "garbage", "another key", "another curve", "rsa"],
)
def test_a_certificate_that_does_not_hold_the_signature_key_is_refused(chain: tuple[bytes, ...]) -> None:
    person = Person("mallory")
    person.credential = X509Credential(chain)
    group = Person("alice").found()
    with pytest.raises(RemoteError, match=r"§5\.3"):
        group.commit(by_value=[Add(received(person.bundle()))])


@pytest.mark.parametrize(
    ("suite", "key"),
    [
        (CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519, x25519.X25519PrivateKey.generate()),
        (SUITE, ec.generate_private_key(ec.SECP256K1())),
        (SUITE, ec.generate_private_key(ec.BrainpoolP256R1())),
    ],
    ids=["x25519", "secp256k1", "brainpool"],
)
def test_a_key_of_another_algorithm_of_the_same_length_is_refused(suite: CipherSuite, key: Any) -> None:
    issuer = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(RemoteError, match=r"§5\.3"):
        crypto_for(suite).signature_public_key_of_certificate(certificate(issuer, key.public_key()))


def test_an_external_sender_holds_the_key_of_its_certificate() -> None:
    signer, credential = certified(ec.generate_private_key(ec.SECP256R1()))
    thief, group = Person("mallory"), Person("alice").found()

    def named(key: bytes) -> GroupContextExtensions:
        return GroupContextExtensions((external_senders_extension([ExternalSender(key, credential)]),))

    with pytest.raises(RemoteError, match=r"§5\.3"):
        group.commit(by_value=[named(thief.signer.public_key)])
    with pytest.raises(RemoteError, match=r"§5\.3"):
        thief.found(named(thief.signer.public_key).extensions)
    group.commit(by_value=[named(signer.public_key)])


CREDENTIALS = [BasicCredential(b"a"), X509Credential((b"one", b"two")), UnknownCredential(0xF001, b"badge")]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_credential_comes_back_as_it_went(credential: Credential) -> None:
    assert read_credential(Reader(credential.encode())) == credential


def with_a_badge(name: str) -> Person:
    person = Person(name)
    person.credential = UnknownCredential(0xF001, name.encode())
    return person


def test_a_type_that_all_members_support_is_carried() -> None:
    alice, bob = with_a_badge("alice"), with_a_badge("bob")
    group, bundle = alice.found(), bob.bundle()
    pending = group.commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    joined = Group.join(pending.welcome, bundle, bob.signer, auth=AcceptAny())
    assert [each.leaf_node.credential for each in joined.members] == [alice.credential, bob.credential]
    assert joined.epoch_authenticator == pending.merge().epoch_authenticator


def test_a_type_that_somebody_does_not_support_is_kept_out() -> None:
    group = Person("alice").found()
    with pytest.raises(RemoteError, match=r"§7\.3"):
        group.commit(by_value=[Add(received(with_a_badge("bob").bundle()))])


def test_who_says_that_it_supports_a_type_meets_it() -> None:
    alice, bob = Person("alice"), with_a_badge("bob")
    group = Group.create(
        SUITE,
        b"g",
        alice.signer,
        alice.credential,
        lifetime=LIFETIME,
        credential_types=[0xF001],
        auth=AcceptAny(),
    )
    bundle = bob.bundle(extension_types=[])
    assert group.commit(by_value=[Add(received(bundle))]).staged.added == (1,)
