"""What an admin may ask about the CA beside a certificate: a rehearsal, and the account there.

A rehearsal is a whole order at the CA's staging directory, for a key that is thrown away: it shows whether
port 80 is reached from outside, or the zone can be written, and costs none of the real CA's patience.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    BadDomainError,
    Enrollment,
    EnrollmentError,
    SettingsError,
    UnreachableError,
    check_domain,
)
from conclaved.bus.acme_verbs import AccountStatus, RecordStatus, RehearsalStatus
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.identity import SoftwareSigner
from conclaved.service.enrolling import Enrolling

STAGING = {
    "acme-v02.api.letsencrypt.org": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "dv.acme-v02.api.pki.goog": "https://dv.acme-v02.test-api.pki.goog/directory",
    "api.buypass.com": "https://api.test4.buypass.no/acme/directory",
}
"""Where public CAs rehearse, by the host of their real directory."""


class AcmeDesk:
    """Implements `AcmeVerbs`. One event loop owns it."""

    def __init__(self, enrolling: Enrolling, configured: Callable[[], str]) -> None:
        """`configured` tells the domain that is set."""
        self._enrolling = enrolling
        self._configured = configured
        self._is_rehearsing = False

    async def rehearse(self, directory_url: str) -> RehearsalStatus:
        """See `AcmeVerbs`."""
        if self._is_rehearsing:
            raise RoomError(RoomErrorKind.BUSY, "a rehearsal is under way", hint="wait for it")
        self._is_rehearsing = True
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="conclave-rehearsal-"))
        steps: list[str] = []
        try:
            domain = self._domain("")
            settings = self._settings(directory_url or self._staging())
            enrollment = Enrollment(settings, folder)
            signer = await asyncio.to_thread(SoftwareSigner.generate)
            await enrollment.enroll(domain, signer, progress=lambda step: steps.append(step.text))
        except (BadDomainError, SettingsError) as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except EnrollmentError as error:
            return RehearsalStatus(False, tuple(steps), str(error), error.kind, error.hint)
        finally:
            self._is_rehearsing = False
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return RehearsalStatus(True, tuple(steps))

    async def account(self) -> AccountStatus:
        """See `AcmeVerbs`."""
        try:
            found = await self._account().show()
        except EnrollmentError as error:
            raise _refused(error) from error
        return AccountStatus(found.url, found.status, found.contact, self._settings("").directory_url)

    async def roll_account_key(self) -> ChangeReport:
        """See `AcmeVerbs`."""
        try:
            await self._account().roll_key()
        except EnrollmentError as error:
            raise _refused(error) from error
        return ChangeReport(True, (Change("acme.account.key", '"the former key"', '"a new key"', "at once"),))

    async def deactivate_account(self) -> ChangeReport:
        """See `AcmeVerbs`."""
        try:
            was_there = await self._account().deactivate()
        except EnrollmentError as error:
            raise _refused(error) from error
        change = Change("acme.account", '"active"', "", "for good; the next enrollment makes another")
        return ChangeReport(was_there, (change,) if was_there else ())

    async def persistent_record(self, domain: str) -> RecordStatus:
        """See `AcmeVerbs`."""
        account = self._account()
        try:
            record = await account.persistent_record(self._domain(domain))
            is_seen = await account.sees(record)
        except BadDomainError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except EnrollmentError as error:
            raise _refused(error) from error
        return RecordStatus(record.name, record.value, record.zone_line, is_seen)

    def _account(self) -> AcmeAccount:
        self._enrolling.check_idle()
        return AcmeAccount(
            self._settings(""), self._enrolling.acme_directory, keys=self._enrolling.account_keys
        )

    def _settings(self, directory_url: str) -> AcmeSettings:
        try:
            return self._enrolling.settings(EnrollmentRequest("", directory_url=directory_url))
        except EnrollmentError as error:
            hint = error.hint or "see: conclavectl config get acme"
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, f"acme: {error}", hint=hint) from error

    def _staging(self) -> str:
        host = self._settings("").directory_url.split("/")[2]
        if host not in STAGING:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"no directory for rehearsals is known of the CA at {host}",
                hint="name it: --directory URL; a real order there counts at that CA",
            )
        return STAGING[host]

    def _domain(self, domain: str) -> str:
        return check_domain(domain or self._configured() or self._enrolling.domain)


def _refused(error: EnrollmentError) -> RoomError:
    kind = RoomErrorKind.UNREACHABLE if isinstance(error, UnreachableError) else RoomErrorKind.REFUSED
    return RoomError(kind, str(error), hint=error.hint)
