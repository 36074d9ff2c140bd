"""Certificates that come another way than by this device's own ACME order.

An admin carries them: out goes a request for a key that stays here (`request`), in comes the chain that
somebody's CA issued for it (`import_chain`). Or both key and chain come wrapped under a secret
(`import_key`), from who makes keys for an estate.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclave_provisioning.enrollment import BadDomainError, EnrollmentError, build_csr, check_domain
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import (
    ChainError,
    IdentityError,
    KeyStore,
    NoCertificateError,
    WrappedKeyError,
    check_own_chain,
    claimed_name,
    fingerprint_of_spki,
    read_pem_chain,
)
from conclaved.identity.atomic_file import write_atomically
from conclaved.identity.unwrapping import unwrap

log = logging.getLogger(__name__)
T = TypeVar("T")

Install = Callable[[Callable[[], None], str], Awaitable[None]]
"""Given what puts a certificate into force, and how it came (`csr`, `import`): runs it with nothing else in
its way. Raises RoomError(BUSY)."""


class Importing:
    """See the file's head. All verbs raise RoomError, and change nothing then."""

    def __init__(
        self,
        keys: KeyStore,
        requested: Path,
        *,
        configured: Callable[[], str],
        now: Callable[[], int | None],
        install: Install,
    ) -> None:
        """`requested` is the file that remembers the domain of the last request.

        `configured` tells the domain that is set, `now` the believed time in Unix seconds; `install` lets
        nothing else come in between.
        """
        self._install = install
        self._keys = keys
        self._requested = requested
        self._configured = configured
        self._now = now

    async def request(self, domain: str, *, is_new_key: bool) -> str:
        """A certificate request (PKCS#10, PEM); an empty domain is what the room has or is to have."""
        try:
            checked = check_domain(domain or self._expected())
            signer = await asyncio.to_thread(self._keys.signer_to_enroll, is_new_key=is_new_key)
            der = await asyncio.to_thread(build_csr, signer, checked)
            await asyncio.to_thread(self._remember, checked)
        except BadDomainError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except (EnrollmentError, IdentityError) as error:
            raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error
        return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode("ascii")

    async def import_chain(self, pem: str, domain: str, *, dry_run: bool) -> ChangeReport:
        """Put a chain for this device's key into force: refused unless it is for this key and this domain."""

        def check() -> tuple[bytes, ...]:
            given = read_pem_chain(pem.encode("utf-8", "replace"))
            expected = check_domain(domain or self._expected())
            return check_own_chain(given, self._keys.fingerprints(), expected, now=self._now())

        chain = await self._checked(check)
        report = await asyncio.to_thread(self._report, chain)
        if report.changed and not dry_run:
            await self._install(lambda: self._put_in_force(lambda: self._keys.install_chain(chain)), "csr")
        return report

    async def import_key(self, content: bytes, secret: bytes, domain: str, *, dry_run: bool) -> ChangeReport:
        """Put a key that was made elsewhere into force, with its chain."""

        def check() -> tuple[Callable[[], None], tuple[bytes, ...]]:
            wrapped = unwrap(content, secret)
            spki = wrapped.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            expected = domain or self._expected(otherwise=_name_in(wrapped.chain))
            chain = check_own_chain(
                wrapped.chain, {fingerprint_of_spki(spki)}, check_domain(expected), now=self._now()
            )
            return (lambda: self._keys.import_key(wrapped.key, chain)), chain

        put, chain = await self._checked(check)
        report = await asyncio.to_thread(self._report, chain)
        if report.changed and not dry_run:
            await self._install(lambda: self._put_in_force(put), "import")
        return report

    def forget_request(self) -> None:
        """The domain of an earlier request says nothing any more."""
        self._requested.unlink(missing_ok=True)

    async def _checked(self, check: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(check)
        except (BadDomainError, ChainError, WrappedKeyError) as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except IdentityError as error:
            raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error

    def _put_in_force(self, put: Callable[[], None]) -> None:
        try:
            put()
        except IdentityError as error:
            raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error
        self.forget_request()

    def _expected(self, *, otherwise: str = "") -> str:
        """For which domain a certificate has to be, where nobody says so."""
        found = self._read_requested() or self._configured() or self._own_name() or otherwise
        if not found:
            raise BadDomainError(
                "nobody has said which domain this room is to have",
                hint="name it, or first: conclavectl identity set-domain DOMAIN",
            )
        return found

    def _own_name(self) -> str:
        try:
            return claimed_name(self._keys.chain()[0])
        except IdentityError:
            return ""

    def _read_requested(self) -> str:
        try:
            return self._requested.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _remember(self, domain: str) -> None:
        try:
            write_atomically(self._requested, f"{domain}\n".encode("ascii"), mode=0o600)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the request cannot be remembered: {error.strerror}",
                hint="see: conclavectl doctor",
            ) from error

    def _report(self, chain: tuple[bytes, ...]) -> ChangeReport:
        try:
            present = self._keys.chain()
        except (NoCertificateError, IdentityError):
            present = ()
        change = Change("identity.certificate", _words(present), _words(chain), "at once")
        return ChangeReport(True, (change,)) if present != chain else ChangeReport(False)


def _words(chain: tuple[bytes, ...]) -> str:
    """A certificate as a change tells it."""
    if not chain:
        return ""
    leaf = x509.load_der_x509_certificate(chain[0])
    until = leaf.not_valid_after_utc.strftime("%Y-%m-%d")
    return f'"{claimed_name(chain[0])}, until {until}, sha256 {leaf.fingerprint(hashes.SHA256()).hex()}"'


def _name_in(chain: tuple[bytes, ...]) -> str:
    """The one name that the certificates of a bundle give, leaves among them; empty if there are several."""
    names = {name for name in map(claimed_name, chain) if name}
    return names.pop() if len(names) == 1 else ""
