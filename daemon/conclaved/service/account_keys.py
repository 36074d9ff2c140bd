"""The ACME account's keys in the device's key store, as enrollment asks for them."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from conclave_provisioning.enrollment import (
    AccountSigner,
    AcmeAccount,
    AcmeSettings,
    EnrollmentError,
    StateError,
)
from conclaved.identity import IdentityError, KeyStore, KeyStoreError, LostKeyError

log = logging.getLogger(__name__)
T = TypeVar("T")


class StoredAccountKeys:
    """Implements `AccountKeys`. Blocks as long as a TPM does; raises `StateError`."""

    def __init__(self, keys: KeyStore, acme_directory: Path) -> None:
        """`acme_directory` is where enrollment keeps the account and the order."""
        self._keys = keys
        self._acme_directory = acme_directory

    @property
    def is_moving(self) -> bool:
        """Whether the key should roll over, since keys are to be made in another place now."""
        return self._keys.is_account_moving

    def current(self) -> AccountSigner:
        """The key in force, which is made if there is none.

        In the place of one that is lost, with a cleared TPM perhaps, comes another, for another account; so
        too of one that is to move, and cannot be used where it is. Accounts cost nothing.
        """
        try:
            return self._keys.account_signer()
        except KeyStoreError as error:
            if not isinstance(error, LostKeyError) and not self._keys.is_account_moving:
                raise StateError(f"the ACME account's key: {error}", hint=error.hint) from error
            log.warning("the ACME account is given up, and another one begun: %s", error)
        _mapped(self._keys.forget_account_keys)
        _forget_account(self._acme_directory)
        return _mapped(self._keys.account_signer)

    def next(self) -> AccountSigner | None:
        """The key that a rollover under way leads to."""
        return _mapped(self._keys.next_account_signer)

    def make_next(self) -> AccountSigner:
        """The key that a rollover leads to."""
        return _mapped(self._keys.make_next_account_signer)

    def take_next(self) -> None:
        """Puts the next key into force."""
        _mapped(self._keys.take_next_account_key)

    def forget(self) -> None:
        """Gives all of them up."""
        _mapped(self._keys.forget_account_keys)


async def move_account_key(settings: AcmeSettings, acme_directory: Path, keys: StoredAccountKeys) -> None:
    """Rolls the account's key over to where keys are made now (RFC 8555 §7.3.5), if it is elsewhere.

    The account stays, with all that the CA ties to it. A CA that does not want to changes nothing.
    """
    try:
        await asyncio.to_thread(keys.current)
        if keys.is_moving:
            await AcmeAccount(settings, acme_directory, keys=keys).roll_key()
            log.info("the ACME account has a key in another place now")
    except EnrollmentError as error:
        log.warning("the ACME account's key stays where it is: %s", error)


def erase_key_files(acme_directory: Path) -> None:
    """Removes account keys that lie as plain files beside the orders, and the account that they are for.

    The next enrollment makes an account whose key is in the key store: accounts cost nothing, and a key that
    was readable is no key to go on with.
    """
    for name in ("account.key", "account-next.key"):
        path = acme_directory / name
        try:
            if path.exists():
                _forget_account(acme_directory)
                path.unlink()
        except OSError as error:
            log.warning("%s cannot be removed: %s", path, error.strerror)


def _forget_account(acme_directory: Path) -> None:
    for name in ("order.json", "account.json"):
        try:
            (acme_directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"{acme_directory / name} cannot be removed: {error.strerror}") from error


def _mapped(call: Callable[[], T]) -> T:
    try:
        return call()
    except IdentityError as error:
        raise StateError(f"the ACME account's key: {error}", hint=error.hint) from error
