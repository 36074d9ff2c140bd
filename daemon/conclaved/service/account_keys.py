"""The ACME account's keys in the device's key store, as enrollment asks for them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from conclave_provisioning.enrollment import AccountSigner, StateError
from conclaved.identity import IdentityError, KeyStore

log = logging.getLogger(__name__)
T = TypeVar("T")


class StoredAccountKeys:
    """Implements `AccountKeys`. Blocks as long as a TPM does; raises `StateError`."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def current(self) -> AccountSigner:
        """The key in force, which is made if there is none."""
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


def erase_key_files(acme_directory: Path) -> None:
    """Removes account keys that lie as plain files beside the orders, and the account that they are for.

    The next enrollment makes an account whose key is in the key store: accounts cost nothing, and a key that
    was readable is no key to go on with.
    """
    for name in ("account.key", "account-next.key"):
        path = acme_directory / name
        try:
            if path.exists():
                (acme_directory / "account.json").unlink(missing_ok=True)
                path.unlink()
        except OSError as error:
            log.warning("%s cannot be removed: %s", path, error.strerror)


def _mapped(call: Callable[[], T]) -> T:
    try:
        return call()
    except IdentityError as error:
        raise StateError(f"the ACME account's key: {error}", hint=error.hint) from error
