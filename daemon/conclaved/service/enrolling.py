"""The room's identity: what it is now, and the enrollment that may be under way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from conclave_provisioning.enrollment import (
    BadDomainError,
    Enrollment,
    EnrollmentError,
    Progress,
    SettingsError,
    check_domain,
)
from conclaved.bus.room import EnrollmentRequest, IdentityStatus, RoomError, RoomErrorKind
from conclaved.identity import IdentityError, KeyStore
from conclaved.service.config import Config
from conclaved.service.own_key import OwnKey

log = logging.getLogger(__name__)


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
        self._changed = changed
        self._renewed = renewed
        self._task: asyncio.Task[None] | None = None
        self._step = ""
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
        self._config = config

    def start(self, request: EnrollmentRequest) -> None:
        """Begin. Raises RoomError when it cannot even begin."""
        self._check_idle()
        try:
            domain = check_domain(request.domain)
            settings = self._config.acme.settings(
                self._config.token_directory, request.directory_url, request.challenge
            )
            enrollment = Enrollment(settings, self._config.state_directory / "acme")
        except (BadDomainError, SettingsError) as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except ValueError as error:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "an unknown challenge",
                hint="see: conclavectl identity enroll --help",
            ) from error
        self._domain, self._error, self._step = domain, None, ""
        self._task = asyncio.create_task(self._run(enrollment, domain, request))
        self._changed()

    async def bring_in(self, put: Callable[[], None]) -> None:
        """Run what puts a certificate into force that came another way; raises what that raises."""
        self._check_idle()

        async def bring() -> None:
            await asyncio.to_thread(put)
            self._error = None
            self.own.reload()
            await self._renewed()

        # As an enrollment: nothing else comes in between, and `close` waits for it.
        self._task = asyncio.create_task(bring())
        try:
            await asyncio.shield(self._task)
        finally:
            self._changed()

    def _check_idle(self) -> None:
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
        """End a running enrollment; its order stays on the disk and is taken up by the next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, enrollment: Enrollment, domain: str, request: EnrollmentRequest) -> None:
        def tell(progress: Progress) -> None:
            self._step = progress.text
            self._changed()

        try:
            signer = await asyncio.to_thread(self._keys.signer_to_enroll, is_new_key=request.is_new_key)
            certificate = await enrollment.enroll(domain, signer, progress=tell)
            await asyncio.to_thread(self._keys.install_chain, certificate.chain)
            enrollment.confirm()
            self.own.reload()
            await self._renewed()
        except (EnrollmentError, IdentityError) as error:
            log.warning("enrollment of %s failed: %s", domain, error)
            self._error = error
        except Exception as error:  # the task's root: nobody must take the old certificate for success
            log.exception("enrollment of %s failed", domain)
            self._error = EnrollmentError(
                f"this device could not do its part: {type(error).__name__}",
                hint="see: journalctl -u conclaved",
            )
        else:
            log.info("enrolled %s", domain)
        finally:
            self._step = ""
            self.own.reload()
            # The task itself is still running here: let it end before anybody looks.
            asyncio.get_running_loop().call_soon(self._changed)


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
