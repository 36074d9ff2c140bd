"""Key encapsulation: the DHKEMs of RFC 9180 §7.1 and the hybrid KEMs of draft-ietf-hpke-pq-04.

The primitives are the library's. What is composed here is what HPKE's one-shot API keeps to itself, and MLS
needs: DeriveKeyPair for the ratchet tree's keys, and Encap and Decap alone for an external Commit's init
secret and for one `info` with many recipients.

A hybrid KEM (draft-irtf-cfrg-concrete-hybrid-kems-03) joins ML-KEM with a curve so that both have to fall.
Its private key is a 32-byte seed; its public key and its output are ML-KEM's followed by the curve's.
"""

import hashlib
import hmac
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from conclaved.mls.codec import uint8, uint16
from conclaved.mls.errors import LocalError, RemoteError
from conclaved.mls.single_owner import NotCopied

try:
    from cryptography.hazmat.primitives.asymmetric import mlkem
except ImportError:  # a library that is older than ML-KEM
    mlkem = None  # type: ignore[assignment,unused-ignore]

Secret = bytes | bytearray
_SEED_SIZE = 32
_MLKEM_SEED_SIZE = 64


@dataclass(frozen=True, slots=True, eq=False)
class HpkePublicKey:
    """A public key of a suite's KEM, parsed."""

    data: bytes
    key: Any = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class HpkePrivateKey(NotCopied):
    """A private key of a suite's KEM; only the public half shows."""

    public_key: bytes
    key: Any = field(repr=False)


def labeled_extract(
    algorithm: hashes.HashAlgorithm, suite_id: bytes, salt: bytes, label: bytes, ikm: Secret
) -> bytes:
    """LabeledExtract (RFC 9180 §4)."""
    return hmac.digest(salt, b"HPKE-v1" + suite_id + label + ikm, algorithm.name)


def hkdf_expand(algorithm: hashes.HashAlgorithm, prk: Secret, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 §2.3); LocalError for more than 255 blocks.

    Over `hmac`: nearly all of MLS's secrets are one block long, for which the library's object costs more
    than the hash that it computes.
    """
    name = algorithm.name
    if length <= algorithm.digest_size:
        return hmac.digest(prk, info + b"\x01", name)[:length]
    if length > 255 * algorithm.digest_size:
        raise LocalError(f"cannot expand to {length} bytes")
    blocks, last = [], b""
    for counter in range(1, -(-length // algorithm.digest_size) + 1):
        last = hmac.digest(prk, last + info + uint8(counter), name)
        blocks.append(last)
    return b"".join(blocks)[:length]


def _labeled_derive(suite_id: bytes, ikm: Secret, label: bytes, length: int) -> bytes:
    """LabeledDerive with SHAKE256 and an empty context (draft-ietf-hpke-pq-04 §5)."""
    data = bytes(ikm) + b"HPKE-v1" + suite_id + uint16(len(label)) + label + uint16(length)
    return hashlib.shake_256(data).digest(length)


# --- Curves --------------------------------------------------------------------------------------


_LEADING_ZEROS = 8


class NistCurve:
    """ECDH on a NIST curve, points uncompressed (RFC 9180 §7.1.1)."""

    def __init__(self, curve: ec.EllipticCurve, order: int, size: int, bitmask: int) -> None:
        self.curve, self.order, self.size, self.bitmask = curve, order, size, bitmask
        self.public_size = 2 * size + 1

    def generate(self) -> Any:
        """A fresh private key."""
        return ec.generate_private_key(self.curve)

    def from_private(self, data: bytes) -> Any:
        """A private key from a big-endian scalar; ValueError if it is none.

        Leading zeros may be left out, eight of them at most, which no random scalar has: a key that was cut
        short would be a weak one, and nobody would notice.
        """
        if not self.size - _LEADING_ZEROS <= len(data) <= self.size:
            raise ValueError(f"a private key of this curve has {self.size} bytes")
        return ec.derive_private_key(int.from_bytes(data, "big"), self.curve)

    def candidate(self, data: bytes) -> Any | None:
        """A private key from `size` random bytes, or None for one in some millions (RFC 9180 §7.1.3)."""
        masked = bytes([data[0] & self.bitmask]) + data[1:]
        return self.from_private(masked) if 0 < int.from_bytes(masked, "big") < self.order else None

    def public_bytes(self, key: Any) -> bytes:
        """The encoding of a public key, `public_size` bytes."""
        encoded: bytes = key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return encoded

    def from_public(self, data: bytes) -> Any:
        """A public key, validated; ValueError if it is none."""
        if len(data) != self.public_size or data[0] != 4:
            raise ValueError("not an uncompressed point")
        return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, data)

    def exchange(self, private: Any, public: Any) -> bytes:
        """The shared x coordinate."""
        shared: bytes = private.exchange(ec.ECDH(), public)
        return shared


class MontgomeryCurve:
    """X25519 or X448 (RFC 7748); every string of `size` bytes is a private key."""

    def __init__(self, private: Any, public: Any, size: int, low_order: Iterable[int]) -> None:
        """`low_order` are the coordinates of points with which every private key agrees on zero."""
        self.private, self.public, self.size = private, public, size
        self.public_size = size
        self._low_order = frozenset(each.to_bytes(size, "little") for each in low_order)

    def generate(self) -> Any:
        """A fresh private key."""
        return self.private.generate()

    def from_private(self, data: bytes) -> Any:
        """A private key; ValueError for another length."""
        return self.private.from_private_bytes(bytes(data))

    def candidate(self, data: bytes) -> Any | None:
        """The private key of `size` random bytes."""
        return self.from_private(data)

    def public_bytes(self, key: Any) -> bytes:
        """The encoding of a public key, `size` bytes."""
        encoded: bytes = key.public_bytes_raw()
        return encoded

    def from_public(self, data: bytes) -> Any:
        """A public key; ValueError for another length, and for a point of low order.

        RFC 9180 §7.1.4 has the latter found when they are used. But then a member with such a key is let in,
        and whoever makes a Commit fails at sealing a path to it: the group stands still.
        """
        # The highest of X25519's 256 bits means nothing (RFC 7748 §5).
        point = data[:-1] + bytes([data[-1] & 0x7F]) if len(data) == 32 else data
        if point in self._low_order:
            raise ValueError("a point of low order")
        return self.public.from_public_bytes(data)

    def exchange(self, private: Any, public: Any) -> bytes:
        """The shared secret; ValueError where it is all zero."""
        shared: bytes = private.exchange(public)
        return shared


Curve = NistCurve | MontgomeryCurve

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)
_P521_ORDER = int(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    16,
)
P256 = NistCurve(ec.SECP256R1(), _P256_ORDER, 32, 0xFF)
P384 = NistCurve(ec.SECP384R1(), _P384_ORDER, 48, 0xFF)
P521 = NistCurve(ec.SECP521R1(), _P521_ORDER, 66, 0x01)
_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1
_ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
X25519 = MontgomeryCurve(
    x25519.X25519PrivateKey,
    x25519.X25519PublicKey,
    32,
    (0, 1, _P25519 - 1, _P25519, _P25519 + 1, *_ORDER_8),
)
X448 = MontgomeryCurve(x448.X448PrivateKey, x448.X448PublicKey, 56, (0, 1, _P448 - 1, _P448, _P448 + 1))


# --- KEMs ----------------------------------------------------------------------------------------


class Kem(ABC):
    """A KEM under RFC 9180's names (§4). `kem_id` is its number in HPKE's registry."""

    def __init__(self, kem_id: int) -> None:
        self.kem_id = kem_id
        self.suite_id = b"KEM" + uint16(kem_id)

    @property
    @abstractmethod
    def is_supported(self) -> bool:
        """Whether this build of the library can compute it."""

    @abstractmethod
    def generate_key_pair(self) -> HpkePrivateKey:
        """GenerateKeyPair."""

    @abstractmethod
    def derive_key_pair(self, ikm: Secret) -> HpkePrivateKey:
        """DeriveKeyPair; LocalError for key material that gives none, which does not happen by chance."""

    @abstractmethod
    def private_key(self, data: bytes) -> HpkePrivateKey:
        """DeserializePrivateKey; ValueError for bytes that are none."""

    @abstractmethod
    def public_key(self, data: bytes) -> HpkePublicKey:
        """DeserializePublicKey, validated; RemoteError for bytes that are none."""

    @abstractmethod
    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        """Encap: the shared secret and what carries it."""

    @abstractmethod
    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        """Decap: the shared secret; RemoteError for an output that is none."""


def _no_public_key() -> RemoteError:
    return RemoteError("not an HPKE public key of this suite", rule="RFC 9180 §7.1.4")


class DhKem(Kem):
    """DHKEM over a curve with HKDF (RFC 9180 §4.1)."""

    def __init__(self, kem_id: int, curve: Curve, algorithm: hashes.HashAlgorithm) -> None:
        super().__init__(kem_id)
        self._curve, self._hash = curve, algorithm

    @property
    def is_supported(self) -> bool:
        return True

    def _pair(self, key: Any) -> HpkePrivateKey:
        return HpkePrivateKey(self._curve.public_bytes(key.public_key()), key)

    def generate_key_pair(self) -> HpkePrivateKey:
        return self._pair(self._curve.generate())

    def derive_key_pair(self, ikm: Secret) -> HpkePrivateKey:
        curve = self._curve
        prk = labeled_extract(self._hash, self.suite_id, b"", b"dkp_prk", ikm)
        if isinstance(curve, MontgomeryCurve):
            return self._pair(curve.from_private(self._expand(prk, b"sk", b"", curve.size)))
        for counter in range(256):
            key = curve.candidate(self._expand(prk, b"candidate", uint8(counter), curve.size))
            if key is not None:
                return self._pair(key)
        raise LocalError("no key pair from this key material")

    def private_key(self, data: bytes) -> HpkePrivateKey:
        return self._pair(self._curve.from_private(data))

    def public_key(self, data: bytes) -> HpkePublicKey:
        try:
            return HpkePublicKey(data, self._curve.from_public(data))
        except ValueError:
            raise _no_public_key() from None

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        ephemeral = self._curve.generate()
        output = self._curve.public_bytes(ephemeral.public_key())
        return self._shared_secret(ephemeral, public.key, output + public.data), output

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        public = self.public_key(kem_output)
        return self._shared_secret(private.key, public.key, kem_output + private.public_key)

    def _shared_secret(self, private: Any, public: Any, kem_context: bytes) -> bytes:
        try:
            dh = self._curve.exchange(private, public)
        except ValueError:
            raise RemoteError("key agreement failed", rule="RFC 9180 §7.1.4") from None
        prk = labeled_extract(self._hash, self.suite_id, b"", b"eae_prk", dh)
        return self._expand(prk, b"shared_secret", kem_context, self._hash.digest_size)

    def _expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labeled = uint16(length) + b"HPKE-v1" + self.suite_id + label + info
        return hkdf_expand(self._hash, prk, labeled, length)


class HybridKem(Kem):
    """ML-KEM and a curve, joined by SHA3-256 over both secrets, and the curve's output and key."""

    def __init__(self, kem_id: int, parameters: int, curve: Curve, label: bytes) -> None:
        """`parameters` is 768 or 1024; `label` separates this KEM's secrets from others'."""
        super().__init__(kem_id)
        self._curve, self._label = curve, label
        self._private = None if mlkem is None else getattr(mlkem, f"MLKEM{parameters}PrivateKey")
        self._public = None if mlkem is None else getattr(mlkem, f"MLKEM{parameters}PublicKey")
        self._mlkem_public_size = {768: 1184, 1024: 1568}[parameters]
        self._mlkem_output_size = {768: 1088, 1024: 1568}[parameters]

    @property
    def is_supported(self) -> bool:
        if self._private is None:
            return False
        try:
            self._private.generate()
        except UnsupportedAlgorithm:
            return False
        return True

    def generate_key_pair(self) -> HpkePrivateKey:
        # From an HPKE seed rather than from two keys of the library's: it is the private key's encoding.
        return self.private_key(os.urandom(_SEED_SIZE))

    def derive_key_pair(self, ikm: Secret) -> HpkePrivateKey:
        return self.private_key(_labeled_derive(self.suite_id, ikm, b"DeriveKeyPair", _SEED_SIZE))

    def private_key(self, data: bytes) -> HpkePrivateKey:
        if len(data) != _SEED_SIZE:
            raise ValueError("not a seed of 32 bytes")
        seed = hashlib.shake_256(data).digest(_MLKEM_SEED_SIZE + self._curve.size)
        post_quantum = self._private.from_seed_bytes(seed[:_MLKEM_SEED_SIZE])
        traditional = self._curve.candidate(seed[_MLKEM_SEED_SIZE:])
        if traditional is None:
            raise LocalError("no key pair from this key material")
        public = post_quantum.public_key().public_bytes_raw()
        public += self._curve.public_bytes(traditional.public_key())
        return HpkePrivateKey(public, (post_quantum, traditional))

    def public_key(self, data: bytes) -> HpkePublicKey:
        size = self._mlkem_public_size
        try:
            post_quantum = self._public.from_public_bytes(data[:size])
            return HpkePublicKey(data, (post_quantum, self._curve.from_public(data[size:])))
        except ValueError:
            raise _no_public_key() from None

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        post_quantum, traditional = public.key
        first, first_output = post_quantum.encapsulate()
        ephemeral = self._curve.generate()
        output = self._curve.public_bytes(ephemeral.public_key())
        second = self._exchange(ephemeral, traditional)
        own = public.data[self._mlkem_public_size :]
        return self._combined(first, second, output, own), first_output + output

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        post_quantum, traditional = private.key
        size = self._mlkem_output_size
        output = kem_output[size:]
        try:
            other = self._curve.from_public(output)
            first = post_quantum.decapsulate(kem_output[:size])
        except ValueError:
            raise RemoteError("not a KEM output of this suite", rule="RFC 9180 §7.1.4") from None
        second = self._exchange(traditional, other)
        return self._combined(first, second, output, private.public_key[self._mlkem_public_size :])

    def _exchange(self, private: Any, public: Any) -> bytes:
        try:
            return self._curve.exchange(private, public)
        except ValueError:
            raise RemoteError("key agreement failed", rule="RFC 9180 §7.1.4") from None

    def _combined(self, first: bytes, second: bytes, output: bytes, public: bytes) -> bytes:
        return hashlib.sha3_256(first + second + output + public + self._label).digest()
