"""The renewal rules with their memory, a clock and the CA: what a scheduler holds.

    while True:
        plan = await watch.look(leaf)            # asks the CA for its window whenever that is due
        if plan.renew_at > now:
            sleep until plan.wake_at; continue
        try: enroll, install, confirm            # the next look is about the new certificate
        except EnrollmentError as error: watch.failed(leaf, error)

`look` never raises over a CA that cannot be asked: what it said before stands.
"""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from conclave_provisioning.enrollment import renewal
from conclave_provisioning.enrollment.account import AcmeAccount
from conclave_provisioning.enrollment.account_key import AccountKeys
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    EnrollmentError,
    RefusedError,
    UnreachableError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.renewal import Life, Plan, RenewalState
from conclave_provisioning.enrollment.renewal_file import RenewalFile
from conclave_provisioning.enrollment.settings import AcmeSettings

log = logging.getLogger(__name__)


class RenewalWatch:
    """Watches over the certificate of one device, with its memory in ``state_dir``. Single owner."""

    def __init__(
        self,
        settings: AcmeSettings,
        state_dir: Path,
        *,
        keys: AccountKeys | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` gives Unix seconds, ``chance`` a number from 0 up to 1."""
        self._account = AcmeAccount(settings, state_dir, keys=keys)
        self._file = RenewalFile(state_dir)
        self._clock = clock
        self._chance = chance

    async def look(self, leaf: bytes) -> Plan:
        """When to renew the certificate in force, DER. Raises `StateError`, `BadResponseError` for no DER."""
        state, life = await self._state(leaf)
        if state.ask_at <= self._clock():
            state = await self._ask(state, leaf, life)
            await asyncio.to_thread(self._file.save, state)
        return renewal.plan(state, life)

    async def failed(self, leaf: bytes | None, error: EnrollmentError) -> float:
        """An attempt failed: when the next one may begin, Unix seconds. Raises `StateError`.

        ``leaf`` is the certificate in force; None if there is none yet.
        """
        if leaf is None:
            state, life = renewal.believable(await asyncio.to_thread(self._file.load), self._clock()), None
        else:
            state, life = await self._state(leaf)
        state = renewal.after_failure(
            state,
            life,
            now=self._clock(),
            chance=self._chance(),
            retry_after_s=error.retry_after_s if isinstance(error, RefusedError) else None,
            is_validation=isinstance(error, ValidationFailedError),
            # Its kinds say that something answered.
            is_unreached=type(error) is UnreachableError,
        )
        await asyncio.to_thread(self._file.save, state)
        return state.not_before

    async def not_before(self) -> float:
        """When the next attempt may begin, for a device that has no certificate to look at. Unix seconds."""
        kept = await asyncio.to_thread(self._file.load)
        return renewal.believable(kept, self._clock()).not_before

    async def explanation_url(self) -> str:
        """Where the CA says why it wants the certificate renewed when it does; may be empty."""
        return (await asyncio.to_thread(self._file.load)).explanation_url

    async def _state(self, leaf: bytes) -> tuple[RenewalState, Life]:
        life = _life_of(leaf)
        kept = await asyncio.to_thread(self._file.load)
        state = renewal.for_certificate(
            kept, hashlib.sha256(leaf).hexdigest(), life, now=self._clock(), chance=self._chance()
        )
        if state != kept:
            await asyncio.to_thread(self._file.save, state)
        return state, life

    async def _ask(self, state: RenewalState, leaf: bytes, life: Life) -> RenewalState:
        try:
            info = await self._account.renewal_info(leaf)
        except EnrollmentError as error:
            log.info("the CA does not say when to renew: %s", error)
            wish = error.retry_after_s if isinstance(error, RefusedError) else None
            return renewal.after_no_info(state, life, now=self._clock(), retry_after_s=wish)
        if info is not None and (info.start, info.end) != state.window and info.explanation_url:
            log.info("the CA says why it wants the certificate renewed then: %s", info.explanation_url)
        return renewal.after_info(state, info, life, now=self._clock(), chance=self._chance())


def _life_of(leaf: bytes) -> Life:
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        return Life(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
    except ValueError as error:
        raise BadResponseError("the certificate in force cannot be read") from error
