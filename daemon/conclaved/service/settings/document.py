"""A document of settings, parsed at the door: every value is right, or none is taken.

A document gives the keys that it names, and no others: a list is whole. What the admin's document does not
name is as the device maker's file says, or else as the table has it by default.

Secrets go in and are not told again: whoever reads a document sees `(set)`, and `(set)` in a document that is
applied means the value that is set already.
"""

import difflib
import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conclave_provisioning.enrollment import DnsUpdateSettings, EnrollmentError
from conclaved.identity import Anchor, Assurance, IdentityError, TrustStore, parse_anchor_pem
from conclaved.meeting import Level, OwnRules
from conclaved.service.access import SshKeyError
from conclaved.service.config import Config
from conclaved.service.settings.errors import SettingsError
from conclaved.service.settings.table import BY_KEY, Kind, Setting, Value, value_in
from conclaved.service.settings.toml_text import Plain, document_text, value_text

SET = "(set)"
"""Stands for a secret that is set."""
CONTENTS = "settings.d"
"""The folder, in the state directory, of settings that are the content of a file."""
LONGEST_DOCUMENT = 4 * 1024 * 1024
"""In characters."""
MOST_KEY_PARTS = 32
"""Of a dotted key, or of a table's name."""
LONGEST_SHOWN = 80
ANCHORS, BLOCKED_KEYS, BLOCKED_NAMES = "trust.anchors", "trust.blocked_keys", "trust.blocked_names"
CRL_URLS = "trust.crl_urls"
_ANCHOR_KEYS = ("label", "kind", "domains", "pem")
# The parser takes the square of a key's parts in steps: minutes for a hundred thousand, on the event loop.
_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_KEY_PART}[ \t]*+\.[ \t]*+){{{MOST_KEY_PARTS}}}")
_GREATEST_WHOLE = 2**53


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that a document names. Raises SettingsError for trust that cannot be."""

    values: Mapping[str, Value] = field(default_factory=dict)
    """By key, in the order of the table."""
    trust: TrustStore = field(init=False, compare=False, repr=False)
    """The anchors and blocks among them."""

    def __post_init__(self) -> None:
        # An empty list of trust says no more than none: one spelling, so that equal means equal.
        known = {
            s.key: self.values[s.key]
            for s in BY_KEY.values()
            if s.key in self.values and not (s.key.startswith("trust.") and self.values[s.key] == ())
        }
        anchors: tuple[Anchor, ...] = known.get(ANCHORS, ())  # type: ignore[assignment]  # by kind
        if len({(a.certificate, a.kind) for a in anchors}) < len(anchors):
            raise SettingsError(
                f"{ANCHORS}: an authority stands there twice; allowed: once, for all its domains"
            )
        try:
            trust = TrustStore(
                anchors=tuple(sorted(anchors, key=lambda a: (a.label, a.fingerprint, a.kind.value))),
                blocked_keys=frozenset(known.get(BLOCKED_KEYS, ())),  # type: ignore[arg-type]
                blocked_names=frozenset(known.get(BLOCKED_NAMES, ())),  # type: ignore[arg-type]
            )
        except IdentityError as error:
            raise SettingsError(f"trust: {error}") from error
        if anchors:
            known[ANCHORS] = trust.anchors
        for key, blocked in ((BLOCKED_KEYS, trust.blocked_keys), (BLOCKED_NAMES, trust.blocked_names)):
            if key in known:
                known[key] = tuple(sorted(blocked))
        object.__setattr__(self, "values", known)
        object.__setattr__(self, "trust", trust)

    # -- the next settings ----------------------------------------------------------------------

    def over(self, before: "Settings") -> "Settings":
        """`before`, with what is named here."""
        return Settings({**before.values, **self.values})

    def with_trust(self, trust: TrustStore) -> "Settings":
        """These, with another trust."""
        return Settings(
            {
                **self.values,
                ANCHORS: trust.anchors,
                BLOCKED_KEYS: tuple(trust.blocked_keys),
                BLOCKED_NAMES: tuple(trust.blocked_names),
            }
        )

    def without(self, keys: Iterable[str]) -> "Settings":
        """These, without some keys. Raises SettingsError for a key that is none."""
        gone = {_known(key).key for key in keys}
        return Settings({key: value for key, value in self.values.items() if key not in gone})

    @property
    def crl_urls(self) -> tuple[str, ...]:
        """Where lists of revoked certificates are fetched."""
        found = self.values.get(CRL_URLS, ())
        return tuple(text for text in found if isinstance(text, str)) if isinstance(found, tuple) else ()

    # -- what is in force -----------------------------------------------------------------------

    def value(self, setting: Setting, device: Config) -> Value:
        """What is in force for a setting, over the device maker's file."""
        found = self.values.get(setting.key)
        return value_in(device, setting) if found is None else found

    def rules(self) -> OwnRules:
        """The policy in force."""
        of = {key.removeprefix("policy."): v for key, v in self.values.items() if key.startswith("policy.")}
        if "minimum_level" in of:
            of["minimum_level"] = Level(of["minimum_level"])  # type: ignore[assignment]
        return OwnRules(**of)  # type: ignore[arg-type]  # by name and kind of the table

    def over_config(self, device: Config) -> Config:
        """The configuration in force: the device maker's, with what is named here.

        What is the content of a file is in it by the path of `files`. Raises SettingsError for values that
        cannot be together.
        """
        given: dict[tuple[str, ...], dict[str, Any]] = {}
        for key, value in self.values.items():
            *table, name = BY_KEY[key].into or ("",)
            if name:
                found: Any = (
                    content_path(device.state_directory, key, value) if BY_KEY[key].is_content else value
                )
                given.setdefault(tuple(table), {})[name] = found
        config = device
        try:
            for place, values in given.items():
                config = _with(config, place, values)
        except EnrollmentError as error:
            raise SettingsError(
                f"{'.'.join(place)}: {error}", hint=error.hint or "see: conclavectl config schema"
            ) from error
        return config

    def files(self, state_directory: Path) -> dict[Path, str]:
        """The files whose content is a setting's value: what each has to say."""
        return {
            path: str(value)
            for key, value in self.values.items()
            if BY_KEY[key].is_content and (path := content_path(state_directory, key, value))
        }

    # -- as text --------------------------------------------------------------------------------

    def document(self, *, with_secrets: bool = False) -> str:
        """The document in TOML. Only the file on the disk has its secrets."""
        return document_text(
            {key: _plain(BY_KEY[key], value, with_secrets) for key, value in self.values.items()}
        )


def parse(text: str, before: Settings | None = None) -> Settings:
    """The settings in a document. Raises SettingsError for the first thing that is wrong.

    `before` are the settings whose secrets `(set)` stands for.
    """
    if len(text) > LONGEST_DOCUMENT:
        raise SettingsError(f"the document is longer than {LONGEST_DOCUMENT // 1024} KiB")
    if _LONG_KEY.search(text):
        raise SettingsError(f"the document has a key of more than {MOST_KEY_PARTS} parts")
    try:
        given = _flat("", tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        # Beside what is no TOML: a number of more digits than Python reads, tables in tables in tables.
        raise SettingsError(f"the document is not TOML: {error}", hint="see: https://toml.io") from error
    return Settings({key: _checked(_known(key), value, before) for key, value in given.items()})


def parse_words(given: Mapping[str, str], before: Settings | None = None) -> Settings:
    """The settings that words of a command line give: `true`, `10`, `a.example,b.example`."""
    return Settings(
        {key: _checked(_known(key), _from_word(_known(key), word), before) for key, word in given.items()}
    )


def shown(setting: Setting, value: Value) -> str:
    """A value as TOML on one line, without what is secret and without certificates."""
    if setting.is_content:
        return value_text(SET if value else "")
    if setting.kind is Kind.ANCHORS:
        return value_text([_anchor_summary(anchor) for anchor in _anchors_of(value)])
    return value_text(_plain(setting, value, with_secrets=False))


def shown_anchor(anchor: Anchor) -> str:
    """An anchor as TOML on one line."""
    return value_text(_anchor_summary(anchor))


def _anchor_summary(anchor: Anchor) -> dict[str, Plain]:
    return {
        "label": anchor.label,
        "kind": anchor.kind.value,
        "domains": list(anchor.domains),
        "fingerprint": anchor.fingerprint,
    }


def _anchors_of(value: Value) -> tuple[Anchor, ...]:
    return tuple(one for one in value if isinstance(one, Anchor)) if isinstance(value, tuple) else ()


def _plain(setting: Setting, value: Value, with_secrets: bool) -> Plain:
    if setting.is_secret and not with_secrets:
        return SET if value else ""
    if setting.kind is Kind.ANCHORS:
        return [
            {"label": a.label, "kind": a.kind.value, "domains": list(a.domains), "pem": a.pem}
            for a in _anchors_of(value)
        ]
    return value  # type: ignore[return-value]  # all other kinds are plain


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys: tables are followed until a key of the table, or something that is no table."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict) and key not in BY_KEY:
            found |= _flat(key, value) if value else ({} if _is_table(key) else {key: value})
        else:
            found[key] = value
    return found


def _is_table(key: str) -> bool:
    return any(known.startswith(key + ".") for known in BY_KEY)


def _known(key: str) -> Setting:
    setting = BY_KEY.get(key)
    if setting is None:
        near = difflib.get_close_matches(key, BY_KEY, n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{key[:LONGEST_SHOWN]!r} is no setting{guess}")
    return setting


def _checked(setting: Setting, value: Any, before: Settings | None) -> Value:
    """The value in its one spelling. Raises SettingsError, which names key, value and what is allowed."""
    if (setting.is_secret or setting.is_content) and value == SET:
        kept = None if before is None else before.values.get(setting.key)
        if kept is None:
            raise SettingsError(f"{setting.key}: {SET} keeps a value, and none is set; give the value")
        return kept
    typed = _typed(setting, value)
    if setting.kind is Kind.ANCHORS:
        return typed
    if setting.choices and typed not in setting.choices:
        raise _refused(setting, value)
    if isinstance(typed, int | float) and not isinstance(typed, bool):
        too_little = (setting.least is not None and typed < setting.least) or (
            setting.above is not None and typed <= setting.above
        )
        if too_little or (setting.most is not None and typed > setting.most) or not math.isfinite(typed):
            raise _refused(setting, value)
    if setting.check is None:
        return typed
    try:
        checked: Value = setting.check(typed)
    except SshKeyError as error:
        # A line of a hundred letters says less than what is wrong with it.
        raise SettingsError(f"{setting.key}: {error}") from error
    except (ValueError, EnrollmentError, IdentityError) as error:
        raise _refused(setting, value) from error
    return checked


def _typed(setting: Setting, value: Any) -> Value:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match setting.kind:
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.WHOLE if is_number and isinstance(value, int) and abs(value) < _GREATEST_WHOLE:
            return value
        case Kind.NUMBER if is_number and (isinstance(value, float) or abs(value) < _GREATEST_WHOLE):
            return float(value)
        case Kind.TEXTS if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        case Kind.ANCHORS if isinstance(value, list):
            return tuple(_anchor(number, entry) for number, entry in enumerate(value, start=1))
    raise _refused(setting, value)


def _anchor(number: int, entry: Any) -> Anchor:
    where = f"{ANCHORS}, number {number}"
    allowed = BY_KEY[ANCHORS].allowed
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: {_short(entry)} is not allowed; allowed: {allowed}")
    for key in entry:
        if key not in _ANCHOR_KEYS:
            raise SettingsError(
                f"{where}: {key[:LONGEST_SHOWN]!r} is no key of an anchor; allowed: {allowed}"
            )
    texts = [entry.get(key, "") for key in ("pem", "label", "kind")]
    domains = entry.get("domains", [])
    if not all(isinstance(text, str) for text in texts) or not (
        isinstance(domains, list) and all(isinstance(domain, str) for domain in domains)
    ):
        raise SettingsError(f"{where}: a value is of the wrong type; allowed: {allowed}")
    pem, label, kind = texts
    if kind not in (Assurance.VERIFIED.value, Assurance.PROVIDER.value):
        raise SettingsError(f"{where}: kind: {_short(kind)} is not allowed; allowed: verified, provider")
    if not label.strip():
        raise SettingsError(f"{where}: label: is missing; allowed: a name to remove the anchor by")
    try:
        anchors = parse_anchor_pem(pem, kind=Assurance(kind), domains=domains, label=label)
    except IdentityError as error:
        raise SettingsError(f"{where}: {error}", hint=error.hint) from error
    if len(anchors) != 1:
        raise SettingsError(f"{where}: pem: has {len(anchors)} certificates; allowed: one")
    return anchors[0]


def _from_word(setting: Setting, word: str) -> Any:
    match setting.kind:
        case Kind.FLAG if word in ("true", "false"):
            return word == "true"
        case Kind.WHOLE | Kind.NUMBER:
            for read in (int, float):
                try:
                    return read(word)
                except ValueError:
                    continue
        case Kind.TEXTS:
            return [part.strip() for part in word.split(",") if part.strip()]
        case Kind.ANCHORS:
            raise SettingsError(
                f"{setting.key} is not set by a word",
                hint="use conclavectl trust add, or conclavectl config apply",
            )
    return word


def _refused(setting: Setting, value: Any) -> SettingsError:
    what = "the value that was given" if setting.is_secret else _short(value)
    return SettingsError(f"{setting.key}: {what} is not allowed; allowed: {setting.allowed}")


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        # A whole number in hexadecimal digits has no bounds when it is read, but has when it is written.
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def content_path(state_directory: Path, key: str, value: Value) -> Path | None:
    """Where a value lies as a file, named by what is in it: another value is another file, and none is none.

    So a configuration never points at a file that was half written, or at one that a rollback took away.
    """
    if not value:
        return None
    digest = hashlib.sha256(str(value).encode()).hexdigest()[:16]
    return state_directory / CONTENTS / f"{key}.{digest}"


def _with(config: Any, place: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """A configuration with some fields set, of itself or of the dataclass at the end of `place`."""
    if not place:
        return replace(config, **values)
    name, *rest = place
    present = getattr(config, name)
    if present is None:
        # The only table that may be missing: with one value of it all that it needs must be there.
        whole: dict[str, Any] = {"server": "", "key_name": "", "key_file": Path(), **values}
        return replace(config, **{name: DnsUpdateSettings(**whole)})
    return replace(config, **{name: _with(present, tuple(rest), values)})
