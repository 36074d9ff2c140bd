"""What the admin sets once: which CA, and how it can check that a domain is ours."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from conclave_provisioning.enrollment.errors import SettingsError

DEFAULT_DEADLINE_S = 180.0
DEFAULT_REQUEST_TIMEOUT_S = 20.0
DEFAULT_DNS_TIMEOUT_S = 120.0
TSIG_ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
_STAGING_HOSTS = frozenset(
    {
        "acme-staging-v02.api.letsencrypt.org",
        "dv.acme-v02.test-api.pki.goog",
        "api.test4.buypass.no",
    }
)


class ChallengeKind(Enum):
    """How the CA checks that the domain is ours (RFC 8555 §8)."""

    HTTP_01 = "http-01"
    """It fetches a file from port 80."""
    DNS_01 = "dns-01"
    """It asks for a TXT record, another one each time."""
    TLS_ALPN_01 = "tls-alpn-01"
    """It opens TLS on port 443 (RFC 8737)."""
    DNS_PERSIST_01 = "dns-persist-01"
    """It asks for a TXT record that stands once and for all."""


@dataclass(frozen=True, slots=True)
class DnsUpdateSettings:
    """Who may change the zone, and where (RFC 2136). Raises `SettingsError` for what cannot work."""

    server: str
    """The zone's primary server: `ADDRESS` or `ADDRESS:PORT`."""
    key_name: str
    """The TSIG key's name."""
    key_file: Path
    """Its secret, base64, in a file of mode 0600."""
    algorithm: str = "hmac-sha256"
    """Its algorithm."""
    zone: str | None = None
    """The zone; None: found by its SOA record."""

    def __post_init__(self) -> None:
        if self.algorithm not in TSIG_ALGORITHMS:
            raise SettingsError(
                f"{self.algorithm} is no TSIG algorithm that is safe",
                hint="use " + ", ".join(TSIG_ALGORITHMS),
            )
        if not self.server or not self.key_name or not self.key_file.name:
            raise SettingsError("DNS updates need server, key_name and a key (key_file)")


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
    tls_alpn_directory: Path | None = None
    """tls-alpn-01: where the answers go as files, for the helper that shows them on port 443."""
    helper_port: int | None = None
    """Where the helper of either listens when systemd has started it; None: it runs already."""
    dns_hook: Path | None = None
    """dns-01: a program that is called with `present NAME VALUE` and `cleanup NAME VALUE`."""
    dns_wait_s: float = 0.0
    """dns-01 by hook: how long a record takes to reach every server of the zone."""
    dns_update: DnsUpdateSettings | None = None
    """dns-01: how to change the zone without a hook."""
    dns_timeout_s: float = DEFAULT_DNS_TIMEOUT_S
    """dns-01 by update, dns-persist-01: how long to wait until the record is seen."""
    resolvers: tuple[str, ...] = ()
    """Whom to ask about DNS, `ADDRESS` or `ADDRESS:PORT`; none: the system's resolvers."""
    dns_port: int = 53
    """Where the servers of zones answer."""
    eab_key_id: str | None = None
    """External account binding: the key id that the CA gave (RFC 8555 §7.3.4)."""
    eab_mac_key: str | None = field(default=None, repr=False)
    """External account binding: the MAC key, base64url."""
    eab_mac_file: Path | None = None
    """External account binding: or a file of mode 0600 with the MAC key."""
    profile: str | None = None
    """Which of the CA's profiles to order; None: its default."""
    preferred_chain: str | None = None
    """The common name of the root that the chain should lead to; None: the CA's default chain."""
    staging: bool | None = None
    """Whether the CA only rehearses: its certificates are trusted by nobody. None: known by its address."""
    deadline_s: float = DEFAULT_DEADLINE_S
    """How long an enrollment may take in all."""
    request_timeout_s: float = DEFAULT_REQUEST_TIMEOUT_S
    """How long one answer of the CA's may take to begin."""

    @property
    def is_staging(self) -> bool:
        """Whether the CA only rehearses."""
        host = urlsplit(self.directory_url).hostname
        return self.staging if self.staging is not None else host in _STAGING_HOSTS

    def __post_init__(self) -> None:
        if not self.directory_url:
            raise SettingsError(
                "no CA is set",
                hint="conclavectl config set acme.directory_url URL acme.agree_terms true",
            )
        url = urlsplit(self.directory_url)
        if url.scheme != "https" or not url.hostname:
            raise SettingsError(
                "the ACME directory must be an https address", hint="give it like https://ca.example/dir"
            )
        if not self.agree_terms:
            raise SettingsError(
                "the CA's terms are not agreed to",
                hint="read them at the CA, then: conclavectl config set acme.agree_terms true",
            )
        if self.challenge is ChallengeKind.HTTP_01 and self.token_directory is None:
            raise SettingsError("http-01 needs a folder for its answers", hint="set token_directory")
        if self.challenge is ChallengeKind.TLS_ALPN_01 and self.tls_alpn_directory is None:
            raise SettingsError("tls-alpn-01 needs a folder for its answers", hint="set tls_alpn_directory")
        if self.dns_wait_s > 0 and self.dns_wait_s >= self.deadline_s:
            raise SettingsError("dns_wait_s leaves an enrollment no time", hint="give a longer deadline_s")
        has_mac_key = self.eab_mac_key is not None or self.eab_mac_file is not None
        if (self.eab_key_id is not None) != has_mac_key:
            raise SettingsError("external account binding needs both the key id and the MAC key")
        if self.email is not None and ("@" not in self.email or not self.email.isprintable()):
            raise SettingsError("the contact is no mail address", hint="it-support@example.com")
