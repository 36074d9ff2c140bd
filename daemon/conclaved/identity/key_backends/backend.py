"""What every place for private keys can do, and how its key files are told from the others'."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity.errors import DamagedKeyError
from conclaved.identity.signer import Signer

ENROLL_AGAIN = "enroll again: conclavectl identity enroll DOMAIN; it makes a new key"
"""What to do about a key that is lost."""


class Protection(Enum):
    """What keeps the device's key from who steals the disk."""

    TPM2 = "tpm2"
    """Made in a TPM, and wrapped by it: it signs there and nowhere else."""
    PKCS11 = "pkcs11"
    """Made in a token, and kept there."""
    SEALED = "sealed"
    """Sealed under the wrapping key that systemd hands over."""
    PLAIN = "plain"
    """Nothing but the file's mode."""
    NONE = "none"
    """There is no key yet."""

    @property
    def rank(self) -> int:
        """Higher is safer: in hardware 3, sealed 2, plain 1, none 0."""
        return {"tpm2": 3, "pkcs11": 3, "sealed": 2, "plain": 1, "none": 0}[self.value]


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was just made."""

    content: bytes = field(repr=False)
    """What its file is to hold: a sealed key, a wrapped one, or where in a token it is."""
    public_key: ec.EllipticCurvePublicKey


class KeyBackend(Protocol):
    """A place for P-256 keys. Calls may take seconds, and may come from several threads."""

    @property
    def protection(self) -> Protection:
        """What it is."""

    def generate(self) -> MadeKey:
        """Makes a key. Raises `KeyStoreError`."""

    def open(self, content: bytes) -> Signer:
        """The signer of a key that this backend has made, from its file's content.

        Raises `LostKeyError` if it can never be used again, another `KeyStoreError` if it cannot now.
        """

    def remove(self, content: bytes) -> None:
        """Erases what the backend itself keeps of a key, if it is there. Raises `KeyStoreError`."""

    def close(self) -> None:
        """Lets go of device and token; the next call takes them up again."""


@runtime_checkable
class TakesKeys(Protocol):
    """A place that also takes a key that was made elsewhere. Hardware does not: a key is born there."""

    def take_in(self, key: ec.EllipticCurvePrivateKey) -> MadeKey:
        """Keeps a P-256 key as one that was made here. Raises `KeyStoreError`."""


MAGIC: dict[Protection, bytes] = {
    Protection.TPM2: b"conclave tpm2 key 1\n",
    Protection.PKCS11: b"conclave pkcs11 key 1\n",
    Protection.SEALED: b"conclave sealed key 1\n",
    Protection.PLAIN: b"-----BEGIN PRIVATE KEY-----",
}
"""How each one's key files begin."""


def protection_of(content: bytes) -> Protection:
    """Whose a key file is. Raises `DamagedKeyError` if it is none at all."""
    for protection, magic in MAGIC.items():
        if content.startswith(magic):
            return protection
    raise damaged()


def damaged(what: str = "the device's key file is damaged") -> DamagedKeyError:
    """The error for a file that no backend could have written."""
    return DamagedKeyError(what, hint=ENROLL_AGAIN)
