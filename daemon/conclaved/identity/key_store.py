"""The device's own signature key and certificate, at rest.

Each key has two files in the directory, `KEY.key` and `KEY.pem`, where KEY is the SHA-256 of its public key
(SPKI). The file `current` names the key that signs; `next` names one that a renewal is made for. So a
certificate with its key comes into force by one rename of `current`, and a power cut leaves the old pair or
the new one, never a key beside another key's certificate.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity.anchors import fingerprint_of, fingerprint_of_spki
from conclaved.identity.atomic_file import fsync_directory, write_atomically
from conclaved.identity.errors import (
    ChainError,
    DamagedKeyError,
    KeyStoreError,
    NoCertificateError,
    UnprotectedKeyError,
    WrongWrappingKeyError,
)
from conclaved.identity.leaf import MAX_CERTIFICATE_BYTES, READ_ERRORS
from conclaved.identity.sealing import (
    check_wrapping_key,
    is_sealed,
    read_plain,
    seal,
    unseal,
    write_plain,
)
from conclaved.identity.signer import Signer, SoftwareSigner

MAX_CHAIN_CERTIFICATES = 8
_STEM = re.compile(r"[0-9a-f]{64}")
_CURRENT, _NEXT = "current", "next"


class Protection(Enum):
    """What keeps the device's key from who steals the disk."""

    SEALED = "sealed"
    """Sealed under the wrapping key that systemd hands over."""
    PLAIN = "plain"
    """Nothing but the file's mode."""
    NONE = "none"
    """There is no key yet."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be said about the device's key."""

    protection: Protection
    """How it is kept."""
    fingerprint: str
    """SHA-256 of the SPKI, 64 hexadecimal digits; "" if there is no key."""
    has_certificate: bool
    """Whether a chain for it is installed."""
    is_renewing: bool
    """Whether a next key waits for its certificate."""


class KeyStore:
    """The device's key store in a directory of its own. Single owner: one process, one object."""

    def __init__(self, directory: Path, wrapping_key: bytes | None, *, allow_plain: bool = False) -> None:
        """``wrapping_key``: 32 bytes or more; None needs ``allow_plain``, which is the admin's word.

        Nothing is read or written yet. Raises `KeyStoreError` for a short wrapping key.
        """
        if wrapping_key is not None:
            check_wrapping_key(wrapping_key)
        self._directory = directory
        self._wrapping_key = wrapping_key
        self._allow_plain = allow_plain

    def signer(self) -> Signer:
        """The signer of the device's key, which is generated if there is none. Raises `KeyStoreError`."""
        stem = self._read_pointer(_CURRENT)
        if stem is None:
            stem = self._generate()
            self._write_pointer(_CURRENT, stem)
        return self._open(stem)

    def next_signer(self) -> Signer:
        """The signer of the key that the next certificate is for, generated if there is none.

        `install_chain` with its certificate makes it the device's key. Raises `KeyStoreError`.
        """
        stem = self._read_pointer(_NEXT)
        if stem is None or stem == self._read_pointer(_CURRENT):
            stem = self._generate()
            self._write_pointer(_NEXT, stem)
        return self._open(stem)

    def chain(self) -> tuple[bytes, ...]:
        """The device's certificates, DER, leaf first. Raises `NoCertificateError` or `KeyStoreError`."""
        stem = self._read_pointer(_CURRENT)
        content = self._read(f"{stem}.pem") if stem else None
        if stem is None or content is None:
            raise NoCertificateError(
                "this device has no certificate yet", hint="conclavectl identity enroll DOMAIN"
            )
        try:
            certificates = x509.load_pem_x509_certificates(content)
            if fingerprint_of(certificates[0]) != stem:
                raise ChainError("the leaf belongs to another key")
        except (*READ_ERRORS, ChainError) as error:
            raise DamagedKeyError("the device's certificate file is damaged", hint="renew it") from error
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)

    def install_chain(self, chain: Sequence[bytes]) -> None:
        """Puts a chain (DER, leaf first) for the device's key, or for the next key, into force.

        Raises `ChainError` if it is for neither; then nothing changes. The key that was in force before stays
        on the disk until `forget_old_keys`, for the meetings that have not seen the new one yet.
        """
        if not 1 <= len(chain) <= MAX_CHAIN_CERTIFICATES or max(map(len, chain)) > MAX_CERTIFICATE_BYTES:
            raise ChainError("the certificate chain is empty or too long")
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in chain]
            stem = fingerprint_of(certificates[0])
        except READ_ERRORS as error:
            raise ChainError("a certificate of the chain cannot be read") from error
        if stem not in (self._read_pointer(_CURRENT), self._read_pointer(_NEXT)):
            raise ChainError("the certificate belongs to another key than this device's")
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        self._write(f"{stem}.pem", pem, mode=0o644)
        if stem != self._read_pointer(_CURRENT):
            self._write_pointer(_CURRENT, stem)
        if stem == self._read_pointer(_NEXT):
            self._remove(_NEXT)

    def forget_old_keys(self) -> None:
        """Removes every key but the device's and the next one. Raises `KeyStoreError`."""
        kept = {self._read_pointer(_CURRENT), self._read_pointer(_NEXT)}
        for path in self._files():
            if _STEM.fullmatch(path.stem) and path.stem not in kept:
                self._remove(path.name)

    def reset(self) -> None:
        """Removes every key and certificate: the device is nobody then. Raises `KeyStoreError`."""
        for name in (_CURRENT, _NEXT):
            self._remove(name)
        self.forget_old_keys()

    @property
    def info(self) -> KeyInfo:
        """What may be said about the key. Needs no wrapping key. Raises `KeyStoreError`."""
        stem = self._read_pointer(_CURRENT)
        is_renewing = self._read_pointer(_NEXT) not in (None, stem)
        if stem is None:
            return KeyInfo(Protection.NONE, "", has_certificate=False, is_renewing=is_renewing)
        protection = Protection.SEALED if is_sealed(self._read_key(stem)) else Protection.PLAIN
        has_certificate = (self._directory / f"{stem}.pem").exists()
        return KeyInfo(protection, stem, has_certificate=has_certificate, is_renewing=is_renewing)

    def __repr__(self) -> str:
        return f"KeyStore({str(self._directory)!r})"

    def _generate(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        if self._wrapping_key is not None:
            content = seal(key, self._wrapping_key)
        elif self._allow_plain:
            content = write_plain(key)
        else:
            raise UnprotectedKeyError(
                "there is no wrapping key to seal the device's key with",
                hint="hand over the credential wrapping-key, or allow a plain key in the configuration",
            )
        stem = _fingerprint(key.public_key())
        self._write(f"{stem}.key", content)
        return stem

    def _open(self, stem: str) -> SoftwareSigner:
        content = self._read_key(stem)
        if not is_sealed(content):
            if not self._allow_plain:
                raise UnprotectedKeyError(
                    "the device's key lies unprotected on the disk",
                    hint="allow that in the configuration, or reset the identity and enroll again",
                )
            key = read_plain(content)
        elif self._wrapping_key is None:
            raise WrongWrappingKeyError(
                "the device's key is sealed and no wrapping key was handed over",
                hint="start the service with its credential wrapping-key",
            )
        else:
            key = unseal(content, self._wrapping_key)
        if _fingerprint(key.public_key()) != stem:
            raise DamagedKeyError("the key file holds another key than its name says")
        return SoftwareSigner(key)

    def _read_key(self, stem: str) -> bytes:
        content = self._read(f"{stem}.key")
        if content is None:
            raise DamagedKeyError("the device's key file is gone", hint="reset the identity and enroll again")
        return content

    def _read_pointer(self, name: str) -> str | None:
        content = self._read(name)
        if content is None:
            return None
        stem = content.decode("ascii", "replace").strip()
        if not _STEM.fullmatch(stem):
            raise DamagedKeyError(
                f"the key store's file {name} is damaged", hint="reset the identity and enroll again"
            )
        return stem

    def _write_pointer(self, name: str, stem: str) -> None:
        self._write(name, f"{stem}\n".encode())

    def _read(self, name: str) -> bytes | None:
        path = self._directory / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be read: {error.strerror}") from error

    def _write(self, name: str, content: bytes, *, mode: int = 0o600) -> None:
        path = self._directory / name
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, content, mode=mode)
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from error

    def _remove(self, name: str) -> None:
        path = self._directory / name
        try:
            path.unlink(missing_ok=True)
            if self._directory.exists():
                fsync_directory(self._directory)
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be removed: {error.strerror}") from error

    def _files(self) -> list[Path]:
        try:
            return sorted(self._directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise KeyStoreError(f"{self._directory} cannot be read: {error.strerror}") from error


def read_wrapping_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The wrapping key that systemd hands over as the credential `wrapping-key`; None if it hands over none.

    Raises `KeyStoreError` if there is one that cannot be read or is shorter than 32 bytes.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / "wrapping-key"
    try:
        wrapping_key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyStoreError(f"the credential wrapping-key cannot be read: {error.strerror}") from error
    check_wrapping_key(wrapping_key)
    return wrapping_key


def _fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    return fingerprint_of_spki(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
