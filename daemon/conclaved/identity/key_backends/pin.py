"""The PIN of a token: where it is read from, and that a refused one is never tried again.

A token locks after a few wrong PINs, three on many, and a daemon that is started again and again would use
them up. So what a token has refused is remembered, across starts too, as a slow hash beside the keys; it
is tried again when the PIN is another one, or the token is.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.identity.errors import KeyStoreError, PinError

CREDENTIAL = "pkcs11-pin"
REFUSED_FILE = "refused-pin"
"""In the key store's directory."""
MAX_PIN_BYTES = 256
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Pin:
    """A token's PIN: in `file`, or else in the credential `pkcs11-pin` that systemd hands over."""

    file: Path | None
    directory: Path
    """The key store's, for what is to be remembered of a refused one."""
    environment: Mapping[str, str]

    @classmethod
    def of(cls, directory: Path, file: Path | None = None) -> "Pin":
        """The PIN for the key store in `directory`."""
        return cls(file, directory, os.environ)

    def read(self) -> str:
        """The PIN, anew each time. Raises `PinError` if there is none, or anybody else may read it."""
        if self.file is not None:
            path, hint = self.file, f"write the PIN into {self.file}, mode 0600"
        else:
            path = Path(self.environment.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / CREDENTIAL
            hint = f"hand over the credential {CREDENTIAL}, or set [keys] pin_file"
        try:
            with path.open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                content = opened.read(MAX_PIN_BYTES + 1)
        except OSError as error:
            raise PinError(f"the token's PIN cannot be read: {error.strerror}", hint=hint) from error
        if self.file is not None and stat.S_IMODE(mode) & 0o077:
            raise PinError(f"others than its owner may read {path}", hint=f"chmod 600 {path}")
        try:
            pin = content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            pin = ""
        if not pin or len(content) > MAX_PIN_BYTES:
            # No `from`: the decoder's message quotes bytes of it.
            raise PinError("the token's PIN is empty or is no text", hint=hint) from None
        return pin

    def check_not_refused(self, pin: str, serial: bytes) -> None:
        """Raises `PinError` if this token has refused this PIN before."""
        try:
            content = (self.directory / REFUSED_FILE).read_bytes()
        except OSError:
            return
        if hmac.compare_digest(content, _digest(pin, serial, content[:_SALT_BYTES])):
            raise refused()

    def was_refused(self, pin: str, serial: bytes) -> None:
        """Remembers it. Raises `KeyStoreError` where that cannot be written."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.directory / REFUSED_FILE, _digest(pin, serial, os.urandom(_SALT_BYTES)))
        except OSError as error:
            raise KeyStoreError(f"{self.directory} cannot be written: {error.strerror}") from error

    def was_taken(self) -> None:
        """Forgets what was refused before."""
        try:
            (self.directory / REFUSED_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise KeyStoreError(f"{self.directory} cannot be written: {error.strerror}") from error


def refused() -> PinError:
    """The error for a PIN that the token does not take."""
    return PinError(
        "the token has refused the PIN, and it is not tried again: a token locks after a few wrong ones",
        hint="correct the PIN; the next use tries the new one",
    )


def _digest(pin: str, serial: bytes, salt: bytes) -> bytes:
    return salt + hashlib.scrypt(pin.encode() + b"\0" + serial, salt=salt, n=2**14, r=8, p=1, dklen=32)
