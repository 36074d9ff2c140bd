"""The `[provisioning]` table: whose files are obeyed, and where the first one may come from."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ProvisioningConfig:
    """What the device maker, or whoever puts devices into operation, writes into the image."""

    signers: tuple[str, ...] = ()
    """SHA-256 of public keys (SubjectPublicKeyInfo), lower-case hex; none: no file is obeyed."""
    folder: Path | None = None
    """Where a USB stick appears; its *.jws are looked at."""
    url: str = ""
    """Where to fetch a file once; `{serial}` stands for the device's serial number."""
    server_key: str = ""
    """SHA-256 of the server's public key, as of the signers'. With a URL it must be there."""

    def objection(self) -> str | None:
        """What cannot be, in words that name the key; None if nothing."""
        for name, values in (("signers", self.signers), ("server_key", (self.server_key,))):
            for value in values:
                if value and not _FINGERPRINT.fullmatch(value):
                    return f"{name} must be the SHA-256 of public keys, 64 lower-case hexadecimal digits each"
        parts = urlsplit(self.url)
        if self.url and (parts.scheme != "https" or not parts.hostname or parts.username is not None):
            return "url must be an https address"
        if bool(self.url) != bool(self.server_key):
            return "url and server_key belong together: a first boot has no clock to judge certificates by"
        if (self.url or self.folder) and not self.signers:
            return "signers must name whose files are obeyed"
        return None
