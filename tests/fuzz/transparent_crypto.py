"""A provider that hides nothing and believes everything: so that a fuzzer gets past it.

What is sealed is the plaintext with sixteen zero bytes after it, every signature and tag is right, all hashes
but those that things are found by are equal. Each rule that is about something else is as it is.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from unittest.mock import patch

from conclaved.mls import DecryptionFailed, RemoteError, validation
from conclaved.mls.crypto import Crypto, Signer, use_provider
from conclaved.mls.kem import HpkePrivateKey, HpkePublicKey, Secret
from conclaved.mls.ratchet_tree import RatchetTree
from tests.simulation.fast_crypto import FastCrypto

_TAG = bytes(16)
_SHARED = bytes(range(32))


class TransparentCrypto(FastCrypto):
    """Deterministic, so that a finding is one again in another process."""

    def __init__(self) -> None:
        super().__init__(Random(1))

    def generate_signature_key(self) -> tuple[Any, bytes]:
        return None, b"\x04" + self.random(64)

    def check_signer(self, signer: Signer) -> None:
        """The keys here are on no curve."""

    def sign(self, key: Any, data: bytes) -> bytes:
        return bytes(32)

    def extract(self, salt: Secret, key_material: Secret) -> bytes:
        # A joiner secret is a salt, and of whatever length the sender likes.
        return super().extract(hashlib.blake2b(salt).digest(), key_material)

    def hash(self, data: bytes) -> bytes:
        return bytes(self.hash_size)

    def ref_hash(self, label: str, value: bytes) -> bytes:
        # The joiners of one Welcome have to find what is theirs.
        return hashlib.sha256(value).digest()

    def mac_equal(self, a: bytes, b: bytes) -> bool:
        return True

    def is_signed(self, public_key: bytes, data: bytes, signature: bytes) -> bool:
        return True

    def aead_seal(self, key: Secret, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return plaintext + _TAG

    def aead_open(self, key: Secret, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        if not ciphertext.endswith(_TAG):
            raise DecryptionFailed("decryption failed", rule="RFC 9420 §6.3")
        return ciphertext[: -len(_TAG)]

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        return _SHARED, b"kem"

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        return _SHARED


@contextmanager
def transparent() -> Iterator[TransparentCrypto]:
    """Have everything in its suite go through a fresh one."""
    crypto, checked = TransparentCrypto(), vars(validation)["check_parent_hashes"]

    def look_at_parent_hashes(crypto: Crypto, tree: RatchetTree) -> None:
        # Where all hashes are equal, every node is the parent of too many.
        with suppress(RemoteError):
            checked(crypto, tree)

    former = use_provider(crypto)
    try:
        with patch.object(validation, "check_parent_hashes", look_at_parent_hashes):
            yield crypto
    finally:
        use_provider(former)
