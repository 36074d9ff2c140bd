"""Secrets that an admin puts on the device: a file that nobody but its owner may read."""

import base64
import binascii
import os
import stat
from pathlib import Path

from conclave_provisioning.enrollment.errors import SettingsError

_MAX_BYTES = 4096


def read_secret(path: Path, what: str) -> str:
    """The first line of ``path``, stripped. ``what`` names it in errors, which never quote it.

    Raises `SettingsError`, also if others than the owner may read the file.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES)
    except OSError as error:
        raise SettingsError(f"the file of {what} cannot be read: {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"others may read {what} in {path}", hint=f"chmod 600 {path}")
    lines = content.decode("ascii", "replace").split("\n")
    if not lines[0].strip():
        raise SettingsError(f"the file of {what} is empty: {path}")
    return lines[0].strip()


def decode_secret(text: str, what: str) -> bytes:
    """Bytes from base64 or base64url, padded or not. Raises `SettingsError`, which does not quote them."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        pass  # the parser's message could quote the secret
    raise SettingsError(f"{what} is not base64", hint="copy it again from where it was made")
