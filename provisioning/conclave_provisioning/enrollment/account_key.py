"""The ACME account's key behind a small seam, so that it can live wherever the device's own key lives.

An `AccountSigner` shows the public key and signs; it never gives the key away. `AccountKeys` is the place of
these keys: the one in force, and during a rollover (RFC 8555 §7.3.5) the next one beside it. The default is
files of mode 0600 in the state folder. The account's key is never the device's key.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from conclave_provisioning.enrollment.csr import Signer
from conclave_provisioning.enrollment.errors import StateError
from conclave_provisioning.enrollment.state import Folder

_COORDINATE_BYTES = 32


class AccountSigner(Protocol):
    """A P-256 key that signs for an account. `sign` runs in a worker thread and may take 600 ms in a TPM."""

    @property
    def public_jwk(self) -> Mapping[str, str]:
        """The public key as a JWK: `crv`, `kty`, `x`, `y` (RFC 7518 §6.2.1)."""

    def sign(self, data: bytes) -> bytes:
        """ES256 over ``data``: 64 bytes, r and s (RFC 7518 §3.4)."""


class AccountKeys(Protocol):
    """Where an account's keys are. Each method is atomic, blocks, and raises `EnrollmentError`."""

    def current(self) -> AccountSigner:
        """The key in force, which is made if there is none."""

    def next(self) -> AccountSigner | None:
        """The key that a rollover under way leads to."""

    def make_next(self) -> AccountSigner:
        """The key that a rollover leads to, which is made and stored if there is none."""

    def take_next(self) -> None:
        """Puts the next key into force; the old one is gone."""

    def forget(self) -> None:
        """Gives all keys up, after their account has ended."""


class KeyFromPoint:
    """A key that signs elsewhere: ``signer`` gives DER signatures, as the device's key does."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    @property
    def public_jwk(self) -> Mapping[str, str]:
        """The public key."""
        return jwk_of(self._signer.certificate_public_key)

    def sign(self, data: bytes) -> bytes:
        """ES256, 64 bytes."""
        return raw_signature(self._signer.sign(data))


class KeyFiles:
    """Keys as files, mode 0600: `account.key`, and `account-next.key` during a rollover."""

    def __init__(self, directory: Path) -> None:
        self._folder = Folder(directory)
        self._path = directory

    def current(self) -> AccountSigner:
        """The key of `account.key`, which is made if there is none. Raises `StateError`."""
        return self._load("account.key") or self._make("account.key")

    def next(self) -> AccountSigner | None:
        """The key of `account-next.key`, if there is one. Raises `StateError`."""
        return self._load("account-next.key")

    def make_next(self) -> AccountSigner:
        """The key of `account-next.key`, which is made if there is none. Raises `StateError`."""
        return self._load("account-next.key") or self._make("account-next.key")

    def take_next(self) -> None:
        """Renames the next key over the present one. Raises `StateError`."""
        self._folder.rename("account-next.key", "account.key")

    def forget(self) -> None:
        """Removes both files. Raises `StateError`."""
        self._folder.remove("account-next.key")
        self._folder.remove("account.key")

    def _make(self, name: str) -> "_KeyInMemory":
        key = ec.generate_private_key(ec.SECP256R1())
        self._folder.write(
            name,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return _KeyInMemory(key)

    def _load(self, name: str) -> "_KeyInMemory | None":
        content = self._folder.read(name)
        if content is None:
            return None
        try:
            loaded = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            loaded = None  # the parser's message could quote the key
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
            raise StateError(f"{self._path / name} is damaged", hint="remove it: a new account will be made")
        return _KeyInMemory(loaded)


class _KeyInMemory:
    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @property
    def public_jwk(self) -> Mapping[str, str]:
        return jwk_of(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        return raw_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))


def jwk_of(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """A P-256 public key as a JWK, members in the order that the thumbprint wants (RFC 7638 §3.2)."""
    numbers = key.public_numbers()
    x, y = (encode(number.to_bytes(_COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The SHA-256 thumbprint of an EC key, base64url, 43 characters (RFC 7638)."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return encode(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode("ascii")).digest())


def raw_signature(der: bytes) -> bytes:
    """A DER signature as r and s, 64 bytes."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")


def encode(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
