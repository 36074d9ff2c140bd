"""The floor under MLS: how many primitives an operation cannot do without, times what they cost here.

The counts are strict. A key that has been parsed is not counted again, nothing is counted for encoding,
validation or keeping state, and hashes are counted as short ones. What is above the floor is the code
around the primitives.
"""

import hashlib
import os
from dataclasses import dataclass, fields
from itertools import cycle

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.bench.stopwatch import side_by_side

OTHERS = 32
HPKE = 5
"""KDF calls of one seal or open once its `info` has been hashed (RFC 9180 §4.1, §5.1)."""
KEY_SCHEDULE = 16
"""KDF calls from the commit secret to all secrets of an epoch (RFC 9420 §8)."""
PER_NODE = 4
"""KDF calls from a path secret to its node's private key and to the next path secret (§7.4)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Primitives of one operation."""

    verify: int = 0
    parse: int = 0
    """Points read from their encoding."""
    sign: int = 0
    keygen: int = 0
    ephemeral: int = 0
    """A key pair made and agreed with once, as each HPKE seal does."""
    derive: int = 0
    """Private keys made from bytes, with their public halves."""
    agree: int = 0
    """Diffie-Hellman with a key that is there already."""
    kdf: int = 0
    hash: int = 0
    aead: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """The primitives of both."""
        return Counts(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )

    def seconds(self, costs: dict[str, float]) -> float:
        """The floor, given what each primitive costs in seconds."""
        counts: dict[str, int] = {each.name: getattr(self, each.name) for each in fields(self)}
        return sum(count * costs[name] for name, count in counts.items())


def costs_of_primitives(*, rounds: int = 7, sample_s: float = 0.002) -> dict[str, float]:
    """Seconds of each primitive of suite 2 in this process, by the names of `Counts`.

    Public keys take turns, as members do: using one again and again is cheaper than it ever is in a group.
    """
    curve, sha256 = ec.SECP256R1(), hashes.SHA256()
    ecdsa, ecdh = ec.ECDSA(sha256), ec.ECDH()
    secret, info, content, nonce = os.urandom(32), os.urandom(20), os.urandom(100), os.urandom(12)
    privates = [ec.generate_private_key(curve) for _ in range(OTHERS)]
    private, scalar = privates[0], privates[0].private_numbers().private_value
    others = cycle([each.public_key() for each in privates])
    signed = cycle([(each.public_key(), each.sign(content, ecdsa)) for each in privates])

    def encoded(key: ec.EllipticCurvePrivateKey) -> bytes:
        point = serialization.PublicFormat.UncompressedPoint
        return key.public_key().public_bytes(serialization.Encoding.X962, point)

    points = cycle([encoded(each) for each in privates])

    def verify() -> None:
        public, signature = next(signed)
        public.verify(signature, content, ecdsa)

    def ephemeral() -> None:
        key = ec.generate_private_key(curve)
        encoded(key)
        key.exchange(ecdh, next(others))

    return side_by_side(
        {
            "verify": verify,
            "parse": lambda: ec.EllipticCurvePublicKey.from_encoded_point(curve, next(points)),
            "sign": lambda: private.sign(content, ecdsa),
            "keygen": lambda: encoded(ec.generate_private_key(curve)),
            "ephemeral": ephemeral,
            "derive": lambda: encoded(ec.derive_private_key(scalar, curve)),
            "agree": lambda: private.exchange(ecdh, next(others)),
            "kdf": lambda: HKDFExpand(sha256, 32, info).derive(secret),
            "hash": lambda: hashlib.sha256(content).digest(),
            "aead": lambda: AESGCM(secret[:16]).encrypt(nonce, content, b""),
        },
        rounds=rounds,
        sample_s=sample_s,
    )


def _message_key(depth: int) -> int:
    """KDF calls to the first message key of a sender in an epoch, and to its sender data key (§9, §6.3)."""
    return 2 * depth + 2 + 3 + 2


def _framing(depth: int, public: bool) -> int:
    """KDF calls of a message's keys: a PublicMessage has a MAC alone (§6.2)."""
    return 1 if public else _message_key(depth)


def creating(*, depth: int, path: int, seals: int, joiners: int, public: bool = False) -> Counts:
    """A Commit with a path of `path` nodes, `seals` path secrets, and a Welcome to `joiners`.

    As a PrivateMessage, unless it is `public`.
    """
    return Counts(
        verify=2 * joiners,
        parse=3 * joiners,
        sign=3 if joiners else 2,
        keygen=1,
        ephemeral=seals + joiners,
        derive=path,
        kdf=PER_NODE * path + KEY_SCHEDULE + _framing(depth, public) + HPKE * (seals + joiners),
        hash=2 * depth + 3 * joiners,
        aead=(1 if joiners else 0) + (0 if public else 2) + seals + joiners,
    )


def processing(*, depth: int, shared: int, joiners: int, public: bool = False) -> Counts:
    """A peer's Commit whose path has `shared` nodes above both of us."""
    return Counts(
        verify=2 + 2 * joiners,
        parse=2 + 3 * joiners,
        derive=shared,
        agree=1,
        kdf=PER_NODE * shared + KEY_SCHEDULE + _framing(depth, public) + HPKE,
        hash=2 * depth + 3 * joiners,
        aead=1 if public else 3,
    )


def joining(*, members: int, shared: int) -> Counts:
    """A join by a Welcome into a group of `members`, every leaf's signature and key checked."""
    return Counts(
        verify=members + 1,
        parse=2 * members + 1,
        derive=shared,
        agree=1,
        kdf=PER_NODE * shared + KEY_SCHEDULE + HPKE,
        hash=2 * members,
        aead=2,
    )


def sealing() -> Counts:
    """An application message, by who has sent one before in the epoch (§9.1, §6.3)."""
    return Counts(sign=1, kdf=3 + 2, aead=2)


def opening() -> Counts:
    """An application message, by a sender whose ratchet and public key are known."""
    return Counts(verify=1, kdf=3 + 2, aead=2)
