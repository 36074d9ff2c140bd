"""The room's identity: what it is now, and the enrollment that may be under way."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    BadDomainError,
    Enrollment,
    EnrollmentError,
    Progress,
    RenewalWatch,
    SettingsError,
    UnreachableError,
    check_domain,
)
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import EnrollmentRequest, IdentityStatus, RoomError, RoomErrorKind
from conclaved.identity import IdentityError, KeyStore
from conclaved.service.account_keys import StoredAccountKeys, erase_key_files, move_account_key
from conclaved.service.config import Config
from conclaved.service.origin_file import Origin, OriginFile
from conclaved.service.own_key import OwnKey
from conclaved.service.serial_number import serial_number
from conclaved.service.waiting_request import WaitingRequest, may_pass

log = logging.getLogger(__name__)

REVOCATION_REASONS = {"keyCompromise": 1, "superseded": 4, "cessationOfOperation": 5}
"""RFC 5280 §5.3.1, as far as the subscriber may say them."""
LONGEST_LABEL = 63
"""Octets of a DNS label (RFC 1035 §2.3.4)."""


class Enrolling:
    """Owns the key store and at most one enrollment."""

    def __init__(
        self,
        config: Config,
        keys: KeyStore,
        changed: Callable[[], None],
        renewed: Callable[[], Awaitable[None]],
    ) -> None:
        """`changed` is called when `status()` is new, `renewed` when a new certificate is in force."""
        self._config = config
        self._keys = keys
        self.account_keys = StoredAccountKeys(keys, config.state_directory / "acme")
        self._origin = OriginFile(config.state_directory / "certificate-origin.json")
        self._waiting = WaitingRequest(config.state_directory / "enrollment-request.json")
        self._changed = changed
        self._renewed = renewed
        self._task: asyncio.Task[None] | None = None
        self._step = ""
        self._is_closed = False
        self._domain = ""
        self._error: EnrollmentError | IdentityError | None = None
        self.own = OwnKey(keys)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The device's certificates, DER, leaf first; empty before the first enrollment."""
        return self.own.chain

    @property
    def domain(self) -> str:
        """The name in the certificate, or empty."""
        return _dns_name(self.chain[0]) if self.chain else ""

    def status(self) -> IdentityStatus:
        """For D-Bus.

        `domain` is the certificate's; only without one it is the domain that is or was asked for.
        `error` names the domain that was asked for.
        """
        is_enrolling = self._task is not None and not self._task.done()
        state = "enrolled" if self.chain else "none"
        # What the room lacks is no error, but that it has lost its key is.
        error = self._error or (self.own.error if state == "none" and not is_enrolling else None)
        if is_enrolling:
            state = "enrolling"
        elif self._error is not None:
            state = "failed"
        status = IdentityStatus(
            state=state,
            # What others see is the certificate, whatever is being tried.
            domain=self.domain if self.chain else self._domain,
            step=self._step if is_enrolling else "",
            error="" if error is None else _naming(self._domain, str(error)),
            error_kind=_kind(error),
            hint="" if error is None else error.hint,
            key_protection=self.own.protection.value,
            method=self._known_origin().method,
        )
        if not self.chain:
            return status
        leaf = x509.load_der_x509_certificate(self.chain[0])
        return replace(
            status,
            not_before=int(leaf.not_valid_before_utc.timestamp()),
            not_after=int(leaf.not_valid_after_utc.timestamp()),
            issuer=leaf.issuer.rfc4514_string(),
            fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
            certificates=self.chain,
        )

    def configure(self, config: Config) -> None:
        """The settings are others: the next enrollment is under them."""
        before, wanted = (one.identity_domain.lower() for one in (self._config, config))
        self._config = config
        if wanted not in (before, self._domain.lower()) and self._error is not None:
            # It was for a domain that nobody wants any more.
            self._error = None
            self._changed()
        waiting = self._waiting.request
        if waiting is not None and wanted not in (before, waiting.domain.lower()):
            self._waiting.drop()

    @property
    def waiting(self) -> EnrollmentRequest | None:
        """What was asked for, did not succeed, and may still: it waits for another attempt."""
        return self._waiting.request

    def start(self, request: EnrollmentRequest, *, is_kept: bool = False) -> None:
        """Begin; `is_kept`: it waits for another attempt after whatever may pass, over a restart too.

        Raises RoomError when it cannot even begin.
        """
        self.check_idle()
        try:
            domain = check_domain(request.domain)
            settings = self.settings(request)
            enrollment = Enrollment(settings, self.acme_directory, keys=self.account_keys)
        except (BadDomainError, SettingsError) as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except ValueError as error:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "an unknown challenge",
                hint="see: conclavectl identity enroll --help",
            ) from error
        if is_kept:
            self._keep(request)
        self._domain, self._error, self._step = domain, None, ""
        self._task = asyncio.create_task(self._run(enrollment, settings, domain, request))
        self._changed()

    def _keep(self, request: EnrollmentRequest) -> None:
        try:
            self._waiting.put(request)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the device cannot store what a certificate needs: {error.strerror}",
                hint="nothing was asked of the CA; see: conclavectl doctor",
            ) from error

    def give_up_waiting(self) -> None:
        """What waits is asked for no more."""
        self._waiting.drop()

    async def idle(self) -> None:
        """Returns when no enrollment is under way."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def problems(self) -> list[str]:
        """That there is no certificate, or another one than an admin wants, with what gets one."""
        wanted, has = self._config.identity_domain, self.domain if self.chain else ""
        by_hand = self._config.identity_method in ("csr", "import")
        command = f"conclavectl identity {'csr' if by_hand else 'enroll'} {wanted or 'DOMAIN'}"
        if not has:
            if self.waiting is not None:
                why = f": {self._error}" if self._error is not None else ""
                return [f"no certificate yet, and it is asked for again by itself{why}"]
            return [] if self.own.error else [f"no certificate yet: {command}"]
        if wanted.lower() in ("", has.lower()):
            return []
        return [f"the certificate is for {has}, and the room is to have {wanted}: {command}"]

    def renewal(self) -> tuple[AcmeSettings | None, EnrollmentRequest | None]:
        """How the certificate in force is renewed, or the provider's is got; None where nobody can.

        Raises EnrollmentError for settings that cannot work any more.
        """
        if not self.chain:
            return self._provider_default()
        origin = self._known_origin()
        if origin.method not in ("acme", "provider", ""):
            return None, None
        request = EnrollmentRequest(
            self.domain,
            directory_url=origin.directory_url,
            challenge=origin.challenge,
            is_provider=origin.method == "provider",
        )
        acme = self._config.provider.acme if request.is_provider else self._config.acme
        if not (request.directory_url or acme.directory_url):
            return None, None
        return self.settings(request), request

    def _provider_default(self) -> tuple[AcmeSettings | None, EnrollmentRequest | None]:
        config, domain = self._config, provider_domain(self._config.provider.domain)
        if not domain or config.identity_domain or config.identity_method not in ("acme", "provider"):
            return None, None
        request = EnrollmentRequest(domain, is_provider=True)
        return self.settings(request), request

    def watch(self, settings: AcmeSettings) -> RenewalWatch:
        """When to renew at the CA of these settings."""
        return RenewalWatch(settings, self.acme_directory, keys=self.account_keys)

    async def revoke(self, reason: str, *, is_in_use: bool) -> ChangeReport:
        """Have the CA revoke the certificate in force, and give it up with its key. Raises RoomError."""
        if reason and reason not in REVOCATION_REASONS:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "the reason is none that a CA knows",
                hint="use one of: " + ", ".join(REVOCATION_REASONS),
            )
        if is_in_use:
            raise RoomError(
                RoomErrorKind.BUSY,
                "the room is in a meeting under this certificate",
                hint="leave it first: conclavectl meeting leave",
            )
        self.check_idle()
        if not self.chain:
            raise RoomError(RoomErrorKind.NOT_ENROLLED, "there is no certificate to revoke")
        settings, _ = self.renewal()
        if settings is None:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                "no CA is known that issued this certificate by ACME",
                hint="ask who issued it to revoke it",
            )
        words = f'"{self.domain}, sha256 {_fingerprint(self.chain[0])}"'
        account = AcmeAccount(settings, self.acme_directory, keys=self.account_keys)
        try:
            await account.revoke(self.chain[0], reason=REVOCATION_REASONS.get(reason))
            await asyncio.to_thread(self._keys.forget_device_keys)
            self._waiting.drop()
        except EnrollmentError as error:
            kind = RoomErrorKind.UNREACHABLE if isinstance(error, UnreachableError) else RoomErrorKind.REFUSED
            raise RoomError(kind, str(error), hint=error.hint) from error
        except IdentityError as error:
            raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error
        finally:
            self.own.reload()
            self._changed()
        return ChangeReport(True, (Change("identity.certificate", words, "", "at once"),))

    def note_origin(self, method: str) -> None:
        """The certificate in force came by this way, and no CA renews it."""
        self._note_origin(Origin(method=method))

    async def bring_in(self, put: Callable[[], None], method: str) -> None:
        """Run what puts a certificate into force that came by `csr` or `import`; raises what that raises."""
        self.check_idle()

        async def bring() -> None:
            await asyncio.to_thread(put)
            self._error = None
            self._waiting.drop()
            self.own.reload()
            self.note_origin(method)
            await self._renewed()

        # As an enrollment: nothing else comes in between, and `close` waits for it.
        self._task = asyncio.create_task(bring())
        try:
            await asyncio.shield(self._task)
        finally:
            self._changed()

    def check_idle(self) -> None:
        """Raises RoomError(BUSY) while an enrollment is under way, and after `close`."""
        if self._is_closed:
            raise RoomError(
                RoomErrorKind.BUSY, "the room is ending, and gets no certificate", hint="try again later"
            )
        if self._task is not None and not self._task.done():
            raise RoomError(
                RoomErrorKind.BUSY, "an enrollment is under way", hint="see: conclavectl identity show"
            )

    async def forget_old_keys(self) -> None:
        """Erase the keys before the present one. One that cannot be erased is tried at the next start."""
        try:
            await asyncio.to_thread(self._keys.forget_old_keys)
        except IdentityError as error:
            log.warning("an earlier key of this device is still on its disk: %s", error)

    async def close(self) -> None:
        """End a running enrollment, and begin no other; its order stays on the disk for the next daemon."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(
        self, enrollment: Enrollment, settings: AcmeSettings, domain: str, request: EnrollmentRequest
    ) -> None:
        def tell(progress: Progress) -> None:
            self._step = progress.text
            self._changed()

        present = self.chain[0] if self.chain else None
        try:
            await asyncio.to_thread(erase_key_files, self.acme_directory)
            await move_account_key(settings, self.acme_directory, self.account_keys)
            signer = await asyncio.to_thread(self._keys.signer_to_enroll, is_new_key=request.is_new_key)
            certificate = await enrollment.enroll(domain, signer, present=present, progress=tell)
            await asyncio.to_thread(self._keys.install_chain, certificate.chain)
            enrollment.confirm()
            self.own.reload()
            method = "provider" if request.is_provider else "acme"
            self._waiting.drop()
            self._note_origin(
                Origin(method=method, directory_url=request.directory_url, challenge=request.challenge)
            )
            await self._renewed()
        except EnrollmentError as error:
            log.warning("enrollment of %s failed: %s", domain, error)
            self._error = error
            if not may_pass(error):
                self._waiting.drop()
            await self._remember_failure(settings, present, error)
        except IdentityError as error:
            log.warning("enrollment of %s failed: %s", domain, error)
            self._error = error
            self._waiting.drop()
            await self._remember_failure(settings, present, EnrollmentError(str(error)))
        except Exception as error:  # the task's root: nobody must take the old certificate for success
            log.exception("enrollment of %s failed", domain)
            self._error = EnrollmentError(
                f"this device could not do its part: {type(error).__name__}",
                hint="see: conclavectl logs",
            )
            self._waiting.drop()
            await self._remember_failure(settings, present, self._error)
        else:
            log.info("enrolled %s", domain)
        finally:
            self._step = ""
            self.own.reload()
            # The task itself is still running here: let it end before anybody looks.
            asyncio.get_running_loop().call_soon(self._changed)

    async def _remember_failure(
        self, settings: AcmeSettings, present: bytes | None, error: EnrollmentError
    ) -> None:
        """The next attempt that nobody asks for keeps its distance, over a restart too."""
        try:
            await self.watch(settings).failed(present, error)
        except EnrollmentError as failure:
            log.warning("the failure cannot be remembered: %s", failure)

    def settings(self, request: EnrollmentRequest) -> AcmeSettings:
        """The CA and the challenge. Raises EnrollmentError or ValueError for what cannot work."""
        acme = self._config.provider.acme if request.is_provider else self._config.acme
        return acme.settings(self._config.token_directory, request.directory_url, request.challenge)

    @property
    def acme_directory(self) -> Path:
        """Where account and order lie."""
        return self._config.state_directory / "acme"

    def _known_origin(self) -> Origin:
        """What is known of the certificate in force."""
        origin = self._origin.load()
        return origin if self.chain and origin.certificate == _fingerprint(self.chain[0]) else Origin()

    def _note_origin(self, origin: Origin) -> None:
        if not self.chain:
            return
        try:
            self._origin.save(replace(origin, certificate=_fingerprint(self.chain[0])))
        except OSError as error:
            log.warning("where the certificate is from cannot be remembered: %s", error.strerror)


def provider_domain(template: str, serial: str | None = None) -> str:
    """The provider's name for this room: `{serial}` is the device's serial number, as a DNS label."""
    if "{serial}" not in template:
        return template
    known = serial_number() if serial is None else serial
    label = "-".join(part for part in re.split("[^a-z0-9]+", known.lower()) if part)[:LONGEST_LABEL].strip(
        "-"
    )
    return template.replace("{serial}", label) if label else ""


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _naming(domain: str, words: str) -> str:
    return words if domain in words else f"{domain}: {words}"


def _kind(error: EnrollmentError | IdentityError | None) -> str:
    """What a program may conclude from the error: whom to ask, or whether to try again."""
    if error is None:
        return ""
    return error.kind if isinstance(error, EnrollmentError) else "failed"


def _dns_name(der: bytes) -> str:
    try:
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.value.get_values_for_type(x509.DNSName)), "")
