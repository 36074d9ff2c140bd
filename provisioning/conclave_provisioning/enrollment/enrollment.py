"""A domain becomes a certificate: one ACME order, from the account to the chain (RFC 8555 §7.1).

    account -> order -> for each authorization: put the answer, ask, wait -> finalize -> wait -> download

Every request runs in a worker thread; all waiting is here, where it can be cancelled and has a deadline. What
a step relies on is on the disk before it, so that an attempt after a power cut takes the same order up where
it stood. A certificate that was downloaded but never confirmed is downloaded again and not ordered again:
orders that are repeated because saving failed use up a CA's limits.
"""

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from conclave_provisioning.enrollment.csr import Signer, build_csr
from conclave_provisioning.enrollment.dns01 import DnsProvider, HookDnsProvider
from conclave_provisioning.enrollment.domain import check_domain
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    BusyError,
    ChallengeSetupError,
    EnrollmentCancelledError,
    EnrollmentTimeoutError,
    RateLimitedError,
    RefusedError,
    SettingsError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind
from conclave_provisioning.enrollment.state import Account, OrderState, StateDirectory
from conclave_provisioning.enrollment.token_files import TokenFiles

if TYPE_CHECKING:
    from conclave_provisioning.enrollment.acme_client import AcmeClient, Authorization, Challenge, Order

FIRST_POLL_S = 0.1
LONGEST_POLL_S = 5.0
_POLL_GROWTH = 1.6
_KEEP_ORDER_AFTER = {"serverInternal", "rateLimited", "badNonce", "orderNotReady"}
"""Refusals after which the same order may still succeed."""

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class Step(Enum):
    """Where an enrollment is."""

    ACCOUNT = "account"
    ORDER = "order"
    CHALLENGE = "challenge"
    VALIDATION = "validation"
    ISSUANCE = "issuance"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of an enrollment, for people."""

    step: Step
    """Which."""
    text: str
    """One line."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an enrollment gives."""

    domain: str
    """The name in its SAN."""
    chain: tuple[bytes, ...]
    """DER, leaf first, without the root. Its leaf holds the signer's key."""
    not_before: int
    """Unix seconds."""
    not_after: int
    """Unix seconds."""


class Enrollment:
    """Enrolls at one CA, with its account and order in ``state_dir``. One enrollment at a time."""

    def __init__(
        self, settings: AcmeSettings, state_dir: Path, *, dns_provider: DnsProvider | None = None
    ) -> None:
        """``dns_provider`` (dns-01) takes the place of the settings' hook. Raises `SettingsError`."""
        self._settings = settings
        self._state = StateDirectory(state_dir)
        self._publisher = _publisher_for(settings, dns_provider)
        self._is_busy = False

    async def enroll(
        self,
        domain: str,
        signer: Signer,
        *,
        progress: Callable[[Progress], None] = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Certificate:
        """A certificate for ``domain`` and the signer's key: a new one, or the one not yet confirmed.

        Call `confirm` when it is in the key store. ``progress`` is called on the event loop; setting
        ``cancel`` ends the enrollment before its next request. Raises an `EnrollmentError`; the order stays
        on the disk whenever the next attempt can take it up.
        """
        checked = check_domain(domain)
        if self._is_busy:
            raise BusyError("another enrollment is under way", hint="wait for it, or cancel it")
        self._is_busy = True
        try:
            run = _Run(
                self._settings,
                self._state,
                self._publisher,
                domain=checked,
                signer=signer,
                progress=progress,
                cancel=cancel or asyncio.Event(),
            )
            try:
                return await run.run()
            finally:
                run.close()
        finally:
            self._is_busy = False

    def confirm(self) -> None:
        """Says that the certificate is safe in the key store: the next `enroll` orders a new one.

        Raises `StateError`.
        """
        self._state.forget_order()


class _Publisher:
    """Puts the answer to a challenge where the CA looks for it. Blocking."""

    def __init__(self, files: TokenFiles | None, dns: DnsProvider | None) -> None:
        self._files = files
        self._dns = dns

    def present(self, challenge: "Challenge") -> None:
        if self._files is not None:
            self._files.present(challenge.token, challenge.answer)
        elif self._dns is not None:
            self._dns.present(challenge.record_name, challenge.answer)

    def clean_up(self, challenge: "Challenge") -> None:
        try:
            if self._files is not None:
                self._files.clean_up(challenge.token)
            elif self._dns is not None:
                self._dns.clean_up(challenge.record_name, challenge.answer)
        except ChallengeSetupError as error:
            # The outcome of the order stands; what is left behind harms nobody.
            log.warning("the answer to a challenge could not be removed: %s", error)


def _publisher_for(settings: AcmeSettings, dns_provider: DnsProvider | None) -> _Publisher:
    if settings.challenge is ChallengeKind.HTTP_01 and settings.token_directory is not None:
        return _Publisher(TokenFiles(settings.token_directory), None)
    if dns_provider is None and settings.dns_hook is not None:
        dns_provider = HookDnsProvider(settings.dns_hook)
    if dns_provider is None:
        raise SettingsError("dns-01 needs somebody who writes the zone", hint="set dns_hook")
    return _Publisher(None, dns_provider)


class _Run:
    """One attempt."""

    def __init__(
        self,
        settings: AcmeSettings,
        state: StateDirectory,
        publisher: _Publisher,
        *,
        domain: str,
        signer: Signer,
        progress: Callable[[Progress], None],
        cancel: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._state = state
        self._publisher = publisher
        self._domain = domain
        self._signer = signer
        self._progress = progress
        self._cancel = cancel
        self._deadline = asyncio.get_running_loop().time() + settings.deadline_s
        self._client: AcmeClient | None = None

    async def run(self) -> Certificate:
        self._client = await self._step(self._open_client)
        self._tell(Step.ACCOUNT, f"talking to {self._settings.directory_url}")
        await self._step(self._client.connect)
        try:
            kept = await self._take_up()
            if kept is None:
                state, order = await self._new_order()
            else:
                state, order = kept
            return await self._fulfil(state, order)
        except RefusedError as refusal:
            if refusal.problem_type not in _KEEP_ORDER_AFTER:
                self._state.forget_order()
            raise
        except BadResponseError:
            self._state.forget_order()
            raise

    def close(self) -> None:
        """Closes the connections, unless a thread that was given up still uses them: then they time out."""
        if self._client is not None:
            self._client.close()

    @property
    def _acme(self) -> "AcmeClient":
        if self._client is None:
            raise RuntimeError("the client is opened by the first step")
        return self._client

    def _open_client(self) -> "AcmeClient":
        from conclave_provisioning.enrollment.acme_client import AcmeClient

        return AcmeClient(self._settings, self._state.account_key())

    async def _take_up(self) -> "tuple[OrderState, Order] | None":
        """The kept order, if it is for the same thing and the CA still knows it."""
        kept = self._state.load_order()
        account = self._state.load_account()
        if (
            kept is None
            or account is None
            or kept.directory_url != self._settings.directory_url
            or (kept.domain, kept.public_key) != (self._domain, self._signer.public_key.hex())
            or (account.directory_url, account.url) != (kept.directory_url, kept.account_url)
        ):
            return None
        self._acme.use_account(account.url)
        try:
            order = await self._step(self._acme.order, kept.url)
            if order.status == "invalid":
                return None
            if order.status == "valid" and order.certificate is not None:
                certificate = await self._download(order.certificate)
                if datetime.now(UTC).timestamp() > (certificate.not_before + certificate.not_after) / 2:
                    return None  # nobody confirmed it, and by now it would have to be renewed
        except RateLimitedError:
            raise
        except RefusedError as refusal:
            log.info("the CA does not know the kept order any more: %s", refusal)
            self._forget_account_if(refusal)
            return None
        except BadResponseError as error:
            # Some CAs answer a bare 404 for an order that they have forgotten.
            log.info("the kept order is of no use any more: %s", error)
            return None
        self._tell(Step.ORDER, "taking up the order that was under way")
        return kept, order

    async def _new_order(self) -> "tuple[OrderState, Order]":
        account_url = await self._account()
        self._tell(Step.ORDER, f"ordering a certificate for {self._domain}")
        csr = await self._step(build_csr, self._signer, self._domain)
        try:
            order = await self._step(self._acme.new_order, self._domain)
        except RefusedError as refusal:
            if not self._forget_account_if(refusal):
                raise
            account_url = await self._account()
            order = await self._step(self._acme.new_order, self._domain)
        state = OrderState(
            directory_url=self._settings.directory_url,
            account_url=account_url,
            domain=self._domain,
            public_key=self._signer.public_key.hex(),
            url=order.url,
            csr=base64.b64encode(csr).decode("ascii"),
        )
        self._state.save_order(state)
        return state, order

    async def _account(self) -> str:
        """The account's URL, which is registered if it is not known for this CA."""
        account = self._state.load_account()
        if account is not None and account.directory_url == self._settings.directory_url:
            self._acme.use_account(account.url)
            return account.url
        self._tell(Step.ACCOUNT, "registering an account")
        url = await self._step(self._acme.register)
        self._state.save_account(Account(self._settings.directory_url, url))
        return url

    def _forget_account_if(self, refusal: RefusedError) -> bool:
        """Whether the CA has forgotten the account; then we do too, and register again under the same key."""
        if refusal.problem_type != "accountDoesNotExist":
            return False
        self._state.forget_account()
        return True

    async def _fulfil(self, state: OrderState, order: "Order") -> Certificate:
        if order.status == "pending":
            for url in order.authorizations:
                await self._authorize(url)
            order = await self._poll(lambda: self._acme.order(state.url), while_status={"pending"})
        if order.status == "ready":
            self._tell(Step.ISSUANCE, "handing over the certificate request")
            order = await self._step(self._acme.finalize, order, state.csr_der)
        if order.status == "processing":
            order = await self._poll(lambda: self._acme.order(state.url), while_status={"processing"})
        if order.status == "invalid":
            raise order.refusal or RefusedError("the order", "invalid", "the CA gives no reason")
        if order.status != "valid" or order.certificate is None:
            raise BadResponseError(f"the CA left the order in the state {order.status}")
        certificate = await self._download(order.certificate)
        self._tell(Step.DONE, f"the CA issued a certificate for {self._domain}")
        return certificate

    async def _authorize(self, url: str) -> None:
        authorization = await self._step(self._acme.authorization, url, self._domain)
        if authorization.status == "valid":
            return
        challenge = authorization.challenge
        if authorization.status == "pending" and challenge is not None:
            self._tell(Step.CHALLENGE, f"answering the challenge {self._settings.challenge.value}")
            try:
                await self._step(self._publisher.present, challenge)
                authorization = await self._validate(url, challenge)
            finally:
                await asyncio.shield(asyncio.to_thread(self._publisher.clean_up, challenge))
        elif challenge is None:
            raise SettingsError(
                f"the CA offers no {self._settings.challenge.value} for {self._domain}",
                hint="use the other challenge",
            )
        if authorization.status != "valid":
            raise authorization.refusal or ValidationFailedError(
                "the domain", authorization.status, "the CA gives no reason"
            )

    async def _validate(self, url: str, challenge: "Challenge") -> "Authorization":
        if self._settings.challenge is ChallengeKind.DNS_01 and self._settings.dns_wait_s > 0:
            await self._pause(self._settings.dns_wait_s)
        self._tell(Step.VALIDATION, f"the CA looks at {self._domain}")
        if challenge.status == "pending":
            await self._step(self._acme.begin_validation, challenge)
        return await self._poll(
            lambda: self._acme.authorization(url, self._domain), while_status={"pending", "processing"}
        )

    async def _download(self, url: str) -> Certificate:
        chain = await self._step(self._acme.certificate, url)
        try:
            leaf = x509.load_der_x509_certificate(chain[0])
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            is_ours = leaf.public_key() == self._signer.certificate_public_key
        except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
            raise BadResponseError("the CA's certificate cannot be read") from error
        if not is_ours:
            raise BadResponseError("the CA's certificate is for another key than this device's")
        if [name.lower() for name in names.get_values_for_type(x509.DNSName)] != [self._domain]:
            raise BadResponseError("the CA's certificate is for another domain")
        return Certificate(
            domain=self._domain,
            chain=chain,
            not_before=int(leaf.not_valid_before_utc.timestamp()),
            not_after=int(leaf.not_valid_after_utc.timestamp()),
        )

    async def _poll(self, fetch: "Callable[[], S]", *, while_status: set[str]) -> "S":
        """Fetches until the status is another, as often as the CA wants to be asked."""
        wait = FIRST_POLL_S
        while True:
            found = await self._step(fetch)
            if found.status not in while_status:
                return found
            await self._pause(max(FIRST_POLL_S, wait if found.retry_after_s is None else found.retry_after_s))
            wait = min(wait * _POLL_GROWTH, LONGEST_POLL_S)

    async def _step(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Runs a blocking step in a worker thread, unless cancelled or out of time.

        A thread cannot be stopped: one that is given up ends by its own request's timeout.
        """
        self._raise_if_cancelled()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asyncio.to_thread(function, *arguments, **options)
        except TimeoutError as error:
            raise self._too_late() from error

    async def _pause(self, seconds: float) -> None:
        if asyncio.get_running_loop().time() + seconds > self._deadline:
            raise self._too_late()
        try:
            await asyncio.wait_for(self._cancel.wait(), seconds)
        except TimeoutError:
            return
        self._raise_if_cancelled()

    def _raise_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise EnrollmentCancelledError("the enrollment was cancelled", hint="enroll again to go on")

    def _too_late(self) -> EnrollmentTimeoutError:
        return EnrollmentTimeoutError(
            f"the CA did not finish within {self._settings.deadline_s:.0f} s",
            hint="enroll again: the order is kept",
        )

    def _tell(self, step: Step, text: str) -> None:
        self._progress(Progress(step, text))


if TYPE_CHECKING:
    S = TypeVar("S", Authorization, Order)
