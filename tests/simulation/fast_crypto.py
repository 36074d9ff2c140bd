"""Providers for simulated meetings: one that is fast and deterministic, one that is the real one.

Both watch that no AEAD key meets a nonce twice. The fast one is made of keyed BLAKE2b, with AES-GCM left as
it is. Its signatures and its key agreement hide nothing from somebody who looks at their bytes: whoever is
malicious in a simulation acts through `sign`, `seal` and `open` only, and there they behave as the real
ones do. Keys are P-256 points all the same, so that certificates fit.
"""

import hashlib
from functools import lru_cache
from random import Random
from typing import Any

from conclaved.mls import CipherSuite, RemoteError
from conclaved.mls.codec import opaque, uint16, uint32
from conclaved.mls.crypto import Crypto
from conclaved.mls.kem import HpkePrivateKey, HpkePublicKey, Secret
from tests.simulation.violation import Violation

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
_BLOCK = 64
_LABELS: dict[str, bytes] = {}


class NonceBook:
    """Every key and nonce that something was sealed with."""

    def __init__(self) -> None:
        self._used: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._used)

    def note(self, key: bytes, nonce: bytes) -> None:
        """Raises Violation when they were used together before."""
        used = key + b"|" + nonce
        if used in self._used:
            raise Violation("no (key, nonce) twice", f"a key met the nonce {nonce.hex()} again")
        self._used.add(used)


class WatchedCrypto(Crypto):
    """The real provider, watched."""

    def __init__(self) -> None:
        super().__init__(SUITE)
        self.nonces = NonceBook()

    def aead_seal(self, key: Secret, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        self.nonces.note(bytes(key), nonce)
        return super().aead_seal(key, nonce, plaintext, aad)


class FastSigner:
    """A signer whose signatures only `FastCrypto` takes for signatures."""

    __slots__ = ("_secret", "public_key")

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key
        self._secret = _signing_secret(public_key)

    @property
    def certificate_public_key(self) -> Any:
        """Certificates are made with the real keys."""
        raise NotImplementedError

    def sign(self, data: bytes) -> bytes:
        """32 bytes."""
        return hashlib.blake2b(data, key=self._secret, digest_size=32).digest()


@lru_cache(maxsize=4096)
def _signing_secret(public_key: bytes) -> bytes:
    return hashlib.blake2b(public_key, key=b"signing secret", digest_size=32).digest()


class FastCrypto(WatchedCrypto):
    """See the file's head. `source` gives all randomness, so that a schedule repeats byte by byte."""

    def __init__(self, source: Random) -> None:
        super().__init__()
        self.source = source

    def random(self, size: int) -> bytes:
        return self.source.randbytes(size)

    def extract(self, salt: Secret, key_material: Secret) -> bytes:
        return hashlib.blake2b(key_material, key=salt, digest_size=32).digest()

    def expand(self, secret: Secret, info: bytes, length: int) -> bytes:
        if length <= _BLOCK:
            return hashlib.blake2b(info, key=secret, digest_size=length).digest()
        blocks = range((length + _BLOCK - 1) // _BLOCK)
        return b"".join(hashlib.blake2b(info + uint32(i), key=secret).digest() for i in blocks)[:length]

    def expand_with_label(self, secret: Secret, label: str, context: bytes, length: int) -> bytes:
        if length == 0:
            return b""
        known = _LABELS.get(label)
        if known is None:
            known = _LABELS[label] = b"label" + opaque(label.encode())
        return self.expand(secret, known + context, length)

    def is_signed(self, public_key: bytes, data: bytes, signature: bytes) -> bool:
        if len(signature) == 32:
            secret = _signing_secret(public_key)
            return hashlib.blake2b(data, key=secret, digest_size=32).digest() == signature
        # By a key that was not made here: the link's.
        return super().is_signed(public_key, data, signature)

    def signature_public_key_of_certificate(self, certificate: bytes) -> bytes:
        return _key_of_certificate(certificate)

    def generate_key_pair(self) -> HpkePrivateKey:
        return _key_pair(self.source.randbytes(32))

    def derive_key_pair(self, key_material: Secret) -> HpkePrivateKey:
        return _key_pair(hashlib.blake2b(key_material, key=b"key pair", digest_size=32).digest())

    def hpke_private_key(self, data: bytes) -> HpkePrivateKey:
        return _key_pair(data)

    def hpke_public_key(self, data: bytes) -> HpkePublicKey:
        if len(data) != 65 or data[0] != 4:
            raise RemoteError("not an HPKE public key of this suite", rule="RFC 9180 §7.1.4")
        return HpkePublicKey(data, data)

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        output = self.source.randbytes(65)
        return _agreed(public.data, output), output

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        return _agreed(private.public_key, kem_output)

    def hpke_extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hashlib.blake2b(ikm, key=salt, digest_size=32, person=label[:16]).digest()

    def hpke_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self.expand(prk, uint16(length) + opaque(label) + info, length)


def _key_pair(private: bytes) -> HpkePrivateKey:
    return HpkePrivateKey(b"\x04" + hashlib.blake2b(private, key=b"public half").digest(), private)


def _agreed(public: bytes, output: bytes) -> bytes:
    return hashlib.blake2b(public + output, key=b"agreed", digest_size=32).digest()


@lru_cache(maxsize=1024)
def _key_of_certificate(certificate: bytes) -> bytes:
    return Crypto(SUITE).signature_public_key_of_certificate(certificate)
