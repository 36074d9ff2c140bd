"""One attempt at an order, from the account to the chain (RFC 8555 §7.1).

    account -> order -> for each authorization: put the answer, ask, wait -> finalize -> wait -> download

What a step relies on is on the disk before it, so that an attempt after a power cut takes the same order up
where it stood. A certificate that was downloaded but never confirmed is downloaded again and not ordered
again: orders that are repeated because saving failed use up a CA's limits.
"""

import asyncio
import base64
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from conclave_provisioning.enrollment.chain import check_chain, top_issuer
from conclave_provisioning.enrollment.challenge import Challenge, ChallengeSolver
from conclave_provisioning.enrollment.csr import Signer, build_csr
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    ChallengeSetupError,
    EnrollmentError,
    EnrollmentTimeoutError,
    ProfileError,
    RateLimitedError,
    RecordNotSeenError,
    RefusedError,
    RemoteEnrollmentError,
    SettingsError,
    StagingError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.progress import Step
from conclave_provisioning.enrollment.renewal_info import certificate_id
from conclave_provisioning.enrollment.session import FIRST_POLL_S, LONGEST_POLL_S, Session
from conclave_provisioning.enrollment.settings import ChallengeKind
from conclave_provisioning.enrollment.state import AnswerState, OrderState

if TYPE_CHECKING:
    from conclave_provisioning.enrollment.order import Authorization, Order

RETRY_PATIENCE_S = 10.0
"""How long a CA may look again by itself after it has said what it did not find."""
_MAX_STAGING = 16
_UNDECIDED = {"pending", "processing"}
_BY_A_HELPER = {ChallengeKind.HTTP_01, ChallengeKind.TLS_ALPN_01}
_NOT_ABOUT_REPLACING = {
    "accountDoesNotExist",
    "badNonce",
    "caa",
    "externalAccountRequired",
    "invalidProfile",
    "rateLimited",
    "rejectedIdentifier",
    "serverInternal",
    "unsupportedIdentifier",
    "userActionRequired",
}

log = logging.getLogger(__name__)


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
    is_staging: bool = False
    """Whether a staging CA issued it: nobody trusts it."""
    notes: tuple[str, ...] = ()
    """What was not done quite as the settings say, one line each."""


class Attempt:
    """One attempt. Raises what it cannot do as an `EnrollmentError`."""

    def __init__(
        self, session: Session, solver: ChallengeSolver, domain: str, signer: Signer, present: bytes | None
    ) -> None:
        self._session = session
        self._settings = session.settings
        self._state = session.state
        self._acme = session.client
        self._solver = solver
        self._domain = domain
        self._signer = signer
        self._present = present
        self._notes: list[str] = []

    async def run(self) -> Certificate:
        """The certificate."""
        self._check_settings()
        await self._take_away_what_was_left()
        try:
            kept = await self._take_up()
            if kept is None:
                state, order = await self._new_order()
            else:
                state, order = kept
            return await self._fulfil(state, order)
        except RemoteEnrollmentError as error:
            if not error.keeps_order:
                self._state.forget_order()
            raise

    def _check_settings(self) -> None:
        """What would only come out after an order has been used up."""
        if self._settings.is_staging and self._has_real_one():
            raise StagingError(
                "a staging CA's certificate is trusted by nobody, and this device has a real one",
                hint="use the CA's real directory, or try staging on a device without a certificate",
            )
        profile, offered = self._settings.profile, self._acme.directory.profiles
        if profile is not None and profile not in offered:
            there_are = f"it has {', '.join(sorted(offered))}" if offered else "it has none"
            raise ProfileError(
                f"the CA does not offer the profile {profile}: {there_are}",
                hint="set profile to one of them, or leave it away",
            )

    def _has_real_one(self) -> bool:
        return self._present is not None and _fingerprint(self._present) not in self._state.load_staging()

    async def _take_away_what_was_left(self) -> None:
        """An answer that a power cut left behind, whose order may not be taken up again."""
        left = self._state.load_answer()
        if left is not None and left.kind == self._solver.kind.value:
            challenge = Challenge(self._solver.kind, "", "", left.domain, left.token, left.key_authorization)
            await asyncio.to_thread(self._clean_up, challenge)

    async def _take_up(self) -> "tuple[OrderState, Order] | None":
        """The kept order, if it is for the same thing and the CA still knows it."""
        kept = self._state.load_order()
        account = self._state.load_account()
        if (
            kept is None
            or account is None
            or kept.directory_url != self._settings.directory_url
            or (kept.domain, kept.public_key) != (self._domain, self._signer.public_key.hex())
            or kept.profile != (self._settings.profile or "")
            or (account.directory_url, account.url) != (kept.directory_url, kept.account_url)
        ):
            return None
        self._acme.use_account(account.url)
        try:
            order = await self._session.step(self._acme.order, kept.url)
            if order.status == "invalid":
                return None
            if order.status == "valid" and order.certificate is not None:
                certificate = await self._download(order.certificate)
                if time.time() > (certificate.not_before + certificate.not_after) / 2:
                    return None  # nobody confirmed it, and by now it would have to be renewed
        except RateLimitedError:
            raise
        except RefusedError as refusal:
            if refusal.keeps_order:
                raise
            log.info("the CA does not know the kept order any more: %s", refusal)
            self._session.forget_account_if(refusal)
            return None
        except BadResponseError as error:
            # Some CAs answer a bare 404 for an order that they have forgotten.
            log.info("the kept order is of no use any more: %s", error)
            return None
        self._session.tell(Step.ORDER, "taking up the order that was under way")
        return kept, order

    async def _new_order(self) -> "tuple[OrderState, Order]":
        account_url = await self._session.account()
        self._session.tell(Step.ORDER, f"ordering a certificate for {self._domain}")
        csr = await self._session.step(build_csr, self._signer, self._domain)
        try:
            order = await self._ask_for_order()
        except RefusedError as refusal:
            if not self._session.forget_account_if(refusal):
                raise
            account_url = await self._session.account()
            order = await self._ask_for_order()
        state = OrderState(
            directory_url=self._settings.directory_url,
            account_url=account_url,
            domain=self._domain,
            public_key=self._signer.public_key.hex(),
            url=order.url,
            csr=base64.b64encode(csr).decode("ascii"),
            profile=self._settings.profile or "",
        )
        self._state.save_order(state)
        return state, order

    async def _ask_for_order(self) -> "Order":
        profile, replaces = self._settings.profile, self._replaced()
        if replaces is not None:
            try:
                return await self._session.step(
                    self._acme.new_order, self._domain, profile=profile, replaces=replaces
                )
            except RefusedError as refusal:
                if refusal.problem_type in _NOT_ABOUT_REPLACING or refusal.keeps_order:
                    raise
                # Another account's certificate, say, or one that an earlier order replaces (RFC 9773 §5).
                self._notes.append(f"the order does not say what it replaces: {refusal.detail}")
        return await self._session.step(self._acme.new_order, self._domain, profile=profile)

    def _replaced(self) -> str | None:
        """The identifier of the certificate in force, for a CA that wants to hear of it (RFC 9773 §5)."""
        if self._present is None or "renewalInfo" not in self._acme.directory.urls:
            return None
        try:
            leaf = x509.load_der_x509_certificate(self._present)
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            return None
        return certificate_id(leaf) if self._domain in names.get_values_for_type(x509.DNSName) else None

    async def _fulfil(self, state: OrderState, order: "Order") -> Certificate:
        if order.status == "pending":
            for url in order.authorizations:
                await self._authorize(url)
            order = await self._session.poll(lambda: self._acme.order(state.url), while_status={"pending"})
        if order.status == "ready":
            self._session.tell(Step.ISSUANCE, "handing over the certificate request")
            order = await self._session.step(self._acme.finalize, order, state.csr_der)
        if order.status == "processing":
            order = await self._session.poll(lambda: self._acme.order(state.url), while_status={"processing"})
        if order.status == "invalid":
            raise order.refusal or RefusedError("the order", "invalid", "the CA gives no reason")
        if order.status != "valid" or order.certificate is None:
            raise BadResponseError(f"the CA left the order in the state {order.status}")
        certificate = await self._download(order.certificate)
        self._session.tell(Step.DONE, f"the CA issued a certificate for {self._domain}")
        return certificate

    async def _authorize(self, url: str) -> None:
        authorization = await self._session.step(self._acme.authorization, url, self._domain)
        if authorization.status == "valid":
            return
        challenge = authorization.challenge
        if authorization.status == "pending" and challenge is not None:
            self._session.tell(Step.CHALLENGE, f"answering the challenge {challenge.kind.value}")
            try:
                if challenge.persistent is None:
                    self._state.save_answer(
                        AnswerState(
                            challenge.kind.value,
                            challenge.domain,
                            challenge.token,
                            challenge.key_authorization,
                        )
                    )
                await self._session.step(self._solver.present, challenge)
                authorization = await self._validate(url, challenge)
            finally:
                await asyncio.shield(asyncio.to_thread(self._clean_up, challenge))
        elif challenge is None:
            others = ", ".join(kind for kind in authorization.offered if kind)
            raise SettingsError(
                f"the CA offers no {self._settings.challenge.value} for {self._domain}",
                hint=f"use another challenge: {others}" if others else "use another CA",
            )
        if authorization.status != "valid":
            raise authorization.refusal or ValidationFailedError(
                "the domain", authorization.status, "the CA gives no reason"
            )

    async def _validate(self, url: str, challenge: Challenge) -> "Authorization":
        if self._solver.settle_s > 0:
            await self._session.pause(self._solver.settle_s)
        await self._wait_until_seen(challenge)
        self._session.tell(Step.VALIDATION, f"the CA looks at {self._domain}")
        if challenge.status == "pending":
            await self._session.step(self._acme.begin_validation, challenge)
        last: list[RefusedError] = []
        patient_until = time.monotonic() + RETRY_PATIENCE_S

        def look() -> "Authorization":
            # A CA may say what it did not find and try again by itself (RFC 8555 §8.2).
            authorization = self._acme.authorization(url, self._domain)
            if authorization.status in _UNDECIDED and authorization.refusal is not None:
                last[:] = [authorization.refusal]
                if time.monotonic() > patient_until:
                    raise authorization.refusal
            return authorization

        try:
            return await self._session.poll(look, while_status=_UNDECIDED)
        except EnrollmentTimeoutError as error:
            raise (last[0] if last else error) from error

    async def _wait_until_seen(self, challenge: Challenge) -> None:
        loop = asyncio.get_running_loop()
        give_up_at, wait, told = loop.time() + self._solver.patience_s, FIRST_POLL_S, ""
        while missing := await self._session.step(self._solver.missing, challenge):
            if missing != told:
                self._session.tell(Step.CHALLENGE, f"waiting: {missing}")
                told = missing
            if loop.time() + wait > give_up_at or wait > self._session.left_s:
                raise self._not_seen(missing)
            await self._session.pause(wait)
            wait = min(wait * 2, LONGEST_POLL_S)

    def _not_seen(self, missing: str) -> ChallengeSetupError:
        if self._solver.kind in _BY_A_HELPER:
            unit = f"conclave-{self._solver.kind.value.replace('-01', '01')}"
            return ChallengeSetupError(missing, hint=f"see: journalctl -u {unit}.path -u {unit}.service")
        return RecordNotSeenError(
            f"not seen in time: {missing}",
            hint="add the record, or see why the zone's servers do not have it; then enroll again",
        )

    def _clean_up(self, challenge: Challenge) -> None:
        try:
            self._solver.clean_up(challenge)
            self._state.forget_answer()
        except EnrollmentError as error:
            # The outcome of the order stands; what is left behind harms nobody.
            log.warning("the answer to a challenge could not be removed: %s", error)

    async def _download(self, url: str) -> Certificate:
        chain, others = await self._session.step(self._acme.certificate, url)
        chain = await self._preferred(chain, others)
        leaf = check_chain(
            chain, domain=self._domain, key=self._signer.certificate_public_key, now=time.time()
        )
        if self._settings.is_staging:
            known = {_fingerprint(chain[0]): None} | dict.fromkeys(self._state.load_staging())
            self._state.save_staging(list(known)[:_MAX_STAGING])
        return Certificate(
            domain=self._domain,
            chain=chain,
            not_before=int(leaf.not_valid_before_utc.timestamp()),
            not_after=int(leaf.not_valid_after_utc.timestamp()),
            is_staging=self._settings.is_staging,
            notes=tuple(self._notes),
        )

    async def _preferred(self, chain: tuple[bytes, ...], others: tuple[str, ...]) -> tuple[bytes, ...]:
        """The chain to the root of the settings' name; the CA's own choice if it offers no such chain."""
        wanted = self._settings.preferred_chain
        if wanted is None or top_issuer(chain) == wanted:
            return chain
        found = [top_issuer(chain)]
        for url in others:
            alternate, _ = await self._session.step(self._acme.certificate, url)
            if top_issuer(alternate) == wanted:
                return alternate
            found.append(top_issuer(alternate))
        note = f"the CA offers no chain to {wanted}, only to {', '.join(found)}"
        if note not in self._notes:
            self._notes.append(note)
        return chain


def _fingerprint(leaf: bytes) -> str:
    return hashlib.sha256(leaf).hexdigest()
