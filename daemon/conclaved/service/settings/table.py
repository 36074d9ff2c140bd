"""The table of all settings: a line each, and nothing about them is said anywhere else.

A line's default and type are those of the field of `Config` (or of the policy) that it sets. To add a setting
is to add its field there and its line here: document, D-Bus, `conclavectl config` and the schema follow.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conclave_hal.panel import LANGUAGES
from conclave_provisioning.enrollment import ChallengeKind, EnrollmentError, check_domain
from conclave_provisioning.enrollment.challenge.dns_view import parse_endpoint
from conclave_provisioning.enrollment.settings import TSIG_ALGORITHMS
from conclaved.identity import Anchor, Assurance, parse_anchor_pem
from conclaved.meeting import Level, OwnRules
from conclaved.service.access.access_config import key_lines, principal_names
from conclaved.service.access.ssh_key import ALLOWED
from conclaved.service.config import (
    AGREED_LIMITS,
    ENROLLMENT_METHODS,
    LONGEST_COUNTDOWN_S,
    LONGEST_DURATION_S,
    SHORTEST_COUNTDOWN_FROM_OUTSIDE_S,
    Config,
)
from conclaved.service.invitations import is_service_address

Value = str | bool | int | float | tuple[str, ...] | tuple[Anchor, ...]
"""A setting's value. Texts may be paths in `Config`; enums are their values."""


class Kind(Enum):
    """The type of a value, in the words of messages."""

    TEXT = "a text"
    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXTS = "a list of texts"
    ANCHORS = "a list of tables with label, kind, domains and pem"


class Effect(Enum):
    """When a change is felt."""

    AT_ONCE = "at once"
    ENROLLMENT = "at the next enrollment"
    MEETING = "at the next meeting"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line."""

    key: str
    """Dotted: tables and name as in the document."""
    into: tuple[str, ...]
    """The field of `Config` that it sets; of what is no part of `Config`: empty."""
    kind: Kind
    default: Value
    effect: Effect
    meaning: str
    choices: tuple[str, ...] = ()
    """The texts that are allowed; empty: any that `check` takes."""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    """More than this; for ranges without a least number."""
    form: str = ""
    """In words, what `check` takes."""
    check: Callable[[Any], Any] | None = None
    """Gives the value in its one spelling. Raises ValueError, EnrollmentError or IdentityError."""
    is_secret: bool = False
    """Never shown, logged or handed out again."""
    is_content: bool = False
    """The value is what a file says, and the field of `Config` is that file's path: see `files`."""

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return "one of: " + ", ".join(self.choices)
        if self.form:
            return self.form
        words = self.kind.value
        if self.above is not None and self.most is not None:
            return f"{words}, more than {self.above:g}, at most {self.most:g}"
        if self.least is not None and self.most is not None:
            return f"{words} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{words}, {self.least:g} or more"
        return words if self.above is None else f"{words}, more than {self.above:g}"


_DEFAULTS = Config()
_RULES = OwnRules()


def _kind_of(value: object) -> Kind:
    # bool before int: it is one.
    for kind, python in (
        (Kind.FLAG, bool),
        (Kind.WHOLE, int),
        (Kind.NUMBER, float),
        (Kind.TEXTS, tuple),
    ):
        if isinstance(value, python):
            return kind
    return Kind.TEXT


def plain(value: Any) -> Value:
    """A field's value as a setting's: paths and enums as text, none as the empty text."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Path):
        return str(value)
    return value  # type: ignore[no-any-return]  # by the types of the fields


def value_in(config: Config, setting: Setting) -> Value:
    """What a configuration has for a setting; its default where it is no part of that."""
    if not setting.into:
        return setting.default
    value: Any = config
    for name in setting.into:
        if value is None:
            # A table that is not there.
            return setting.default
        value = getattr(value, name)
    return False if value is None and setting.kind is Kind.FLAG else plain(value)


def _setting(key: str, into: str, effect: Effect, meaning: str, **more: Any) -> Setting:
    value: Any = _DEFAULTS
    for name in into.split("."):
        value = getattr(value, name) if value is not None else None
    default = more.pop("default", plain(value))
    return Setting(key, tuple(into.split(".")), _kind_of(default), default, effect, meaning, **more)


def _rule(key: str, field: str, meaning: str, **more: Any) -> Setting:
    default = plain(getattr(_RULES, field))
    return Setting(f"policy.{key}", (), _kind_of(default), default, Effect.AT_ONCE, meaning, **more)


def _trust(key: str, kind: Kind, meaning: str, form: str, **more: Any) -> Setting:
    return Setting(f"trust.{key}", (), kind, (), Effect.AT_ONCE, meaning, form=form, **more)


def _https(text: str) -> str:
    url = urlsplit(text)
    if text and (url.scheme != "https" or not url.hostname or not text.isprintable()):
        raise ValueError("no https address")
    return text


def _web_addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        url = urlsplit(text)
        is_known = url.scheme in ("http", "https") and url.hostname and not url.username
        # Raises ValueError for a port that is none.
        if not is_known or url.port == 0 or not text.isprintable() or " " in text:
            raise ValueError("no address of the web")
    return texts


def _service(text: str) -> str:
    if text and not is_service_address(text):
        raise ValueError("no address of a service")
    return text


def _domain(text: str) -> str:
    try:
        return check_domain(text) if text else ""
    except EnrollmentError as error:
        raise ValueError(str(error)) from error


def _mail(text: str) -> str:
    if text and ("@" not in text or not text.isprintable()):
        raise ValueError("no mail address")
    return text


def _certificates(text: str) -> str:
    return "".join(anchor.pem for anchor in parse_anchor_pem(text, kind=Assurance.PROVIDER)) if text else ""


def _base64(text: str) -> str:
    """Either alphabet, with or without padding: CAs and name servers differ."""
    plain_text = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    if not base64.b64decode(plain_text + "=" * (-len(plain_text) % 4), validate=True):
        raise ValueError("no base64")
    return text.strip()


def _endpoints(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        _endpoint(text)
    return texts


def _endpoint(text: str) -> str:
    try:
        parse_endpoint(text)
    except EnrollmentError as error:
        raise ValueError(str(error)) from error
    return text


def _limits(table: str, into: str, effect: Effect, meaning: str) -> tuple[Setting, ...]:
    """A line for each number of a dataclass of limits."""
    return tuple(
        _setting(f"limits.{table}.{spec.name}", f"{into}.{spec.name}", effect, meaning, above=0)
        for spec in fields(getattr(_DEFAULTS, into))
        if spec.name not in AGREED_LIMITS
    )


_AT_ONCE, _ENROLLMENT, _MEETING = Effect.AT_ONCE, Effect.ENROLLMENT, Effect.MEETING

TABLE: tuple[Setting, ...] = (
    _setting(
        "join_countdown_s",
        "join_countdown_s",
        _AT_ONCE,
        "Seconds for which people can read of a join asked for from outside, and refuse it.",
        least=SHORTEST_COUNTDOWN_FROM_OUTSIDE_S,
        most=LONGEST_COUNTDOWN_S,
    ),
    _setting(
        "panel.language",
        "panel_language",
        _AT_ONCE,
        "In which language the panel speaks.",
        choices=LANGUAGES,
    ),
    _setting(
        "identity.domain",
        "identity_domain",
        _ENROLLMENT,
        "The room's domain.",
        form="a domain such as room.example.com, in its xn-- form if it is not ASCII",
        check=_domain,
    ),
    _setting(
        "identity.method",
        "identity_method",
        _ENROLLMENT,
        "How the room gets its certificate.",
        choices=ENROLLMENT_METHODS,
    ),
    _setting(
        "acme.directory_url",
        "acme.directory_url",
        _ENROLLMENT,
        "The CA's ACME directory.",
        form="an https address",
        check=_https,
    ),
    _setting(
        "acme.agree_terms",
        "acme.agree_terms",
        _ENROLLMENT,
        "Whether the CA's terms, which are read at the CA, are agreed to.",
    ),
    _setting(
        "acme.challenge",
        "acme.challenge",
        _ENROLLMENT,
        "How the CA checks the domain.",
        choices=tuple(kind.value for kind in ChallengeKind),
    ),
    _setting(
        "acme.email",
        "acme.email",
        _ENROLLMENT,
        "Where the CA may write to.",
        form="a mail address",
        check=_mail,
    ),
    _setting(
        "acme.ca_pem",
        "acme.ca_file",
        _ENROLLMENT,
        "The roots of a private CA's API; none: the public ones.",
        form="certificates, PEM",
        check=_certificates,
        is_content=True,
    ),
    _setting("acme.profile", "acme.profile", _ENROLLMENT, "One of the CA's profiles; none: its default."),
    _setting(
        "acme.preferred_chain",
        "acme.preferred_chain",
        _ENROLLMENT,
        "The common name of the root that the chain is to lead to; none: as the CA says.",
    ),
    _setting(
        "acme.staging",
        "acme.staging",
        _ENROLLMENT,
        "Whether the CA only rehearses; where nobody says so, known by its address.",
        default=False,
    ),
    _setting(
        "acme.eab_key_id",
        "acme.eab_key_id",
        _ENROLLMENT,
        "External account binding: the key id that the CA gave.",
    ),
    _setting(
        "acme.eab_mac_key",
        "acme.eab_mac_file",
        _ENROLLMENT,
        "External account binding: the MAC key that the CA gave.",
        form="a key in base64",
        check=_base64,
        is_secret=True,
        is_content=True,
    ),
    _setting(
        "acme.deadline_s",
        "acme.deadline_s",
        _ENROLLMENT,
        "Seconds that one enrollment may take.",
        above=0,
        most=LONGEST_DURATION_S,
    ),
    _setting(
        "acme.dns_wait_s",
        "acme.dns_wait_s",
        _ENROLLMENT,
        "Seconds that a record by hook takes to reach every server of the zone.",
        least=0,
        most=LONGEST_DURATION_S,
    ),
    _setting(
        "acme.dns_timeout_s",
        "acme.dns_timeout_s",
        _ENROLLMENT,
        "Seconds to wait until every server of the zone has the record.",
        above=0,
        most=LONGEST_DURATION_S,
    ),
    _setting(
        "acme.resolvers",
        "acme.resolvers",
        _ENROLLMENT,
        "Whom to ask about the DNS; none: the system's.",
        form="a list of ADDRESS or ADDRESS:PORT",
        check=_endpoints,
    ),
    _setting(
        "acme.dns_update.server",
        "acme.dns_update.server",
        _ENROLLMENT,
        "dns-01 by DNS UPDATE (RFC 2136): the zone's primary server.",
        form="ADDRESS or ADDRESS:PORT",
        check=_endpoint,
    ),
    _setting(
        "acme.dns_update.key_name", "acme.dns_update.key_name", _ENROLLMENT, "The name of its TSIG key."
    ),
    _setting(
        "acme.dns_update.key",
        "acme.dns_update.key_file",
        _ENROLLMENT,
        "The secret of its TSIG key.",
        form="a key in base64",
        check=_base64,
        is_secret=True,
        is_content=True,
    ),
    _setting(
        "acme.dns_update.algorithm",
        "acme.dns_update.algorithm",
        _ENROLLMENT,
        "The algorithm of its TSIG key.",
        default="hmac-sha256",
        choices=TSIG_ALGORITHMS,
    ),
    _setting(
        "acme.dns_update.zone",
        "acme.dns_update.zone",
        _ENROLLMENT,
        "The zone; none: found by its SOA record.",
    ),
    _setting(
        "conference.ca_pem",
        "service_ca",
        _MEETING,
        "The roots of the conference service's certificates; none: the system's.",
        form="certificates, PEM",
        check=_certificates,
        is_content=True,
    ),
    _setting(
        "conference.service",
        "conference_service",
        _AT_ONCE,
        "Where meetings are held that are created without naming a service.",
        form="an address of the form wss://HOST[:PORT]",
        check=_service,
    ),
    _setting(
        "access.keys",
        "access.keys",
        _AT_ONCE,
        "The public keys that may log in as the room's admin over SSH.",
        form=f"a list of {ALLOWED}, each a line without options",
        check=key_lines,
    ),
    _setting(
        "access.authorities",
        "access.authorities",
        _AT_ONCE,
        "The SSH authorities whose user certificates may log in as the room's admin.",
        form=f"a list of {ALLOWED}, each a line without options",
        check=key_lines,
    ),
    _setting(
        "access.principals",
        "access.principals",
        _AT_ONCE,
        "The names of which such a certificate must bear one.",
        form="a list of names, without blanks",
        check=principal_names,
    ),
    _rule(
        "minimum_level",
        "minimum_level",
        "Meetings below are refused.",
        choices=tuple(level.value for level in Level),
    ),
    _rule("requires_verified", "requires_verified", "Stay only where everybody is verified."),
    _rule("allows_service_ends", "allows_service_ends", "Stay where a recorder or transcriber is in."),
    _trust(
        "anchors",
        Kind.ANCHORS,
        "The authorities whose word about a name is believed.",
        "tables with pem, label, kind (verified or provider) and domains",
    ),
    _trust(
        "blocked_keys",
        Kind.TEXTS,
        "Keys that are refused, wherever they stand in a chain.",
        "a list of SHA-256 fingerprints of public keys, 64 hexadecimal digits each",
    ),
    _trust(
        "blocked_names",
        Kind.TEXTS,
        "Names that are refused, whoever vouches for them.",
        "a list of domains and mail addresses",
    ),
    _trust(
        "crl_urls",
        Kind.TEXTS,
        "Where CAs publish their lists of revoked certificates; fetched every six hours.",
        "a list of http or https addresses",
        check=_web_addresses,
    ),
    *_limits(
        "meeting", "meeting_limits", _MEETING, "What members and strangers may ask of this device at most."
    ),
    *_limits(
        "carrier", "carrier_limits", _MEETING, "What the conference service may hand to this device at most."
    ),
)

BY_KEY: dict[str, Setting] = {setting.key: setting for setting in TABLE}
