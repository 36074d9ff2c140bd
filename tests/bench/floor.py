"""The floor under MLS: how many primitives an operation cannot do without, times what they cost here.

The counts are strict. A key that has been parsed is not counted again, nothing is counted for encoding,
validation or keeping state, and hashes are counted as short ones. What is above the floor is the code
around the primitives.
"""

import os
from dataclasses import dataclass, fields

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.bench.stopwatch import side_by_side

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
    derive: int = 0
    """Private keys made from bytes, with their public halves."""
    agree: int = 0
    """Diffie-Hellman of two keys already parsed."""
    kdf: int = 0
    hash: int = 0
    aead: int = 0

    def seconds(self, costs: dict[str, float]) -> float:
        """The floor, given what each primitive costs in seconds."""
        counts: dict[str, int] = {each.name: getattr(self, each.name) for each in fields(self)}
        return sum(count * costs[name] for name, count in counts.items())


def costs_of_primitives(*, rounds: int = 7, sample_s: float = 0.002) -> dict[str, float]:
    """Seconds of each primitive of suite 2 in this process, by the names of `Counts`."""
    curve, sha256 = ec.SECP256R1(), hashes.SHA256()
    ecdsa = ec.ECDSA(sha256)
    private = ec.generate_private_key(curve)
    public, scalar = private.public_key(), private.private_numbers().private_value
    secret, info, content, nonce = os.urandom(32), os.urandom(20), os.urandom(100), os.urandom(12)
    ecdh, signature = ec.ECDH(), private.sign(content, ecdsa)

    def encoded(key: ec.EllipticCurvePrivateKey) -> bytes:
        point = serialization.PublicFormat.UncompressedPoint
        return key.public_key().public_bytes(serialization.Encoding.X962, point)

    def hashed() -> bytes:
        digest = hashes.Hash(sha256)
        digest.update(content)
        return digest.finalize()

    point = encoded(private)
    return side_by_side(
        {
            "verify": lambda: public.verify(signature, content, ecdsa),
            "parse": lambda: ec.EllipticCurvePublicKey.from_encoded_point(curve, point),
            "sign": lambda: private.sign(content, ecdsa),
            "keygen": lambda: encoded(ec.generate_private_key(curve)),
            "derive": lambda: encoded(ec.derive_private_key(scalar, curve)),
            "agree": lambda: private.exchange(ecdh, public),
            "kdf": lambda: HKDFExpand(sha256, 32, info).derive(secret),
            "hash": hashed,
            "aead": lambda: AESGCM(secret[:16]).encrypt(nonce, content, b""),
        },
        rounds=rounds,
        sample_s=sample_s,
    )


def _message_key(depth: int) -> int:
    """KDF calls to the first message key of a sender in an epoch, and to its sender data key (§9, §6.3)."""
    return 2 * depth + 2 + 3 + 2


def creating(*, depth: int, path: int, seals: int, joiners: int) -> Counts:
    """A Commit with a path of `path` nodes, `seals` path secrets, and a Welcome to `joiners`."""
    return Counts(
        verify=2 * joiners,
        parse=3 * joiners,
        sign=3 if joiners else 2,
        keygen=1 + seals + joiners,
        derive=path,
        agree=seals + joiners,
        kdf=PER_NODE * path + KEY_SCHEDULE + _message_key(depth) + HPKE * (seals + joiners),
        hash=2 * depth + 3 * joiners,
        aead=(3 if joiners else 2) + seals + joiners,
    )


def processing(*, depth: int, shared: int, joiners: int) -> Counts:
    """A peer's Commit whose path has `shared` nodes above both of us."""
    return Counts(
        verify=2 + 2 * joiners,
        parse=2 + 3 * joiners,
        derive=shared,
        agree=1,
        kdf=PER_NODE * shared + KEY_SCHEDULE + _message_key(depth) + HPKE,
        hash=2 * depth + 3 * joiners,
        aead=3,
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
