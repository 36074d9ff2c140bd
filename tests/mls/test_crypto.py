"""The provider, against the HPKE of `cryptography` and against bad keys."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from conclaved.mls import Add, CipherSuite, DecryptionFailed, InvalidSignature, LocalError, RemoteError
from conclaved.mls.crypto import (
    Crypto,
    HpkeCiphertext,
    SoftwareSigner,
    crypto_for,
    supported_suites,
    use_provider,
)
from conclaved.mls.errors import MlsError
from tests.mls.cast import Person

SUITES = {
    1: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM),
    2: hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM),
    3: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305),
    5: hpke.Suite(hpke.KEM.P521, hpke.KDF.HKDF_SHA512, hpke.AEAD.AES_256_GCM),
    7: hpke.Suite(hpke.KEM.P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM),
}
ENC_SIZE = {1: 32, 2: 65, 3: 32, 5: 133, 7: 97}


@pytest.mark.parametrize("number", SUITES)
def test_what_we_seal_the_library_opens_and_the_reverse(number: int) -> None:
    crypto, library = crypto_for(CipherSuite(number)), SUITES[number]
    private = crypto.generate_key_pair()
    public = crypto.hpke_public_key(private.public_key)
    context = crypto.hpke_context(b"info")
    for plaintext in (b"one", b"two"):
        sealed = context.seal(public, plaintext)
        assert library.decrypt(sealed.kem_output + sealed.ciphertext, private.key, b"info") == plaintext
        theirs = library.encrypt(plaintext, private.key.public_key(), b"info")
        cut = ENC_SIZE[number]
        assert context.open(private, HpkeCiphertext(theirs[:cut], theirs[cut:])) == plaintext


@pytest.mark.parametrize("suite", supported_suites())
def test_both_sides_export_the_same_secret(suite: CipherSuite) -> None:
    crypto = crypto_for(suite)
    private = crypto.derive_key_pair(b"key material" * 6)
    context = crypto.hpke_context(b"")
    output, secret = context.send_export(crypto.hpke_public_key(private.public_key), b"label", 32)
    assert context.receive_export(private, output, b"label", 32) == secret


@pytest.mark.parametrize("suite", supported_suites())
def test_an_opened_ciphertext_was_sealed_to_this_key_and_info(suite: CipherSuite) -> None:
    crypto = crypto_for(suite)
    mine, other = crypto.generate_key_pair(), crypto.generate_key_pair()
    sealed = crypto.hpke_context(b"info").seal(crypto.hpke_public_key(mine.public_key), b"secret")
    with pytest.raises(DecryptionFailed):
        crypto.hpke_context(b"info").open(other, sealed)
    with pytest.raises(DecryptionFailed):
        crypto.hpke_context(b"other").open(mine, sealed)


@pytest.mark.parametrize("suite", supported_suites())
def test_a_signature_holds_for_its_key_label_and_content_only(suite: CipherSuite) -> None:
    crypto, signer = crypto_for(suite), SoftwareSigner.generate(suite)
    signature = crypto.sign_with_label(signer, "Label", b"content")
    crypto.verify_with_label(signer.public_key, "Label", b"content", signature)
    other = SoftwareSigner.generate(suite).public_key
    for key, label, content in (
        (other, "Label", b"content"),
        (signer.public_key, "label", b"content"),
        (signer.public_key, "Label", b"Content"),
        (b"no key", "Label", b"content"),
    ):
        with pytest.raises(InvalidSignature):
            crypto.verify_with_label(key, label, content, signature)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(65),
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
        ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers().x.to_bytes(48, "big"),
        x25519.X25519PrivateKey.generate().public_key().public_bytes_raw(),
    ],
)
def test_what_is_no_point_of_the_curve_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteError):
        crypto_for(CipherSuite(2)).hpke_public_key(data)


def test_an_all_zero_shared_secret_is_refused() -> None:
    crypto = crypto_for(CipherSuite(1))
    with pytest.raises(MlsError):
        crypto.hpke_context(b"").seal(crypto.hpke_public_key(bytes(32)), b"secret")


P25519, P448 = 2**255 - 19, 2**448 - 2**224 - 1
ORDER_8 = [
    int.from_bytes(
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"
    ),
    int.from_bytes(
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"
    ),
]
LOW_ORDER = [
    *(
        (1, (u | top).to_bytes(32, "little"))
        for u in (0, 1, P25519 - 1, P25519, P25519 + 1, *ORDER_8)
        for top in (0, 1 << 255)
    ),
    *((4, u.to_bytes(56, "little")) for u in (0, 1, P448 - 1, P448, P448 + 1)),
]


@pytest.mark.parametrize(("suite", "data"), LOW_ORDER)
def test_a_point_of_low_order_is_no_key(suite: int, data: bytes) -> None:
    """Each of them gives the library a shared secret of zeros, which it refuses."""
    private, public = (
        (x25519.X25519PrivateKey.generate(), x25519.X25519PublicKey.from_public_bytes(data))
        if suite == 1
        else (x448.X448PrivateKey.generate(), x448.X448PublicKey.from_public_bytes(data))
    )
    with pytest.raises(ValueError, match="shared key"):
        private.exchange(public)  # type: ignore[arg-type]
    with pytest.raises(RemoteError):
        crypto_for(CipherSuite(suite)).hpke_public_key(data)


@pytest.mark.parametrize("suite", [1, 4])
def test_a_member_that_nobody_could_seal_to_is_not_added(suite: int) -> None:
    crypto, mallory = crypto_for(CipherSuite(suite)), Person("mallory", CipherSuite(suite))
    package = mallory.bundle().key_package
    leaf = replace(package.leaf_node, encryption_key=bytes(len(package.leaf_node.encryption_key)))
    changed = replace(package, leaf_node=leaf.sign(crypto, mallory.signer)).sign(crypto, mallory.signer)
    with pytest.raises(RemoteError, match=r"RFC 9180 §7\.1\.4"):
        Person("alice", CipherSuite(suite)).found().commit(by_value=[Add(changed)], force_path=False)


def test_a_private_key_of_the_wrong_kind_is_our_own_mistake() -> None:
    for number in (1, 2):
        with pytest.raises(LocalError):
            crypto_for(CipherSuite(number)).hpke_private_key(b"" if number == 1 else bytes(32))


def test_a_simulation_can_put_its_own_provider_in_place_and_take_it_away_again() -> None:
    suite = CipherSuite(1)
    own = Crypto(suite)
    former = use_provider(own)
    try:
        assert crypto_for(suite) is own
    finally:
        assert use_provider(former) is own
    assert crypto_for(suite) is former


@pytest.mark.parametrize("suite", [CipherSuite(2), CipherSuite(5), CipherSuite(7)])
@pytest.mark.parametrize("change", [lambda key: key[9:], lambda key: b"\x00" + key, lambda key: b"xx"])
def test_a_private_key_that_was_cut_short_is_none(
    suite: CipherSuite, change: Callable[[bytes], bytes]
) -> None:
    length = {2: 32, 5: 66, 7: 48}[suite]
    whole = bytes(length - 1) + b"\x01"
    SoftwareSigner.from_private_bytes(suite, whole)
    with pytest.raises(LocalError):
        SoftwareSigner.from_private_bytes(suite, change(whole))
