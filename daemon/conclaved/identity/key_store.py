"""The device's own keys and its certificate, at rest.

Each key has a file `KEY.key` in the directory, and one with a certificate `KEY.pem` beside it, where KEY is
the SHA-256 of its public key (SPKI). The file `current` names the key that signs; `next` names one that a
renewal is made for. So a certificate with its key comes into force by one rename of `current`, and a power
cut leaves the old pair or the new one, never a key beside another key's certificate. `account` names the
key of the ACME account, `next-account` the one that it rolls over to.

Where the keys themselves live is a backend's to know (`key_backends`). New ones are made in the configured
one; those in force elsewhere go on signing until an enrollment has put one of the new place in theirs: keys
move by a new key and a new certificate, and are never exported. An enrollment moves a key to where it is as
safe or safer; to where it is less safe it goes only when a new key is asked for.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity.account_signer import AccountSigner
from conclaved.identity.anchors import fingerprint_of, fingerprint_of_spki
from conclaved.identity.errors import (
    ChainError,
    KeyStoreError,
    LostKeyError,
    NoCertificateError,
    PinError,
    UnprotectedKeyError,
    UnreachableKeyError,
)
from conclaved.identity.key_backends.backend import (
    ENROLL_AGAIN,
    KeyBackend,
    Protection,
    TakesKeys,
    damaged,
    protection_of,
)
from conclaved.identity.key_files import STEM, KeyFiles
from conclaved.identity.leaf import MAX_CERTIFICATE_BYTES, READ_ERRORS
from conclaved.identity.signer import Signer

P = ParamSpec("P")
T = TypeVar("T")

MAX_CHAIN_CERTIFICATES = 8
_CURRENT, _NEXT = "current", "next"
_ACCOUNT, _NEXT_ACCOUNT = "account", "next-account"
_POINTERS = (_CURRENT, _NEXT, _ACCOUNT, _NEXT_ACCOUNT)


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
    is_moving: bool = False
    """Whether the next enrollment makes a key in another place, since that is what is configured."""


def _alone(
    method: Callable[Concatenate["KeyStore", P], T],
) -> Callable[Concatenate["KeyStore", P], T]:
    """One thread at a time: between a key's file and the pointer to it, it looks like an old key."""

    @wraps(method)
    def run(store: "KeyStore", /, *arguments: P.args, **options: P.kwargs) -> T:
        with store._lock:
            return method(store, *arguments, **options)

    return run


class KeyStore:
    """The device's key store in a directory of its own. Single owner: one process, one object.

    Its methods may take as long as a TPM does, and wait for each other: call them from a worker thread.
    `chain` and `info` read files only, and wait for nobody.
    """

    def __init__(self, directory: Path, backend: KeyBackend, *others: KeyBackend) -> None:
        """New keys are made in ``backend``; ``others`` open what was made elsewhere before.

        Nothing is read or written yet.
        """
        self._lock = threading.RLock()
        self._is_reset = False
        self._files = KeyFiles(directory)
        self._directory = directory
        self._backend = backend
        self._backends = {each.protection: each for each in (*others, backend)}

    def __repr__(self) -> str:
        return f"KeyStore({str(self._directory)!r}, {self._backend.protection.value})"

    # -- the device's key -----------------------------------------------------------------------

    @_alone
    def signer(self) -> Signer:
        """The signer of the device's key, which is generated if there is none.

        Raises `LostKeyError` if the key is gone for good, another `KeyStoreError` if it cannot sign now.
        """
        stem = self._files.pointer(_CURRENT)
        if stem is None:
            stem = self._generate()
            self._files.point(_CURRENT, stem)
        return self._open(stem)

    @_alone
    def next_signer(self) -> Signer:
        """The signer of the key that the next certificate is for, generated if there is none to go on with.

        `install_chain` with its certificate makes it the device's key. Raises `KeyStoreError`.
        """
        return self._signer_to_come(_NEXT, in_force=_CURRENT)

    @_alone
    def signer_to_enroll(self, *, is_new_key: bool = False) -> Signer:
        """The signer of the key that a new certificate is to be for. Raises `KeyStoreError`.

        That is the device's key; or the next one if ``is_new_key``, if the device's key is lost, or if it is
        to move to another place.
        """
        if not is_new_key and not self._is_moving(self._pointer_or_none(_CURRENT)):
            try:
                return self.signer()
            except LostKeyError:
                pass
        return self.next_signer()

    def chain(self) -> tuple[bytes, ...]:
        """The device's certificates, DER, leaf first. Raises `NoCertificateError` or `KeyStoreError`."""
        stem = self._files.pointer(_CURRENT)
        content = self._files.read(f"{stem}.pem") if stem else None
        if stem is None or content is None:
            raise NoCertificateError(
                "this device has no certificate yet", hint="conclavectl identity enroll DOMAIN"
            )
        try:
            certificates = x509.load_pem_x509_certificates(content)
            if fingerprint_of(certificates[0]) != stem:
                raise ChainError("the leaf belongs to another key")
        except (*READ_ERRORS, ChainError) as error:
            raise KeyStoreError("the device's certificate file is damaged", hint=ENROLL_AGAIN) from error
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)

    @_alone
    def install_chain(self, chain: Sequence[bytes]) -> None:
        """Puts a chain (DER, leaf first) for the device's key, or for the next key, into force.

        Raises `ChainError` if it is for neither; then nothing changes. The key that was in force before stays
        on the disk until `forget_old_keys`, for the meetings that have not seen the new one yet.
        """
        certificates = _read_chain(chain)
        stem = fingerprint_of(certificates[0])
        current, following = self._pointer_or_none(_CURRENT), self._pointer_or_none(_NEXT)
        if stem not in (current, following):
            raise ChainError("the certificate belongs to another key than this device's")
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        self._files.write(f"{stem}.pem", pem, mode=0o644)
        if stem != current:
            self._files.point(_CURRENT, stem)
        if stem == following:
            self._files.remove(_NEXT)

    def fingerprints(self) -> frozenset[str]:
        """SHA-256 of the SPKI, hex, of the keys that a certificate can be for. Raises `KeyStoreError`."""
        stems = {self._pointer_or_none(name) for name in (_CURRENT, _NEXT)}
        return frozenset(stem for stem in stems if stem is not None)

    @_alone
    def import_key(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes]) -> None:
        """Puts a key that was made elsewhere into force, with its chain (DER, leaf first).

        Raises `ChainError` if the chain is for another key, `KeyStoreError` where keys are made in hardware:
        one that was somewhere else before is not what that place promises. Nothing changes then.
        """
        if not isinstance(self._backend, TakesKeys):
            raise KeyStoreError(
                f"keys of this device are made in its {self._backend.protection.value} and nowhere else",
                hint="have a certificate issued for its own key: conclavectl identity csr DOMAIN",
            )
        self._refuse_after_a_reset()
        leaf, *_ = _read_chain(chain)
        made = self._backend.take_in(key)
        stem = _fingerprint(made.public_key)
        if fingerprint_of(leaf) != stem:
            raise ChainError("the certificate belongs to another key than the one beside it")
        self._files.write(f"{stem}.key", made.content)
        self._files.point(_NEXT, stem)
        self.install_chain(chain)

    @property
    def info(self) -> KeyInfo:
        """What may be said about the key. Needs neither wrapping key nor device. Raises `KeyStoreError`."""
        stem = self._files.pointer(_CURRENT)
        is_renewing = self._pointer_or_none(_NEXT) not in (None, stem)
        if stem is None:
            return KeyInfo(Protection.NONE, "", has_certificate=False, is_renewing=is_renewing)
        return KeyInfo(
            protection_of(self._read_key(stem)),
            stem,
            has_certificate=self._files.read(f"{stem}.pem") is not None,
            is_renewing=is_renewing,
            is_moving=self._is_moving(stem),
        )

    # -- the ACME account's key -----------------------------------------------------------------

    @_alone
    def account_signer(self) -> AccountSigner:
        """The signer of the ACME account's key, which is generated if there is none.

        Raises `LostKeyError` if it is gone for good: with the next one another account begins.
        """
        stem = self._files.pointer(_ACCOUNT)
        if stem is None:
            stem = self._generate()
            self._files.point(_ACCOUNT, stem)
        return AccountSigner(self._open(stem))

    @_alone
    def next_account_signer(self) -> AccountSigner | None:
        """The signer of the key that a rollover leads to (RFC 8555 §7.3.5); None if none is under way.

        Raises `KeyStoreError`.
        """
        stem = self._pointer_or_none(_NEXT_ACCOUNT)
        return None if stem is None else AccountSigner(self._open(stem))

    @_alone
    def make_next_account_signer(self) -> AccountSigner:
        """The signer of the key that a rollover leads to, made if need be. Raises `KeyStoreError`."""
        return AccountSigner(self._signer_to_come(_NEXT_ACCOUNT, in_force=_ACCOUNT))

    @_alone
    def take_next_account_key(self) -> None:
        """The CA knows the account by its next key now. Raises `KeyStoreError`."""
        following = self._pointer_or_none(_NEXT_ACCOUNT)
        if following is not None:
            self._files.point(_ACCOUNT, following)
            self._files.remove(_NEXT_ACCOUNT)

    @_alone
    def forget_next_account_key(self) -> None:
        """Gives a rollover up; `forget_old_keys` erases its key. Raises `KeyStoreError`."""
        self._files.remove(_NEXT_ACCOUNT)

    @_alone
    def forget_account_keys(self) -> None:
        """Gives the account's keys up: with the next one another account begins. Raises `KeyStoreError`."""
        stems = {self._pointer_or_none(name) for name in (_ACCOUNT, _NEXT_ACCOUNT)} - {None}
        for name in (_ACCOUNT, _NEXT_ACCOUNT):
            self._files.remove(name)
        # What cannot be erased now is nobody's any more, and goes with the other old keys.
        with contextlib.suppress(UnreachableKeyError, PinError):
            for stem in stems:
                self._forget(str(stem))

    @_alone
    def forget_device_keys(self) -> None:
        """Gives the device's keys and its certificate up; the account's stay. Raises `KeyStoreError`."""
        for name in (_CURRENT, _NEXT):
            self._files.remove(name)
        self.forget_old_keys()

    @property
    def is_account_moving(self) -> bool:
        """Whether the account's key should roll over to another place, since that is what is configured."""
        return self._is_moving(self._pointer_or_none(_ACCOUNT))

    # -- erasing --------------------------------------------------------------------------------

    @_alone
    def forget_old_keys(self) -> None:
        """Removes every key but those in force and those to come. Raises `KeyStoreError`.

        One that its token keeps is tried again at the next call.
        """
        kept = {self._files.pointer(name) for name in (_CURRENT, _ACCOUNT)}
        kept |= {self._pointer_or_none(name) for name in (_NEXT, _NEXT_ACCOUNT)}
        failures = self._forget_all(self._stems() - kept)
        if failures:
            raise failures[0]

    @_alone
    def reset(self) -> None:
        """Removes every key and certificate: the device is nobody then. Raises `KeyStoreError`.

        No file is left even then; a key that a token kept, because it could not be reached, is. This object
        makes no key any more: a worker thread that comes late would leave one to the next owner.
        """
        self._is_reset = True
        for name in _POINTERS:
            self._files.remove(name)
        failures = self._forget_all(self._stems())
        for stem in self._stems():
            self._remove_files(stem)
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Lets go of device and token."""
        for backend in self._backends.values():
            backend.close()

    # -- one key --------------------------------------------------------------------------------

    def _generate(self) -> str:
        self._refuse_after_a_reset()
        made = self._backend.generate()
        stem = _fingerprint(made.public_key)
        self._files.write(f"{stem}.key", made.content)
        return stem

    def _refuse_after_a_reset(self) -> None:
        if self._is_reset:
            raise KeyStoreError("the device's keys were erased: it takes none until it starts again")

    def _open(self, stem: str) -> Signer:
        content = self._read_key(stem)
        protection = protection_of(content)
        backend = self._backends.get(protection)
        if backend is None:
            raise KeyStoreError(
                f"the device's key is in a place that is not configured: {protection.value}",
                hint=f'set [keys] backend = "{protection.value}" with its options, or '
                "enroll again with --new-key",
            )
        signer = backend.open(content)
        if _fingerprint(signer.certificate_public_key) != stem:
            raise damaged("the key file holds another key than its name says")
        return signer

    def _signer_to_come(self, name: str, *, in_force: str) -> Signer:
        stem = self._pointer_or_none(name)
        if stem is not None and stem != self._pointer_or_none(in_force):
            try:
                if protection_of(self._read_key(stem)) is self._backend.protection:
                    return self._open(stem)
            except LostKeyError:
                pass  # Nobody has a certificate for it: another one does as well.
        stem = self._generate()
        self._files.point(name, stem)
        return self._open(stem)

    def _is_moving(self, stem: str | None) -> bool:
        """Whether the next enrollment takes a key of the configured place instead of this one."""
        try:
            protection = protection_of(self._read_key(stem)) if stem is not None else self._backend.protection
        except LostKeyError:
            return True
        return protection is not self._backend.protection and protection.rank <= self._backend.protection.rank

    def _read_key(self, stem: str) -> bytes:
        content = self._files.read(f"{stem}.key")
        if content is None:
            raise damaged("the device's key file is gone")
        return content

    def _pointer_or_none(self, name: str) -> str | None:
        """A damaged pointer leads to no key, so nothing is lost by replacing it."""
        try:
            return self._files.pointer(name)
        except LostKeyError:
            return None

    def _stems(self) -> set[str]:
        return {path.stem for path in self._files.names() if STEM.fullmatch(path.stem)}

    def _forget_all(self, stems: set[str]) -> list[KeyStoreError]:
        """Removes keys, and returns why some could not be removed from where they are."""
        failures: list[KeyStoreError] = []
        for stem in sorted(stems):
            try:
                self._forget(stem)
            except (UnreachableKeyError, PinError) as error:
                failures.append(error)
        return failures

    def _forget(self, stem: str) -> None:
        content = self._files.read(f"{stem}.key")
        try:
            backend = self._backends.get(protection_of(content)) if content is not None else None
        except LostKeyError:
            backend = None
        if backend is not None and content is not None:
            # A lost key leaves nothing to erase.
            with contextlib.suppress(LostKeyError, UnprotectedKeyError):
                backend.remove(content)
        self._remove_files(stem)

    def _remove_files(self, stem: str) -> None:
        for suffix in ("key", "pem"):
            self._files.remove(f"{stem}.{suffix}")


def _read_chain(chain: Sequence[bytes]) -> list[x509.Certificate]:
    if not 1 <= len(chain) <= MAX_CHAIN_CERTIFICATES or max(map(len, chain)) > MAX_CERTIFICATE_BYTES:
        raise ChainError("the certificate chain is empty or too long")
    try:
        return [x509.load_der_x509_certificate(der) for der in chain]
    except READ_ERRORS as error:
        raise ChainError("a certificate of the chain cannot be read") from error


def _fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    return fingerprint_of_spki(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
