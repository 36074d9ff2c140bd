"""A domain becomes a certificate: ACME for a key that never leaves its key store (RFC 8555).

`Enrollment` is what the daemon holds; each `enroll` is one attempt (`attempt.py`), alone in its state folder.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from conclave_provisioning.enrollment.account_key import AccountKeys, KeyFiles
from conclave_provisioning.enrollment.attempt import Attempt, Certificate
from conclave_provisioning.enrollment.challenge import DnsProvider, solver_for
from conclave_provisioning.enrollment.csr import Signer
from conclave_provisioning.enrollment.domain import check_domain
from conclave_provisioning.enrollment.progress import Progress
from conclave_provisioning.enrollment.session import opened
from conclave_provisioning.enrollment.settings import AcmeSettings
from conclave_provisioning.enrollment.state import StateDirectory


class Enrollment:
    """Enrolls at one CA, with its account and order in ``state_dir``. One enrollment at a time."""

    def __init__(
        self,
        settings: AcmeSettings,
        state_dir: Path,
        *,
        dns_provider: DnsProvider | None = None,
        keys: AccountKeys | None = None,
    ) -> None:
        """``dns_provider`` (dns-01) takes the place of the settings'; ``keys`` that of files.

        Raises `SettingsError`.
        """
        self._settings = settings
        self._state = StateDirectory(state_dir)
        self._keys = keys or KeyFiles(state_dir)
        self._solver = solver_for(settings, dns_provider)

    async def enroll(
        self,
        domain: str,
        signer: Signer,
        *,
        present: bytes | None = None,
        progress: Callable[[Progress], None] = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Certificate:
        """A certificate for ``domain`` and the signer's key: a new one, or the one not yet confirmed.

        ``present`` is the certificate in force, DER: the CA hears that it is replaced, and one of a staging
        CA never comes in the place of a real one (`StagingError`). Call `confirm` when the new one is in the
        key store. ``progress`` is called on the event loop; setting ``cancel`` ends the enrollment before its
        next request. Raises an `EnrollmentError`; the order stays on the disk whenever the next attempt can
        take it up.
        """
        checked = check_domain(domain)
        async with opened(
            self._settings, self._state, self._keys, progress=progress, cancel=cancel
        ) as session:
            return await Attempt(session, self._solver, checked, signer, present).run()

    def confirm(self) -> None:
        """Says that the certificate is safe in the key store: the next `enroll` orders a new one.

        Raises `StateError`.
        """
        self._state.forget_order()
