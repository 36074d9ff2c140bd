"""Keys that are made in a TPM 2.0, sign there, and exist on flash only wrapped by it.

A file is `magic | parent name | public area | wrapped private area | SHA-256 of all before`, each part with
its length (2 bytes) first. The TPM unwraps it under the same parent alone: a primary key of the owner
hierarchy, which the TPM derives anew from a seed of its own each time. So the file is worthless without that
TPM, and lost when the TPM is cleared or replaced; the parent's name in the file tells which it was. Whoever
has the whole device, TPM and flash, can let it sign; nobody can take the key out of it.

The key has no password of its own, and a signature is checked before it is given out.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from conclaved.identity.errors import KeyStoreError
from conclaved.identity.key_backends.backend import MAGIC, MadeKey, Protection, damaged
from conclaved.identity.key_backends.tpm2_connection import Tpm2Connection, WrappedKey
from conclaved.identity.signer import NotCopied, point_of

DEFAULT_TCTI = "device:/dev/tpmrm0"
"""The kernel's resource manager: several programs use the TPM, and no key of one is in another's way."""
_MAGIC = MAGIC[Protection.TPM2]
_DIGEST_BYTES = 32


class Tpm2Backend:
    """One TPM. Nothing is opened before the first key is wanted."""

    protection = Protection.TPM2

    def __init__(self, tcti: str = DEFAULT_TCTI, *, parent: int | None = None) -> None:
        """``tcti``: how to reach it, as tpm2-tss writes it: `device:/dev/tpmrm0`, `swtpm:host=...,port=...`.

        ``parent``: the handle of a persistent storage key (0x81000001 is the usual one) instead of a primary
        key that is made each time; for TPMs whose owner hierarchy has a password.
        """
        self._connection = Tpm2Connection(tcti, parent)

    def __repr__(self) -> str:
        return f"Tpm2Backend({self._connection!r})"

    def generate(self) -> MadeKey:
        """Makes a key. Raises `UnreachableKeyError`."""
        key = self._connection.create()
        return MadeKey(_encode(key), key.public_key)

    def open(self, content: bytes) -> "Tpm2Signer":
        """The signer of a key, once the TPM has taken it. Raises `LostKeyError` or `UnreachableKeyError`."""
        key = _decode(content)
        self._connection.check(key)
        return Tpm2Signer(self._connection, key)

    def remove(self, content: bytes) -> None:
        """The TPM keeps nothing of a key."""

    def close(self) -> None:
        """Lets go of the TPM."""
        self._connection.close()


@dataclass(frozen=True, slots=True, repr=False)
class Tpm2Signer(NotCopied):
    """A key that signs in the TPM: half a millisecond in a simulated one, up to 600 ms in a real one."""

    _connection: Tpm2Connection = field(repr=False)
    _key: WrappedKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return point_of(self._key.public_key)

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key as an object."""
        return self._key.public_key

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over ``data``, DER encoded. Raises `LostKeyError` or `UnreachableKeyError`."""
        signature = encode_dss_signature(*self._connection.sign(self._key, hashlib.sha256(data).digest()))
        try:
            self._key.public_key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise KeyStoreError(
                "the TPM has made a wrong signature", hint="try again; if it stays so, replace the TPM"
            ) from error
        return signature

    def __repr__(self) -> str:
        return f"Tpm2Signer(public_key={self.public_key[:5].hex()}...)"


def _encode(key: WrappedKey) -> bytes:
    parts = (key.parent_name, key.public, key.private)
    body = _MAGIC + b"".join(struct.pack(">H", len(part)) + part for part in parts)
    return body + hashlib.sha256(body).digest()


def _decode(content: bytes) -> WrappedKey:
    """Raises `DamagedKeyError`: the checksum tells a damaged file from another TPM's."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise damaged()
    parts, at = [], len(_MAGIC)
    while at < len(body):
        size = int.from_bytes(body[at : at + 2], "big")
        parts.append(body[at + 2 : at + 2 + size])
        at += 2 + size
    if len(parts) != 3 or at != len(body):
        raise damaged()
    return WrappedKey.of(parent_name=parts[0], public=parts[1], private=parts[2])
