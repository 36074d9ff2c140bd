"""The device maker's configuration file, `/etc/conclave/conclave.toml`, parsed at the door.

What an admin may set lies elsewhere and wins over it: `conclaved.service.settings`.

state_directory = "/var/lib/conclave"
runtime_directory = "/run/conclave"
journal_directory = ""           # where journalctl is to read; empty: the system's journal
journal = "/run/systemd/journal/socket"   # where the record of changes goes
hal = "/etc/conclave/hal.toml"
allow_plain_key = false          # true: without a wrapping key the key lies in a 0600 file
join_countdown_s = 10.0          # how long people can read of a join asked for from outside, and refuse it

[keys]
backend = ""                     # where new keys are made: tpm2, pkcs11, sealed, plain (a 0600 file, shown in
                                 # red), or best: tpm2 if there is a TPM at the start, else sealed. Empty:
                                 # sealed, or plain as allow_plain_key says. A key elsewhere signs on until
                                 # the next enrollment has made one there: see docs/keys.md
tcti = "device:/dev/tpmrm0"      # tpm2: how to reach the TPM, in the words of tpm2-tss
parent = 0                       # tpm2: a persistent storage key (0x81000001) if the owner has a password
module = ""                      # pkcs11: the token's library, /usr/lib/softhsm/libsofthsm2.so
token = ""                       # pkcs11: the token's label,
serial = ""                      # or its serial number, or both
pin_file = ""                    # pkcs11: a 0600 file with the PIN; empty: the credential pkcs11-pin

[bus]
address = ""                     # empty: the system bus

[acme]
directory_url = "https://acme-v02.api.letsencrypt.org/directory"
agree_terms = true
challenge = "http-01"            # tls-alpn-01; dns-01 with dns_hook or [acme.dns_update]; dns-persist-01
email = "it@example.com"
ca_file = ""                     # PEM roots for the TLS of a private CA's API; empty: the public ones
profile = ""                     # one of the CA's profiles, say "shortlived"; empty: its default
preferred_chain = ""             # the common name of the root to lead to; empty: the CA's default chain
staging = false                  # the CA only rehearses; left away: known by its address
eab_key_id = ""                  # external account binding: the key id that the CA gave,
eab_mac_file = ""                # and a 0600 file with the MAC key, base64url
deadline_s = 180.0               # how long one enrollment may take
dns_hook = ""                    # called with: present|cleanup NAME VALUE
dns_wait_s = 0.0                 # by hook: how long a record takes to reach every server of the zone
dns_timeout_s = 120.0            # otherwise: how long to wait until every server of the zone has the record
resolvers = []                   # whom to ask about DNS, "ADDRESS" or "ADDRESS:PORT"; none: the system's

[acme.dns_update]                # DNS UPDATE (RFC 2136) for dns-01
server = "192.0.2.53"            # the zone's primary, ADDRESS or ADDRESS:PORT
key_name = "room.acme"           # TSIG
key_file = "/etc/conclave/tsig"  # 0600, the key's secret in base64
algorithm = "hmac-sha256"
zone = ""                        # empty: found by its SOA record

[access]                         # who may log in as admin over SSH, until an admin says otherwise
keys = []                        # public keys, each a line as in authorized_keys and without options
authorities = []                 # public keys of SSH user authorities
principals = ["room-admin"]      # one of which a certificate must name

[provider]                       # the conference provider's CA: a room without a domain of its own gets its
domain = ""                      # certificate there by itself, for this name: "{serial}.provider.example"
directory_url = ""               # and all other keys of [acme]

[provisioning]                   # settings that somebody signed for this device: see docs/zero-touch.md
signers = []                     # whose files are obeyed: SHA-256 of their public keys, in hex
folder = ""                      # where a USB stick appears
url = ""                         # https; where the first file is fetched: {serial} is the device's
server_key = ""                  # SHA-256 of that server's public key, in hex

[service]
ca_file = ""                     # PEM of the conference service's CA; empty: the system's

[panel]
language = "en"                  # in which the panel speaks: en, de, ar or ja

[conference]
service = ""                     # wss://HOST[:PORT] of meetings that are created without naming one

[limits.meeting]                 # what members and strangers may ask of this device: see
requests_per_s = 20              # conclaved.meeting.limits.Limits for all keys and what they mean

[limits.carrier]                 # what the conference service may hand it: see
lobby_per_s = 500.0              # conclaved.conference.limits.CarrierLimits
"""

import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from conclave_hal.panel import LANGUAGES
from conclave_provisioning.enrollment import (
    AcmeSettings,
    ChallengeKind,
    DnsUpdateSettings,
    EnrollmentError,
)
from conclave_provisioning.enrollment.challenge.dns_view import parse_endpoint
from conclave_provisioning.enrollment.settings import DEFAULT_DEADLINE_S, DEFAULT_DNS_TIMEOUT_S
from conclaved.conference.limits import CarrierLimits
from conclaved.meeting.limits import DEFAULT_LIMITS, Limits
from conclaved.service.access.access_config import AccessConfig, key_lines, principal_names
from conclaved.service.invitations import is_service_address
from conclaved.service.key_places import KeysConfig
from conclaved.service.provisioning_config import ProvisioningConfig

T = TypeVar("T")
L = TypeVar("L", Limits, CarrierLimits)

DEFAULT_PATH = Path("/etc/conclave/conclave.toml")
SHORTEST_COUNTDOWN_S = 1.0
SHORTEST_COUNTDOWN_FROM_OUTSIDE_S = 5.0
"""What an admin may set: whoever phishes one must not take away the time that people need to refuse."""
LONGEST_COUNTDOWN_S = 300.0
ENROLLMENT_METHODS = ("acme", "csr", "import", "provider")
"""By ACME; by request and chain, carried by an admin; with a key from outside; from the provider."""
LONGEST_DURATION_S = 86400.0
_HELPER_PORTS = {ChallengeKind.HTTP_01: 80, ChallengeKind.TLS_ALPN_01: 443}
_ACME_DURATIONS = ("dns_wait_s", "dns_timeout_s", "deadline_s")
AGREED_LIMITS = frozenset({"proposals_of_one"})
"""The same for all members of all meetings: no device's own to set."""


class ConfigError(Exception):
    """The configuration is wrong; the message names file and key."""


@dataclass(frozen=True, slots=True)
class AcmeConfig:
    """The `[acme]` table: what `identity enroll` uses unless told otherwise."""

    directory_url: str = ""
    agree_terms: bool = False
    challenge: str = "http-01"
    ca_file: Path | None = None
    email: str = ""
    dns_hook: Path | None = None
    dns_wait_s: float = 0.0
    dns_timeout_s: float = DEFAULT_DNS_TIMEOUT_S
    dns_update: DnsUpdateSettings | None = None
    resolvers: tuple[str, ...] = ()
    eab_key_id: str = ""
    eab_mac_file: Path | None = None
    profile: str = ""
    preferred_chain: str = ""
    staging: bool | None = None
    deadline_s: float = DEFAULT_DEADLINE_S

    def settings(self, token_directory: Path, directory_url: str, challenge: str) -> AcmeSettings:
        """The settings of one enrollment. Raises EnrollmentError for what cannot work."""
        kind = ChallengeKind(challenge or self.challenge)
        # Answers that lie where the units of the helpers look are served from when systemd has started them.
        is_by_unit = token_directory == Config().token_directory
        return AcmeSettings(
            directory_url=directory_url or self.directory_url,
            agree_terms=self.agree_terms,
            challenge=kind,
            ca_file=self.ca_file,
            email=self.email or None,
            token_directory=token_directory,
            tls_alpn_directory=token_directory.with_name("acme-tls-alpn"),
            helper_port=_HELPER_PORTS.get(kind) if is_by_unit else None,
            dns_hook=self.dns_hook,
            dns_wait_s=self.dns_wait_s,
            dns_timeout_s=self.dns_timeout_s,
            dns_update=self.dns_update,
            resolvers=self.resolvers,
            eab_key_id=self.eab_key_id or None,
            eab_mac_file=self.eab_mac_file,
            profile=self.profile or None,
            preferred_chain=self.preferred_chain or None,
            # What the file says about staging, it says about its own directory.
            staging=self.staging if directory_url in ("", self.directory_url) else None,
            deadline_s=self.deadline_s,
        )


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """The `[provider]` table: who vouches for a room that has no domain of its own."""

    domain: str = ""
    """The room's name there, with `{serial}` for the device's serial number; empty: there is no provider."""
    acme: AcmeConfig = field(default_factory=AcmeConfig)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    state_directory: Path = Path("/var/lib/conclave")
    runtime_directory: Path = Path("/run/conclave")
    journal_directory: Path | None = None
    """Where the journal is read; None: where the system keeps it."""
    journal: Path = Path("/run/systemd/journal/socket")
    """journald's socket; where there is none, the record of changes is in the log."""
    hal: Path = Path("/etc/conclave/hal.toml")
    allow_plain_key: bool = False
    keys: KeysConfig = field(default_factory=KeysConfig)
    join_countdown_s: float = 10.0
    bus_address: str | None = None
    identity_domain: str = ""
    """The domain that an admin wants the room to have; empty: none was set."""
    identity_method: str = "acme"
    """One of `ENROLLMENT_METHODS`."""
    acme: AcmeConfig = field(default_factory=AcmeConfig)
    access: AccessConfig = field(default_factory=AccessConfig)
    provider: ProviderConfig = field(default_factory=ProviderConfig)
    provisioning: ProvisioningConfig = field(default_factory=ProvisioningConfig)
    service_ca: Path | None = None
    panel_language: str = "en"
    """One of `conclave_hal.panel.LANGUAGES`."""
    conference_service: str = ""
    """Where meetings are held that are created without naming a service; empty: each must name one."""
    meeting_limits: Limits = DEFAULT_LIMITS
    carrier_limits: CarrierLimits = field(default_factory=CarrierLimits)

    @property
    def token_directory(self) -> Path:
        """Where answers to http-01 lie while an order runs; the port-80 helper serves it."""
        return self.runtime_directory / "acme-challenge"


def load(path: Path) -> Config:
    """Read the file. Raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    top = _Table(path, "", document)
    keys = top.table("keys")
    bus = top.table("bus")
    acme = top.table("acme")
    access = top.table("access")
    provider = top.table("provider")
    provisioning = top.table("provisioning")
    service = top.table("service")
    conference = top.table("conference")
    panel = top.table("panel")
    limits = top.table("limits")
    of_meeting, of_carrier = limits.table("meeting"), limits.table("carrier")
    defaults = Config()
    config = Config(
        state_directory=top.path("state_directory") or defaults.state_directory,
        runtime_directory=top.path("runtime_directory") or defaults.runtime_directory,
        journal_directory=top.path("journal_directory"),
        journal=top.path("journal") or defaults.journal,
        hal=top.path("hal") or defaults.hal,
        allow_plain_key=top.take("allow_plain_key", bool, False),
        keys=KeysConfig(
            backend=keys.take("backend", str, ""),
            tcti=keys.take("tcti", str, "") or defaults.keys.tcti,
            parent=keys.take("parent", int, 0),
            module=keys.path("module"),
            token=keys.take("token", str, ""),
            serial=keys.take("serial", str, ""),
            pin_file=keys.path("pin_file"),
        ),
        join_countdown_s=float(top.take("join_countdown_s", (int, float), defaults.join_countdown_s)),
        bus_address=bus.take("address", str, "") or None,
        acme=_read_acme(path, acme),
        access=_read_access(path, access),
        provider=ProviderConfig(provider.take("domain", str, ""), _read_acme(path, provider)),
        provisioning=ProvisioningConfig(
            signers=provisioning.take_texts("signers"),
            folder=provisioning.path("folder"),
            url=provisioning.take("url", str, ""),
            server_key=provisioning.take("server_key", str, ""),
        ),
        service_ca=service.path("ca_file"),
        panel_language=panel.take("language", str, defaults.panel_language),
        conference_service=conference.take("service", str, ""),
        meeting_limits=of_meeting.take_numbers(DEFAULT_LIMITS, but=AGREED_LIMITS),
        carrier_limits=of_carrier.take_numbers(CarrierLimits()),
    )
    for table in (
        keys,
        bus,
        acme,
        access,
        provider,
        provisioning,
        service,
        conference,
        panel,
        of_meeting,
        of_carrier,
        limits,
        top,
    ):
        table.finish()
    objection = config.keys.objection()
    if objection is not None:
        raise ConfigError(f"{path}: [keys] {objection}")
    objection = config.provisioning.objection()
    if objection is not None:
        raise ConfigError(f"{path}: [provisioning] {objection}")
    # Written so that "nan" is refused too.
    if not SHORTEST_COUNTDOWN_S <= config.join_countdown_s <= LONGEST_COUNTDOWN_S:
        raise ConfigError(
            f"{path}: join_countdown_s must be from {SHORTEST_COUNTDOWN_S:g} to {LONGEST_COUNTDOWN_S:g}"
        )
    if config.panel_language not in LANGUAGES:
        raise ConfigError(f"{path}: [panel] language must be one of: {', '.join(LANGUAGES)}")
    if config.conference_service and not is_service_address(config.conference_service):
        raise ConfigError(f"{path}: [conference] service must be of the form wss://HOST[:PORT]")
    kinds = [kind.value for kind in ChallengeKind]
    for name, given in (("acme", config.acme), ("provider", config.provider.acme)):
        if given.challenge not in kinds:
            raise ConfigError(f"{path}: [{name}] challenge must be one of: {', '.join(kinds)}")
        try:
            if given.directory_url:
                given.settings(config.token_directory, "", "")
        except EnrollmentError as error:
            raise ConfigError(f"{path}: [{name}] {error}") from error
    if bool(config.provider.domain) != bool(config.provider.acme.directory_url):
        raise ConfigError(f"{path}: [provider] needs both domain and directory_url")
    return config


def check_acme(config: Config) -> None:
    """Raise EnrollmentError for a CA that is configured and cannot be used so."""
    if config.acme.directory_url:
        config.acme.settings(config.token_directory, "", "")


def _read_access(path: Path, access: "_Table") -> AccessConfig:
    """Takes the `[access]` table. Raises ConfigError."""
    try:
        return AccessConfig(
            keys=key_lines(access.take_texts("keys")),
            authorities=key_lines(access.take_texts("authorities")),
            principals=principal_names(access.take("principals", list, list(AccessConfig().principals))),
        )
    except ValueError as error:
        raise ConfigError(f"{path}: [access] {error}") from error


def _read_acme(path: Path, acme: "_Table") -> AcmeConfig:
    """Takes the `[acme]` table. Raises ConfigError."""
    update = acme.table("dns_update")
    defaults = AcmeConfig()
    dns_update = None
    try:
        if not update.is_empty:
            dns_update = DnsUpdateSettings(
                server=update.take("server", str, ""),
                key_name=update.take("key_name", str, ""),
                key_file=update.path("key_file") or Path(),
                algorithm=update.take("algorithm", str, "hmac-sha256"),
                zone=update.take("zone", str, "") or None,
            )
        resolvers = acme.take_texts("resolvers")
        for server in (*resolvers, *([dns_update.server] if dns_update else [])):
            parse_endpoint(server)
    except EnrollmentError as error:
        raise ConfigError(f"{path}: [acme] {error}") from error
    update.finish()
    durations = {name: acme.take_seconds(name, getattr(defaults, name)) for name in _ACME_DURATIONS}
    return AcmeConfig(
        directory_url=acme.take("directory_url", str, ""),
        agree_terms=acme.take("agree_terms", bool, False),
        challenge=acme.take("challenge", str, "http-01"),
        ca_file=acme.path("ca_file"),
        email=acme.take("email", str, ""),
        dns_hook=acme.path("dns_hook"),
        dns_update=dns_update,
        resolvers=resolvers,
        eab_key_id=acme.take("eab_key_id", str, ""),
        eab_mac_file=acme.path("eab_mac_file"),
        profile=acme.take("profile", str, ""),
        preferred_chain=acme.take("preferred_chain", str, ""),
        staging=acme.take_flag("staging"),
        **durations,
    )


class _Table:
    """A table of the file; `finish` complains about what nobody took."""

    def __init__(self, file: Path, name: str, content: dict[str, Any]) -> None:
        self._file = file
        self._name = name
        self._left = dict(content)

    def table(self, name: str) -> "_Table":
        full_name = f"{self._name}.{name}" if self._name else name
        return _Table(self._file, full_name, self.take(name, dict, {}))

    def take(self, key: str, kind: type[T] | tuple[type, ...], default: T) -> T:
        value = self._left.pop(key, default)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            wanted = kind.__name__ if isinstance(kind, type) else "number"
            raise ConfigError(f"{self._where(key)} must be a {wanted}")
        return value  # type: ignore[return-value]

    def take_numbers(self, defaults: L, *, but: frozenset[str] = frozenset()) -> L:
        """A value like `defaults`, a dataclass of positive numbers, with those that the table gives."""
        given: dict[str, int | float] = {}
        for spec in fields(defaults):
            if spec.name in self._left and spec.name not in but:
                default = getattr(defaults, spec.name)
                kind: type | tuple[type, ...] = int if isinstance(default, int) else (int, float)
                number = self.take(spec.name, kind, default)
                if not 0 < number < math.inf:
                    raise ConfigError(f"{self._where(spec.name)} must be more than 0")
                given[spec.name] = number
        return replace(defaults, **given)  # type: ignore[arg-type]  # by name, from the fields themselves

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to take."""
        return not self._left

    def take_flag(self, key: str) -> bool | None:
        """True or false; None if the file does not say."""
        return self.take(key, bool, False) if key in self._left else None

    def take_texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.take(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{self._where(key)} must be a list of strings")
        return tuple(values)

    def take_seconds(self, key: str, default: float) -> float:
        """A number of seconds, 0 up to a day."""
        value = float(self.take(key, (int, float), default))
        if not 0 <= value <= LONGEST_DURATION_S:
            raise ConfigError(f"{self._where(key)} must be from 0 to {LONGEST_DURATION_S:g}")
        return value

    def path(self, key: str) -> Path | None:
        value = self.take(key, str, "")
        return Path(value) if value else None

    def finish(self) -> None:
        for key in self._left:
            raise ConfigError(f"{self._where(key)} is not known")

    def _where(self, key: str) -> str:
        return f"{self._file}: {f'[{self._name}] ' if self._name else ''}{key}"
