"""Cipher suites of SFrame (RFC 9605 §4.5), and the AEAD behind each.

Two families: AES-GCM as `cryptography` has it, and the synthetic AEAD of §4.5.1 (AES-CTR, then
HMAC over everything, tag cut to 10, 8 or 4 bytes) for short tags. Suites 6 to 8 are the same
with AES-256 and SHA-512: not in the RFC's table, but in the working group's vectors.
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm

from conclaved.sframe.errors import AuthenticationError, MalformedError, SframeUsageError

MAX_FRAME_BYTES = 1 << 24
"""No frame of a meeting is longer; far below every limit of the primitives."""


class CipherSuite(IntEnum):
    """Values of the IANA registry "SFrame Cipher Suites" (RFC 9605 §8.1), and three of the vectors'."""

    AES_128_CTR_HMAC_SHA256_80 = 1
    AES_128_CTR_HMAC_SHA256_64 = 2
    AES_128_CTR_HMAC_SHA256_32 = 3
    AES_128_GCM_SHA256_128 = 4
    AES_256_GCM_SHA512_128 = 5
    AES_256_CTR_HMAC_SHA512_80 = 6
    AES_256_CTR_HMAC_SHA512_64 = 7
    AES_256_CTR_HMAC_SHA512_32 = 8

    @property
    def parameters(self) -> "Parameters":
        """The constants of the suite."""
        return _PARAMETERS[self]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Constants of a suite; sizes in bytes, named as in RFC 9605 §4.4."""

    hash_name: str
    nh: int
    nka: int
    """Key of the block cipher; equals `nk` where there is no compound AEAD."""
    nk: int
    nt: int
    counter_limit: int
    """A key protects this many frames and no more. Nonces are counters and cannot collide, so
    the limit guards against the birthday bound of AES blocks; at 50 frames a second it is years off."""
    nn: int = 12

    @property
    def is_compound(self) -> bool:
        """AES-CTR with HMAC (§4.5.1), not a native AEAD."""
        return self.nk != self.nka

    def hash_algorithm(self) -> HashAlgorithm:
        """The hash as `cryptography` names it."""
        return SHA256() if self.hash_name == "sha256" else SHA512()


_LIMIT = 1 << 32
_PARAMETERS = {
    CipherSuite.AES_128_CTR_HMAC_SHA256_80: Parameters("sha256", 32, 16, 48, 10, _LIMIT),
    CipherSuite.AES_128_CTR_HMAC_SHA256_64: Parameters("sha256", 32, 16, 48, 8, _LIMIT),
    CipherSuite.AES_128_CTR_HMAC_SHA256_32: Parameters("sha256", 32, 16, 48, 4, _LIMIT),
    CipherSuite.AES_128_GCM_SHA256_128: Parameters("sha256", 32, 16, 16, 16, _LIMIT),
    CipherSuite.AES_256_GCM_SHA512_128: Parameters("sha512", 64, 32, 32, 16, _LIMIT),
    CipherSuite.AES_256_CTR_HMAC_SHA512_80: Parameters("sha512", 64, 32, 96, 10, _LIMIT),
    CipherSuite.AES_256_CTR_HMAC_SHA512_64: Parameters("sha512", 64, 32, 96, 8, _LIMIT),
    CipherSuite.AES_256_CTR_HMAC_SHA512_32: Parameters("sha512", 64, 32, 96, 4, _LIMIT),
}


class Aead(Protocol):
    """An AEAD bound to one key."""

    def seal(self, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """Ciphertext followed by the tag of Nt bytes."""

    def open(self, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """The plaintext. Raises AuthenticationError, or MalformedError when shorter than a tag."""

    def erase(self) -> None:
        """Drop the key, overwriting what Python can overwrite. Nothing works afterwards."""


def make_aead(suite: CipherSuite, key: bytes | bytearray) -> Aead:
    """The suite's AEAD for `key` (Nk bytes). Raises SframeUsageError on another length."""
    parameters = suite.parameters
    if len(key) != parameters.nk:
        raise SframeUsageError(f"{suite.name} takes a key of {parameters.nk} bytes")
    if parameters.is_compound:
        return CtrHmac(suite, key)
    return Gcm(key)


class Gcm:
    """AES-GCM. One `AESGCM` object is kept for the key's life: making one costs more than a frame."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes | bytearray) -> None:
        self._aead: AESGCM | None = AESGCM(key)

    def _live(self) -> AESGCM:
        if self._aead is None:
            raise SframeUsageError("AEAD was erased")
        return self._aead

    def seal(self, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """See Aead."""
        return self._live().encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """See Aead."""
        if len(ciphertext) < 16:
            raise MalformedError("shorter than a tag")
        try:
            return self._live().decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise AuthenticationError("tag does not match") from None

    def erase(self) -> None:
        """See Aead."""
        self._aead = None


class CtrHmac:
    """AES-CTR with a truncated HMAC, encrypt-then-MAC (RFC 9605 §4.5.1)."""

    __slots__ = ("_auth_key", "_enc_key", "_hash_name", "_nt")

    def __init__(self, suite: CipherSuite, key: bytes | bytearray) -> None:
        parameters = suite.parameters
        self._enc_key = bytearray(key[: parameters.nka])
        self._auth_key = bytearray(key[parameters.nka :])
        self._hash_name = parameters.hash_name
        self._nt = parameters.nt

    def seal(self, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """See Aead."""
        ciphertext = self._ctr(nonce, plaintext)
        return ciphertext + self._tag(nonce, aad, ciphertext)

    def open(self, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """See Aead."""
        size = len(ciphertext) - self._nt
        if size < 0:
            raise MalformedError("shorter than a tag")
        inner = ciphertext[:size]
        if not hmac.compare_digest(self._tag(nonce, aad, inner), ciphertext[size:]):
            raise AuthenticationError("tag does not match")
        return self._ctr(nonce, inner)

    def erase(self) -> None:
        """See Aead."""
        self._enc_key[:] = bytes(len(self._enc_key))
        self._auth_key[:] = bytes(len(self._auth_key))
        self._enc_key = bytearray()
        self._auth_key = bytearray()

    def _ctr(self, nonce: bytes, data: bytes) -> bytes:
        if not self._enc_key:
            raise SframeUsageError("AEAD was erased")
        # Encryption and decryption in counter mode are one operation.
        return Cipher(algorithms.AES(self._enc_key), modes.CTR(nonce + bytes(4))).encryptor().update(data)

    def _tag(self, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        lengths = b"".join(size.to_bytes(8, "big") for size in (len(aad), len(ciphertext), self._nt))
        message = lengths + nonce + aad + ciphertext
        return hmac.digest(self._auth_key, message, self._hash_name)[: self._nt]
