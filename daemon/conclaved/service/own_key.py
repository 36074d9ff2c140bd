"""The device's key and certificate as the daemon sees them: what is in force, and what is wrong with it.

A key that is lost leaves the room without an identity, and running: it says so, and what to do. One that
cannot be reached leaves it with the identity that it has, and every use says why it does not work now.
"""

import asyncio

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import IdentityError, KeyStore, LostKeyError, NoCertificateError, Protection
from conclaved.meeting import OwnIdentity


class OwnKey:
    """One event loop owns it; the key store is asked for keys in worker threads only."""

    def __init__(self, keys: KeyStore) -> None:
        """Reads what is in force. Raises nothing that would keep the daemon from running."""
        self._keys = keys
        self._lost = ""
        """The fingerprint of a key that is gone for good."""
        self.chain: tuple[bytes, ...] = ()
        """DER, leaf first; empty without a certificate, or without the key that it is for."""
        self.protection = Protection.NONE
        self.error: IdentityError | None = None
        """Why the device cannot sign, as far as is known."""
        self._is_moving = False
        self.reload()

    def __repr__(self) -> str:
        return f"OwnKey({self.protection.value}, {len(self.chain)} certificates, {self.error!r})"

    @property
    def problems(self) -> tuple[str, ...]:
        """What an admin should see to, each with what to do."""
        found = []
        if self.error is not None:
            found.append(f"{self.error}: {self.error.hint}" if self.error.hint else str(self.error))
        if self.protection is Protection.PLAIN:
            found.append("the device's key lies unprotected on the disk: give the unit a wrapping key")
        if self._is_moving and self.chain:
            found.append(
                f"the device's key is {self.protection.value}, and the configuration wants another place for "
                "it: conclavectl identity enroll DOMAIN moves it"
            )
        return tuple(found)

    def reload(self) -> None:
        """See what the key store has in force now. Reads files only."""
        self.chain, self.protection, self._is_moving = (), Protection.NONE, False
        try:
            info = self._keys.info
            if info.fingerprint and info.fingerprint == self._lost:
                return
            self.protection, self._is_moving = info.protection, info.is_moving
            self.error = None
            self.chain = self._keys.chain()
        except NoCertificateError:
            pass
        except IdentityError as error:
            self.error = error

    async def check(self) -> None:
        """See whether the key can sign. Takes as long as a TPM does, in a worker thread."""
        if self.chain:
            try:
                await asyncio.to_thread(self._keys.signer)
            except IdentityError as error:
                self._note(error)
            else:
                self.error = None

    async def identity(self) -> OwnIdentity:
        """The key and its certificate, to speak with. Raises RoomError."""
        if self.chain:
            chain = self.chain
            try:
                signer = await asyncio.to_thread(self._keys.signer)
            except IdentityError as error:
                raise self.refused(error) from error
            self.error = None
            return OwnIdentity(signer, chain)
        if self.error is not None:
            raise RoomError(RoomErrorKind.NOT_ENROLLED, str(self.error), hint=self.error.hint)
        raise RoomError(
            RoomErrorKind.NOT_ENROLLED,
            "this room has no certificate yet",
            hint="conclavectl identity enroll DOMAIN",
        )

    def refused(self, error: IdentityError) -> RoomError:
        """The key did not sign: what to tell whoever asked for it."""
        self._note(error)
        return RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint)

    def _note(self, error: IdentityError) -> None:
        self.error = error
        if isinstance(error, LostKeyError):
            try:
                self._lost = self._keys.info.fingerprint
            except IdentityError:
                self._lost = ""
            self.reload()
