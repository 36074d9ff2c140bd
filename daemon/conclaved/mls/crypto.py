"""The one provider of cryptography: everything below RFC 9420's labels is called from here.

Primitives come from `cryptography`. What its HPKE `Suite` lacks is composed here and in `kem` as RFC 9180
says: DeriveKeyPair (§7.1.3), the exporter (§5.3), X448, and a sealing context that hashes one `info` for
many recipients, which makes a Welcome for N joiners linear in N. HPKE's aad is empty in MLS throughout.

Beside RFC 9420's seven suites there are the three of draft-ietf-mls-pq-ciphersuites-06 whose hybrid KEM the
library has. The draft gives them no numbers yet (TBD1, TBD2, TBD5); until it does they are 0xF0D1, 0xF0D2
and 0xF0D5 here, from the range for private use, and a client offers one only where it is asked to use it.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from conclaved.mls.codec import Reader, opaque, uint16, uint32
from conclaved.mls.errors import DecryptionFailed, InvalidSignature, LocalError, RemoteError
from conclaved.mls.kem import (
    P256,
    P384,
    P521,
    X448,
    X25519,
    DhKem,
    HpkePrivateKey,
    HpkePublicKey,
    HybridKem,
    Kem,
    NistCurve,
    Secret,
    hkdf_expand,
    labeled_extract,
)
from conclaved.mls.single_owner import NotCopied


class CipherSuite(IntEnum):
    """RFC 9420 §17.1, and draft-ietf-mls-pq-ciphersuites-06 §3.1."""

    MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519 = 1
    MLS_128_DHKEMP256_AES128GCM_SHA256_P256 = 2
    MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519 = 3
    MLS_256_DHKEMX448_AES256GCM_SHA512_ED448 = 4
    MLS_256_DHKEMP521_AES256GCM_SHA512_P521 = 5
    MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_ED448 = 6
    MLS_256_DHKEMP384_AES256GCM_SHA384_P384 = 7
    MLS_128_MLKEM768X25519_AES128GCM_SHA256_ED25519 = 0xF0D1
    MLS_128_MLKEM768X25519_AES256GCM_SHA384_ED25519 = 0xF0D2
    MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384 = 0xF0D5

    @property
    def is_private_use(self) -> bool:
        """Whether its number means it only among those who agreed on that (RFC 9420 §17.1)."""
        return self >= 0xF000


@dataclass(frozen=True, slots=True)
class HpkeCiphertext:
    """What HPKE's single-shot seal gives (RFC 9420 §7.6)."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> "HpkeCiphertext":
        return cls(reader.opaque(), reader.opaque())


class Signer(Protocol):
    """Holder of a signature private key: software, a TPM, a PKCS#11 token."""

    @property
    def public_key(self) -> bytes:
        """SignaturePublicKey as MLS encodes it (RFC 9420 §5.1.1); for P-256 the 65-byte point."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signature over `data`; for ECDSA the DER form, over the suite's hash of `data`."""
        ...


# --- Signatures ----------------------------------------------------------------------------------


class _Ecdsa:
    """ECDSA, DER encoded; keys are uncompressed points and field elements."""

    def __init__(self, curve: NistCurve, algorithm: hashes.HashAlgorithm) -> None:
        self.curve, self.algorithm = curve, ec.ECDSA(algorithm)

    def generate(self) -> Any:
        return self.curve.generate()

    def from_private(self, data: bytes) -> Any:
        return self.curve.from_private(data)

    def from_public(self, data: bytes) -> Any:
        return self.curve.from_public(data)

    def public_bytes(self, key: Any) -> bytes:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != self.curve.curve.name:
            raise ValueError("not a public key of this curve")
        return self.curve.public_bytes(key)

    def sign(self, key: Any, data: bytes) -> bytes:
        signature: bytes = key.sign(data, self.algorithm)
        return signature

    def verify(self, key: Any, data: bytes, signature: bytes) -> None:
        key.verify(signature, data, self.algorithm)


class _EdDsa:
    """Ed25519 or Ed448 (RFC 8032)."""

    def __init__(self, private: Any, public: Any) -> None:
        self.private, self.public = private, public

    def generate(self) -> Any:
        return self.private.generate()

    def from_private(self, data: bytes) -> Any:
        return self.private.from_private_bytes(bytes(data))

    def from_public(self, data: bytes) -> Any:
        return self.public.from_public_bytes(data)

    def public_bytes(self, key: Any) -> bytes:
        # X25519 keys are 32 raw bytes, too.
        if not isinstance(key, self.public):
            raise ValueError("not a public key of this algorithm")
        encoded: bytes = key.public_bytes_raw()
        return encoded

    def sign(self, key: Any, data: bytes) -> bytes:
        signature: bytes = key.sign(data)
        return signature

    def verify(self, key: Any, data: bytes, signature: bytes) -> None:
        key.verify(signature, data)


_ED25519 = _EdDsa(ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)
_ED448 = _EdDsa(ed448.Ed448PrivateKey, ed448.Ed448PublicKey)


# --- The registry --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parameters:
    """What a cipher suite is made of (RFC 9420 §17.1, RFC 9180 §7)."""

    kem: Kem
    kdf_id: int
    hash: hashes.HashAlgorithm
    aead_id: int
    aead: Any
    key_size: int
    signature: Any


_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_DHKEM_P256, _DHKEM_P384 = DhKem(0x10, P256, _SHA256), DhKem(0x11, P384, _SHA384)
_DHKEM_P521, _DHKEM_X448 = DhKem(0x12, P521, _SHA512), DhKem(0x21, X448, _SHA512)
_DHKEM_X25519 = DhKem(0x20, X25519, _SHA256)
_MLKEM768_X25519 = HybridKem(0x647A, 768, X25519, bytes.fromhex("5c2e2f2f5e5c"))
_MLKEM1024_P384 = HybridKem(0x51, 1024, P384, b"MLKEM1024-P384")
_P256_SIGNATURE, _P384_SIGNATURE = _Ecdsa(P256, _SHA256), _Ecdsa(P384, _SHA384)
_REGISTRY = {
    1: _Parameters(_DHKEM_X25519, 1, _SHA256, 1, AESGCM, 16, _ED25519),
    2: _Parameters(_DHKEM_P256, 1, _SHA256, 1, AESGCM, 16, _P256_SIGNATURE),
    3: _Parameters(_DHKEM_X25519, 1, _SHA256, 3, ChaCha20Poly1305, 32, _ED25519),
    4: _Parameters(_DHKEM_X448, 3, _SHA512, 2, AESGCM, 32, _ED448),
    5: _Parameters(_DHKEM_P521, 3, _SHA512, 2, AESGCM, 32, _Ecdsa(P521, _SHA512)),
    6: _Parameters(_DHKEM_X448, 3, _SHA512, 3, ChaCha20Poly1305, 32, _ED448),
    7: _Parameters(_DHKEM_P384, 2, _SHA384, 2, AESGCM, 32, _P384_SIGNATURE),
    0xF0D1: _Parameters(_MLKEM768_X25519, 1, _SHA256, 1, AESGCM, 16, _ED25519),
    0xF0D2: _Parameters(_MLKEM768_X25519, 2, _SHA384, 2, AESGCM, 32, _ED25519),
    0xF0D5: _Parameters(_MLKEM1024_P384, 2, _SHA384, 2, AESGCM, 32, _P384_SIGNATURE),
}
NONCE_SIZE = 12


@lru_cache(maxsize=256)
def _label(label: str) -> bytes:
    """The `label` field of the structures that go into a signature or KDF (RFC 9420 §5.1.2, §8)."""
    return opaque(b"MLS 1.0 " + label.encode())


@lru_cache(maxsize=256)
def _kdf_label_head(length: int, label: str) -> bytes:
    """KDFLabel up to its context (RFC 9420 §8): the same few for every message and every node."""
    return uint16(length) + _label(label)


class Crypto:
    """The algorithms of one cipher suite under RFC 9420's names. Get one from `crypto_for`."""

    def __init__(self, suite: CipherSuite) -> None:
        self.suite = suite
        self._p = _REGISTRY[suite]
        self.hash_size = self._p.hash.digest_size
        self.key_size = self._p.key_size
        self.nonce_size = NONCE_SIZE
        self._hash_name = self._p.hash.name
        self._hash = getattr(hashlib, self._hash_name)
        self._kem = self._p.kem
        self.hpke_suite_id = (
            b"HPKE" + uint16(self._kem.kem_id) + uint16(self._p.kdf_id) + uint16(self._p.aead_id)
        )
        self.zero = bytes(self.hash_size)
        self._longest = min(255 * self.hash_size, 0xFFFF)
        # A member's key is used again and again, and a KeyPackage is signed twice with one.
        self._signature_key = lru_cache(maxsize=1024)(self._p.signature.from_public)

    def __repr__(self) -> str:
        return f"Crypto({self.suite.name})"

    # Hashes and key derivation

    def random(self, size: int) -> bytes:
        """`size` fresh random bytes from the operating system."""
        return os.urandom(size)

    def hash(self, data: bytes) -> bytes:
        """Hash of the suite, `hash_size` bytes."""
        digest: bytes = self._hash(data).digest()
        return digest

    def mac(self, key: Secret, data: bytes) -> bytes:
        """HMAC with the suite's hash."""
        return hmac.digest(key, data, self._hash_name)

    def mac_equal(self, a: bytes, b: bytes) -> bool:
        """Compare two tags in constant time."""
        return hmac.compare_digest(a, b)

    def extract(self, salt: Secret, key_material: Secret) -> bytes:
        """KDF.Extract."""
        return hmac.digest(salt, key_material, self._hash_name)

    def expand(self, secret: Secret, info: bytes, length: int) -> bytes:
        """KDF.Expand."""
        return hkdf_expand(self._p.hash, secret, info, length)

    def expand_with_label(self, secret: Secret, label: str, context: bytes, length: int) -> bytes:
        """ExpandWithLabel (RFC 9420 §8)."""
        if not 0 <= length <= self._longest:
            raise LocalError(f"cannot expand to {length} bytes")
        if length == 0:
            return b""
        info = _kdf_label_head(length, label) + opaque(context)
        return hkdf_expand(self._p.hash, secret, info, length)

    def derive_secret(self, secret: Secret, label: str) -> bytes:
        """DeriveSecret (RFC 9420 §8)."""
        return self.expand_with_label(secret, label, b"", self.hash_size)

    def derive_tree_secret(self, secret: Secret, label: str, generation: int, length: int) -> bytes:
        """DeriveTreeSecret (RFC 9420 §9)."""
        return self.expand_with_label(secret, label, uint32(generation), length)

    def ref_hash(self, label: str, value: bytes) -> bytes:
        """RefHash (RFC 9420 §5.2); `label` is the whole label."""
        return self.hash(opaque(label.encode()) + opaque(value))

    # Authenticated encryption

    def aead_seal(self, key: Secret, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """AEAD.Seal; 16 bytes longer than the plaintext."""
        sealed: bytes = self._p.aead(bytes(key)).encrypt(nonce, plaintext, aad)
        return sealed

    def aead_open(self, key: Secret, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        """AEAD.Open; DecryptionFailed for a wrong key or changed bytes."""
        try:
            plaintext: bytes = self._p.aead(bytes(key)).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise DecryptionFailed("decryption failed", rule="RFC 9420 §6.3") from None
        return plaintext

    # Signatures

    def sign_with_label(self, signer: Signer, label: str, content: bytes) -> bytes:
        """SignWithLabel (RFC 9420 §5.1.2)."""
        return signer.sign(_label(label) + opaque(content))

    def verify_with_label(self, public_key: bytes, label: str, content: bytes, signature: bytes) -> None:
        """VerifyWithLabel (RFC 9420 §5.1.2); InvalidSignature where it does not hold."""
        if not self.is_signed(public_key, _label(label) + opaque(content), signature):
            raise InvalidSignature(f"invalid {label} signature", rule="RFC 9420 §5.1.2")

    def check_signer(self, signer: Signer) -> None:
        """LocalError for a signer whose key is not of this suite: nobody could verify what it signs."""
        try:
            self._signature_key(signer.public_key)
        except ValueError:
            raise LocalError(f"the signer's key is not of suite {self.suite.name}") from None

    def is_signed(self, public_key: bytes, data: bytes, signature: bytes) -> bool:
        """Signature.Verify: whether `signature` over `data` is by `public_key`, in MLS's encoding."""
        try:
            self._p.signature.verify(self._signature_key(public_key), data, signature)
        except (BadSignature, ValueError):
            return False
        return True

    def signature_public_key_of_certificate(self, certificate: bytes) -> bytes:
        """The key in a DER certificate as MLS encodes it; RemoteError if it is not of this suite."""
        try:
            key = x509.load_der_x509_certificate(certificate).public_key()
            encoded = self._p.signature.public_bytes(key)
            self._signature_key(encoded)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
            raise RemoteError(
                "the certificate has no key of this cipher suite", rule="RFC 9420 §5.3"
            ) from None
        return bytes(encoded)

    # HPKE

    def generate_key_pair(self) -> HpkePrivateKey:
        """A fresh key pair of the suite's KEM."""
        return self._kem.generate_key_pair()

    def derive_key_pair(self, key_material: Secret) -> HpkePrivateKey:
        """KEM.DeriveKeyPair (RFC 9180 §7.1.3)."""
        return self._kem.derive_key_pair(key_material)

    def hpke_private_key(self, data: bytes) -> HpkePrivateKey:
        """DeserializePrivateKey (RFC 9180 §7.1.2); LocalError for bytes that are none."""
        try:
            return self._kem.private_key(data)
        except ValueError:
            raise LocalError("not an HPKE private key of this suite") from None

    def hpke_public_key(self, data: bytes) -> HpkePublicKey:
        """DeserializePublicKey (RFC 9180 §7.1.1), validated; RemoteError for bytes that are none."""
        return self._kem.public_key(data)

    def hpke_context(self, info: bytes) -> "HpkeContext":
        """Base mode for one `info`, hashed once for any number of seals and opens."""
        return HpkeContext(self, info)

    def label_context(self, label: str, context: bytes) -> "HpkeContext":
        """The HPKE context of EncryptWithLabel and DecryptWithLabel (RFC 9420 §5.1.3)."""
        return HpkeContext(self, _label(label) + opaque(context))

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        """Encap (RFC 9180 §4.1): the shared secret and what carries it."""
        return self._kem.encapsulate(public)

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        """Decap (RFC 9180 §4.1)."""
        return self._kem.decapsulate(private, kem_output)

    def hpke_extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        """LabeledExtract of the HPKE suite (RFC 9180 §4)."""
        return labeled_extract(self._p.hash, self.hpke_suite_id, salt, label, ikm)

    def hpke_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        """LabeledExpand of the HPKE suite (RFC 9180 §4)."""
        return self.expand(prk, uint16(length) + b"HPKE-v1" + self.hpke_suite_id + label + info, length)

    # Signature keys

    def generate_signature_key(self) -> tuple[Any, bytes]:
        """A fresh signature key, and its public half as MLS encodes it."""
        key = self._p.signature.generate()
        return key, self._p.signature.public_bytes(key.public_key())

    def load_signature_key(self, data: bytes) -> tuple[Any, bytes]:
        """A signature private key from the encoding that the test vectors use; LocalError if none."""
        try:
            key = self._p.signature.from_private(data)
        except ValueError:
            raise LocalError("not a signature private key of this suite") from None
        return key, self._p.signature.public_bytes(key.public_key())

    def sign(self, key: Any, data: bytes) -> bytes:
        """Signature.Sign with a key from the two methods above."""
        signature: bytes = self._p.signature.sign(key, data)
        return signature


class HpkeContext:
    """HPKE in base mode under one `info` (RFC 9180 §5.1); every seal draws its own ephemeral key."""

    __slots__ = ("_crypto", "_schedule")

    def __init__(self, crypto: Crypto, info: bytes) -> None:
        psk_id_hash = crypto.hpke_extract(b"", b"psk_id_hash", b"")
        self._crypto = crypto
        self._schedule = b"\x00" + psk_id_hash + crypto.hpke_extract(b"", b"info_hash", info)

    def seal(self, public: HpkePublicKey, plaintext: bytes) -> HpkeCiphertext:
        """SealBase (RFC 9180 §6.1) with an empty aad."""
        shared, output = self._crypto.encapsulate(public)
        key, nonce = self._keys(shared)
        return HpkeCiphertext(output, self._crypto.aead_seal(key, nonce, plaintext, b""))

    def open(self, private: HpkePrivateKey, sealed: HpkeCiphertext) -> bytes:
        """OpenBase (RFC 9180 §6.1) with an empty aad; RemoteError where it fails."""
        key, nonce = self._keys(self._crypto.decapsulate(private, sealed.kem_output))
        return self._crypto.aead_open(key, nonce, sealed.ciphertext, b"")

    def send_export(self, public: HpkePublicKey, label: bytes, length: int) -> tuple[bytes, bytes]:
        """SendExportBase (RFC 9180 §6.2): the KEM output and the exported secret."""
        shared, output = self._crypto.encapsulate(public)
        return output, self._export(shared, label, length)

    def receive_export(self, private: HpkePrivateKey, kem_output: bytes, label: bytes, length: int) -> bytes:
        """ReceiveExportBase (RFC 9180 §6.2)."""
        return self._export(self._crypto.decapsulate(private, kem_output), label, length)

    def _export(self, shared: bytes, label: bytes, length: int) -> bytes:
        secret = self._crypto.hpke_extract(shared, b"secret", b"")
        exporter = self._crypto.hpke_expand(secret, b"exp", self._schedule, self._crypto.hash_size)
        return self._crypto.hpke_expand(exporter, b"sec", label, length)

    def _keys(self, shared: bytes) -> tuple[bytes, bytes]:
        crypto = self._crypto
        secret = crypto.hpke_extract(shared, b"secret", b"")
        key = crypto.hpke_expand(secret, b"key", self._schedule, crypto.key_size)
        nonce = crypto.hpke_expand(secret, b"base_nonce", self._schedule, crypto.nonce_size)
        return key, nonce


class SoftwareSigner(NotCopied):
    """A `Signer` whose key is in this process's memory."""

    __slots__ = ("_crypto", "_key", "_public_key")

    def __init__(self, crypto: Crypto, key: Any, public_key: bytes) -> None:
        self._crypto, self._key, self._public_key = crypto, key, public_key

    @classmethod
    def generate(cls, suite: CipherSuite) -> "SoftwareSigner":
        """A signer with a fresh key."""
        crypto = crypto_for(suite)
        return cls(crypto, *crypto.generate_signature_key())

    @classmethod
    def from_private_bytes(cls, suite: CipherSuite, data: bytes) -> "SoftwareSigner":
        """From a big-endian field element (ECDSA) or the native bytes (EdDSA); LocalError if neither."""
        crypto = crypto_for(suite)
        return cls(crypto, *crypto.load_signature_key(data))

    @property
    def public_key(self) -> bytes:
        return self._public_key

    def sign(self, data: bytes) -> bytes:
        return self._crypto.sign(self._key, data)

    def __repr__(self) -> str:
        return f"SoftwareSigner({self._crypto.suite.name}, {self._public_key.hex()[:16]}…)"


_providers: dict[CipherSuite, Crypto] = {}


def crypto_for(suite: CipherSuite) -> Crypto:
    """The provider of a cipher suite."""
    found = _providers.get(suite)
    if found is None:
        found = _providers[suite] = Crypto(suite)
    return found


def use_provider(crypto: Crypto) -> Crypto:
    """Take `crypto` for its suite from now on; returns what was used before.

    For simulations, which want a faster provider or one that watches. What was made under one provider
    does not go with another.
    """
    former = crypto_for(crypto.suite)
    _providers[crypto.suite] = crypto
    return former


def supported_suites() -> Sequence[CipherSuite]:
    """Every suite that this build can use, in the order of their numbers."""
    return tuple(suite for suite in CipherSuite if _is_supported(suite))


@lru_cache(maxsize=len(_REGISTRY))
def _is_supported(suite: int) -> bool:
    return suite in _REGISTRY and _REGISTRY[suite].kem.is_supported


def suite_from_wire(number: int) -> CipherSuite:
    """The suite of a number on the wire; RemoteError for one that is not supported."""
    if not _is_supported(number):
        raise RemoteError(f"cipher suite {number} is not supported", rule="RFC 9420 §5.1")
    return CipherSuite(number)
