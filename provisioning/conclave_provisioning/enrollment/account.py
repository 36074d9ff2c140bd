"""What an ACME account can do beside ordering: show itself, change its contact and key, revoke, end.

Each call is one conversation with the CA, and says whether it changed anything: a call that finds the work
done already is a success.

A key rollover survives a power cut between any two of its steps: the next key is on the disk before the CA
hears of it, and replaces the old one only when the CA has taken it. Whatever talks to the CA next asks it
which of the two keys it knows (`Session.settle_rollover`).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography import x509

from conclave_provisioning.enrollment.account_key import AccountKeys, KeyFiles, KeyFromPoint, thumbprint
from conclave_provisioning.enrollment.challenge import DnsView, PersistentRecord
from conclave_provisioning.enrollment.challenge.persistent_record import persistent_record
from conclave_provisioning.enrollment.csr import Signer
from conclave_provisioning.enrollment.domain import check_domain
from conclave_provisioning.enrollment.errors import BadResponseError, RefusedError, SettingsError
from conclave_provisioning.enrollment.order import AccountInfo
from conclave_provisioning.enrollment.renewal_info import RenewalInfo
from conclave_provisioning.enrollment.session import Session, opened
from conclave_provisioning.enrollment.settings import AcmeSettings
from conclave_provisioning.enrollment.state import StateDirectory


class AcmeAccount:
    """The account at the settings' CA, with its state in ``state_dir`` and its keys there or in ``keys``."""

    def __init__(self, settings: AcmeSettings, state_dir: Path, *, keys: AccountKeys | None = None) -> None:
        self._settings = settings
        self._state = StateDirectory(state_dir)
        self._keys = keys or KeyFiles(state_dir)

    async def show(self) -> AccountInfo:
        """The account as the CA sees it; it is registered if there is none. Raises an `EnrollmentError`."""
        async with self._registered() as session:
            return await session.step(session.client.account)

    async def update_contact(self) -> bool:
        """Tells the CA the settings' mail address: whether it was another. Raises an `EnrollmentError`."""
        wanted = (f"mailto:{self._settings.email}",) if self._settings.email else ()
        async with self._registered() as session:
            if (await session.step(session.client.account)).contact == wanted:
                return False
            await session.step(session.client.change_contact)
            return True

    async def roll_key(self) -> bool:
        """Puts the account under a new key (RFC 8555 §7.3.5): always a change. Raises an `EnrollmentError`.

        With dns-persist-01 the standing record may name the key: see whether it has to be written anew.
        """
        async with self._registered() as session:
            new = await session.step(self._keys.make_next)
            await session.step(session.client.change_key, new)
            await asyncio.to_thread(self._keys.take_next)
            return True

    async def deactivate(self) -> bool:
        """Ends the account, for good (RFC 8555 §7.3.6): whether there was one. Raises an `EnrollmentError`.

        Certificates stay valid. The next enrollment makes a new account with a new key.
        """
        async with opened(self._settings, self._state, self._keys) as session:
            key = await asyncio.to_thread(self._keys.current)
            try:
                url = await session.step(session.client.find_account, key)
                if url is not None:
                    await session.step(session.client.deactivate_account)
            except RefusedError as error:
                # What a CA says of a key whose account was deactivated before (RFC 8555 §7.3.6).
                if error.problem_type != "unauthorized":
                    raise
                url = None
            self._state.forget_order()
            self._state.forget_account()
            await asyncio.to_thread(self._keys.forget)
            return url is not None

    async def revoke(self, leaf: bytes, *, reason: int | None = None, signer: Signer | None = None) -> bool:
        """Revokes a certificate, DER: whether it was not revoked yet. Raises an `EnrollmentError`.

        ``signer`` is the certificate's own key, for when the account that ordered it is lost; else this
        account revokes it. ``reason``: RFC 5280 §5.3.1.
        """
        if signer is not None:
            async with opened(self._settings, self._state, self._keys) as session:
                return await session.step(session.client.revoke, leaf, reason, key=KeyFromPoint(signer))
        async with self._registered() as session:
            return await session.step(session.client.revoke, leaf, reason)

    async def renewal_info(self, leaf: bytes) -> RenewalInfo | None:
        """When the CA wants the certificate renewed (RFC 9773); None if it does not say.

        Raises an `EnrollmentError`.
        """
        try:
            certificate = x509.load_der_x509_certificate(leaf)
        except ValueError as error:
            raise BadResponseError("the certificate cannot be read") from error
        async with opened(self._settings, self._state, self._keys) as session:
            return await session.step(session.client.renewal_info, certificate)

    async def persistent_record(self, domain: str) -> PersistentRecord:
        """The TXT record that lets this account have certificates for ``domain`` by dns-persist-01.

        The account is registered if there is none. Raises an `EnrollmentError`.
        """
        checked = check_domain(domain)
        async with self._registered() as session:
            directory = session.client.directory
            issuers = directory.issuers or directory.caa_identities
            if not issuers:
                raise SettingsError(
                    "the CA does not say which name it has in a dns-persist-01 record",
                    hint="enroll: the challenge names it; or look into the CA's documentation",
                )
            key = await asyncio.to_thread(self._keys.current)
            return persistent_record(
                checked,
                issuers=issuers,
                account_url=await session.account(),
                hash_prefix=directory.account_hash_prefix,
                key_thumbprint=thumbprint(key.public_jwk),
            )

    async def sees(self, record: PersistentRecord) -> bool:
        """Whether DNS has the record. Raises `DnsUpdateError` if DNS cannot be asked."""
        view = DnsView(self._settings.resolvers, port=self._settings.dns_port)
        texts = await asyncio.to_thread(view.texts, record.name)
        return any(record.is_met_by(text, now=time.time()) for text in texts)

    @contextlib.asynccontextmanager
    async def _registered(self) -> AsyncIterator[Session]:
        async with opened(self._settings, self._state, self._keys) as session:
            await session.account()
            yield session
