"""The errors of this room. A peer's certificate never raises: `TrustStore.assess` gives a verdict instead."""


class IdentityError(Exception):
    """Root of the room's errors. `hint` tells a person what to do next; it is empty where nothing helps."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalIdentityError(IdentityError):
    """Kind *local*: our caller or this device's own files broke a rule."""


class RemoteIdentityError(IdentityError):
    """Kind *remote*: what somebody else sent breaks a rule."""


class GoneError(IdentityError):
    """Kind *gone*: what was asked for is not there (any more)."""


class AnchorError(LocalIdentityError):
    """A certificate cannot be a trust anchor."""


class CrlError(LocalIdentityError):
    """A list of revoked certificates cannot be used."""


class NameFormatError(LocalIdentityError):
    """A text is neither a domain nor a mail address that a certificate could name."""


class KeyStoreError(LocalIdentityError):
    """The stored key or certificate cannot be read, written or used."""


class WrongWrappingKeyError(KeyStoreError):
    """The key store is sealed under another wrapping key than the one at hand."""


class LostKeyError(KeyStoreError):
    """The device's key will never sign again: nothing brings it back, and the device has to enroll anew."""


class DamagedKeyError(LostKeyError):
    """A key file was altered or cut short."""


class UnreachableKeyError(KeyStoreError):
    """The TPM or token that has the key cannot be used now; the key itself may be as good as before."""


class PinError(KeyStoreError):
    """The token's PIN is missing or was refused. It is not tried again: a token locks after a few tries."""


class UnprotectedKeyError(KeyStoreError):
    """A key would lie, or lies, unprotected on the disk, and the admin did not allow that."""


class WrappedKeyError(LocalIdentityError):
    """A wrapped key cannot be read, or is none that this device can sign with."""


class WrongSecretError(WrappedKeyError):
    """The secret does not open the wrapped key."""


class NoCertificateError(GoneError):
    """The device has no certificate yet."""


class ChainError(RemoteIdentityError):
    """A certificate chain that was handed to this device cannot be its own."""


class JwsError(RemoteIdentityError):
    """A signed token is malformed, or its signature is wrong."""
