"""The `[keys]` table of the configuration, and the key store that it describes."""

from dataclasses import dataclass
from pathlib import Path

from conclaved.identity import KeyBackend, KeyStore, PlainBackend, Protection, SealedBackend
from conclaved.identity.key_backends.pin import Pin
from conclaved.identity.key_backends.pkcs11 import Pkcs11Backend
from conclaved.identity.key_backends.tpm2 import DEFAULT_TCTI, Tpm2Backend

BEST = "best"
"""The TPM where the device has one, else sealed: one word for an image that boots on both kinds of board."""
PLACES = (*(place.value for place in Protection if place is not Protection.NONE), BEST)


@dataclass(frozen=True, slots=True)
class KeysConfig:
    """Where new keys are made, and how to reach those that are elsewhere still."""

    backend: str = ""
    """One of `PLACES`; empty: sealed, or plain where there is no wrapping key and that is allowed."""
    tcti: str = DEFAULT_TCTI
    parent: int = 0
    """The handle of a persistent storage key in the TPM; 0: none."""
    module: Path | None = None
    """The token's PKCS#11 library."""
    token: str = ""
    serial: str = ""
    pin_file: Path | None = None
    """Where the token's PIN is; None: in the credential `pkcs11-pin`."""

    def objection(self) -> str | None:
        """What cannot be, in words that name the key; None if nothing."""
        if self.backend and self.backend not in PLACES:
            return f"backend must be one of: {', '.join(PLACES)}"
        if self.backend == Protection.PKCS11.value and self.module is None:
            return "module must name the token's PKCS#11 library, since backend is pkcs11"
        if self.module is not None and not self.token and not self.serial:
            return "token or serial must say which token it is, by its label or its serial number"
        if self.parent and not 0x81000000 <= self.parent <= 0x81FFFFFF:
            return "parent must be the handle of a persistent key: from 0x81000000 to 0x81ffffff"
        return None


def key_store(
    directory: Path, keys: KeysConfig, wrapping_key: bytes | None, *, allow_plain_key: bool
) -> KeyStore:
    """The key store in `directory`. Nothing is read and no device is touched yet.

    Raises KeyStoreError for a wrapping key that is too short.
    """
    is_plain_chosen = keys.backend == Protection.PLAIN.value
    places: dict[Protection, KeyBackend] = {
        Protection.SEALED: SealedBackend(wrapping_key),
        Protection.PLAIN: PlainBackend(is_allowed=allow_plain_key or is_plain_chosen),
        Protection.TPM2: Tpm2Backend(keys.tcti, parent=keys.parent or None),
    }
    if keys.module is not None:
        pin = Pin.of(directory, keys.pin_file)
        places[Protection.PKCS11] = Pkcs11Backend(keys.module, pin, token=keys.token, serial=keys.serial)
    if keys.backend == BEST:
        chosen = Protection.TPM2 if _is_there(keys.tcti) else Protection.SEALED
    elif keys.backend:
        chosen = Protection(keys.backend)
    else:
        chosen = Protection.PLAIN if wrapping_key is None and allow_plain_key else Protection.SEALED
    return KeyStore(directory, places[chosen], *places.values())


def _is_there(tcti: str) -> bool:
    """Whether this device has a TPM. One that is not on a device file is there if it is configured."""
    kind, _, path = tcti.partition(":")
    return kind != "device" or Path(path).exists()
