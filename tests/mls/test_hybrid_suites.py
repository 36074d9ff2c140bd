"""The suites of draft-ietf-mls-pq-ciphersuites-06, against the library's HPKE and the draft's keys."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke

from conclaved.mls import AcceptAny, CipherSuite, Group, RemoteError
from conclaved.mls.crypto import HpkeCiphertext, crypto_for, supported_suites
from conclaved.mls.kem import HpkePrivateKey
from tests.mls.cast import Circle, Person

SUITES = {
    CipherSuite.MLS_128_MLKEM768X25519_AES128GCM_SHA256_ED25519: hpke.Suite(
        hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM
    ),
    CipherSuite.MLS_128_MLKEM768X25519_AES256GCM_SHA384_ED25519: hpke.Suite(
        hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM
    ),
    CipherSuite.MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384: hpke.Suite(
        hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM
    ),
}
X25519, _, P384 = SUITES

# Key material of draft-ietf-hpke-pq-04's vectors, and the SHA-256 of the public key that they give for it.
DERIVED = [
    (
        X25519,
        "b86e76a59fabfc87b30cd7b1f7aaa28a834eb64e7a261c197b9a842893fbce56",
        "ad8aaf3f00d8a39bfeec2947a7d5dde68be08bba19bd301a348a45dc5fcc8341",
    ),
    (
        P384,
        "0fce198c0c1ccfca5cd1ca8bc495b06696cbb8c733e708ead4531b2b294c38d2",
        "5d0b42c6f1471a72045ec087a4c2e61875541f4550b513672f2d858eb1a133c3",
    ),
]


def librarys(private: HpkePrivateKey) -> Any:
    """The same key as the library's HPKE takes it."""
    post_quantum, traditional = private.key
    if len(private.public_key) == 1216:
        return hpke.MLKEM768X25519PrivateKey(post_quantum, traditional)
    return hpke.MLKEM1024P384PrivateKey(post_quantum, traditional)


@pytest.mark.parametrize("suite", SUITES)
def test_what_we_seal_the_library_opens_and_the_reverse(suite: CipherSuite) -> None:
    crypto, library = crypto_for(suite), SUITES[suite]
    private = crypto.generate_key_pair()
    context = crypto.hpke_context(b"info")
    sealed = context.seal(crypto.hpke_public_key(private.public_key), b"words")
    assert library.decrypt(sealed.kem_output + sealed.ciphertext, librarys(private), b"info") == b"words"
    theirs = library.encrypt(b"words", librarys(private).public_key(), b"info")
    cut = len(sealed.kem_output)
    assert context.open(private, HpkeCiphertext(theirs[:cut], theirs[cut:])) == b"words"


@pytest.mark.parametrize(("suite", "key_material", "digest"), DERIVED)
def test_a_key_pair_is_derived_as_the_draft_has_it(
    suite: CipherSuite, key_material: str, digest: str
) -> None:
    derived = crypto_for(suite).derive_key_pair(bytes.fromhex(key_material))
    assert hashlib.sha256(derived.public_key).hexdigest() == digest


@pytest.mark.parametrize("suite", SUITES)
def test_a_damaged_public_key_or_output_is_refused(suite: CipherSuite) -> None:
    crypto = crypto_for(suite)
    private = crypto.generate_key_pair()
    shared, output = crypto.encapsulate(crypto.hpke_public_key(private.public_key))
    for key in (private.public_key[:-1], private.public_key + b"\0", b"", private.public_key[:1184]):
        with pytest.raises(RemoteError):
            crypto.hpke_public_key(key)
    for cut in (output[:-1], output + b"\0", b"", output[:1088]):
        with pytest.raises(RemoteError):
            crypto.decapsulate(private, cut)
    changed = bytes([output[0] ^ 1]) + output[1:]
    assert crypto.decapsulate(private, output) == shared
    assert crypto.decapsulate(private, changed) != shared


@pytest.mark.parametrize("suite", SUITES)
def test_a_group_lives_in_it(suite: CipherSuite) -> None:
    circle = Circle("alice", "bob", "carol", suite=suite)
    circle.commit("bob")
    dave = Person("dave", suite)
    message, group = Group.join_externally(
        circle["carol"].group_info(allow_external=True), dave.signer, dave.credential, auth=AcceptAny()
    )
    for name, theirs in circle.groups.items():
        content = theirs.unprotect(message, allow_outsiders=True)
        circle.groups[name] = theirs.stage(content, allow_external=True).merge()
    circle.people["dave"], circle.groups["dave"] = dave, group
    circle.commit("dave")
    circle.assert_agreement()


def test_numbers_for_private_use_are_offered_only_where_they_are_used() -> None:
    ordinary = Person("alice").bundle().key_package.leaf_node.capabilities.cipher_suites
    hybrid = Person("alice", P384).bundle().key_package.leaf_node.capabilities.cipher_suites
    assert not {int(suite) for suite in SUITES} & set(ordinary)
    assert {int(suite) for suite in SUITES} & set(hybrid) == {int(P384)}
    assert set(SUITES) <= set(supported_suites())
