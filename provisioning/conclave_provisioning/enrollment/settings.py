"""What the admin sets once: which CA, and how it can check that a domain is ours."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from conclave_provisioning.enrollment.errors import SettingsError

DEFAULT_DEADLINE_S = 180.0
DEFAULT_REQUEST_TIMEOUT_S = 20.0


class ChallengeKind(Enum):
    """How the CA checks that the domain is ours (RFC 8555 §8)."""

    HTTP_01 = "http-01"
    """It fetches a file from port 80."""
    DNS_01 = "dns-01"
    """It asks for a TXT record."""


@dataclass(frozen=True, slots=True)
class AcmeSettings:
    """The CA and the challenge. Raises `SettingsError` for settings that cannot work."""

    directory_url: str
    """The CA's ACME directory, https."""
    agree_terms: bool
    """The admin's word that the CA's terms are agreed to."""
    challenge: ChallengeKind = ChallengeKind.HTTP_01
    """How to be checked."""
    ca_file: Path | None = None
    """PEM roots for the TLS of the CA's API; None: the public ones."""
    email: str | None = None
    """Where the CA may write to; None: nowhere."""
    token_directory: Path | None = None
    """http-01: where the answers go as files, for the helper that serves them on port 80."""
    dns_hook: Path | None = None
    """dns-01: a program that is called with `present NAME VALUE` and `cleanup NAME VALUE`."""
    dns_wait_s: float = 0.0
    """dns-01: how long a record takes to reach every server of the zone."""
    eab_key_id: str | None = None
    """External account binding: the key id that the CA gave (RFC 8555 §7.3.4)."""
    eab_mac_key: str | None = field(default=None, repr=False)
    """External account binding: the MAC key, base64url."""
    deadline_s: float = DEFAULT_DEADLINE_S
    """How long an enrollment may take in all."""
    request_timeout_s: float = DEFAULT_REQUEST_TIMEOUT_S
    """How long one answer of the CA's may take to begin."""

    def __post_init__(self) -> None:
        url = urlsplit(self.directory_url)
        if url.scheme != "https" or not url.hostname:
            raise SettingsError("the ACME directory must be an https address", hint="https://ca.example/dir")
        if not self.agree_terms:
            raise SettingsError(
                "the CA's terms are not agreed to", hint="read them at the CA, then set agree_terms"
            )
        if self.challenge is ChallengeKind.HTTP_01 and self.token_directory is None:
            raise SettingsError("http-01 needs a folder for its answers", hint="set token_directory")
        if (self.eab_key_id is None) != (self.eab_mac_key is None):
            raise SettingsError("external account binding needs both the key id and the MAC key")
        if self.email is not None and ("@" not in self.email or not self.email.isprintable()):
            raise SettingsError("the contact is no mail address", hint="it-support@example.com")
