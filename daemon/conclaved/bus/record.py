"""What is written down of a verb: who asked, from where, what was before and after, and how it ended.

The API makes one record of each call of a verb, refused ones too, whatever the verb: none can forget it.
Left out are the methods that the API's source marks as reading, and dry runs. Nothing in a record is secret:
an argument is shown only if its name is in SHOWN, a link only up to its fragment.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conclaved.bus.change_report import Change

LONGEST_VALUE = 300
LONGEST_ORIGIN = 500

SHOWN = frozenset(
    {
        "allows_service_ends",
        "anchor",
        "camera",
        "challenge",
        "directory_url",
        "domain",
        "domains",
        "fingerprint",
        "force",
        "generation",
        "hosts",
        "in_meeting",
        "invited",
        "key_id",
        "keys",
        "kind",
        "label",
        "leaf",
        "level",
        "link",
        "may_lock_out",
        "microphone",
        "minimum_level",
        "new_key",
        "not_after",
        "not_before",
        "open",
        "principals",
        "reason",
        "replace",
        "request_id",
        "requires_verified",
        "service",
        "service_ends",
        "size",
        "slot",
        "what",
    }
)
"""Names of arguments and options whose values are no secrets. A new one is not shown until it is here."""
HIDDEN = "(not shown)"

DONE = "done"

WATCHED: Mapping[str, tuple[str, ...]] = {
    "Identity": ("state", "domain", "fingerprint"),
    "Meeting": ("state", "meeting_id"),
    "Hardware": ("camera_muted", "microphone_muted"),
    "Update": ("state",),
}
"""For verbs that report no changes themselves: the fields of their interface's snapshot that are compared."""


@dataclass(frozen=True, slots=True)
class Record:
    """One verb that was asked for."""

    uid: int | None
    """The caller's user, as the bus saw it connect; None if the bus does not say."""
    origin: str
    """From where, in the caller's own words: a claim. Empty if it gave none."""
    verb: str
    """Interface and method: `Trust.AddAnchor`."""
    arguments: tuple[tuple[str, str], ...]
    """Names and values, without secrets."""
    outcome: str
    """`done`, or the name of the error."""
    reason: str = ""
    """The error's words."""
    changed: bool | None = False
    """None where the verb does not say, and nothing has changed at once: it may have begun something."""
    changes: tuple[Change, ...] = ()
    """What became another; of what goes on afterwards (an enrollment, a join), its beginning."""
    part: int = 1
    """Of a verb that changed more than one record can say: which of them this is."""
    parts: int = 1
    """How many there are."""
    who: str = ""
    """Who it was, where no user of the system asked."""


Recorder = Callable[[Record], None]
"""Writes a record down. Raises nothing: the verb is done already."""


def shown_arguments(names: Iterable[str], values: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    """Return names and values for a record; each option stands for itself."""
    found: list[tuple[str, str]] = []
    for name, value in zip(names, values, strict=True):
        if name in ("options", "rules") and isinstance(value, Mapping):
            found += [(key, _shown(key, item)) for key, item in value.items()]
        elif name == "values" and isinstance(value, Mapping):
            # Settings: which ones. The changes say what of them is no secret.
            found.append(("keys", ", ".join(sorted(map(str, value)))[:LONGEST_VALUE]))
        else:
            found.append((name, _shown(name, value)))
    return tuple(found)


def _shown(name: str, value: Any) -> str:
    if name not in SHOWN:
        return HIDDEN
    if isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    # What follows is a link's secret; no other value has the sign.
    return _cut(text.partition("#")[0])


def reported(result: object) -> tuple[bool, tuple[Change, ...]] | None:
    """Return what a verb's own answer says it changed; None for one that does not say."""
    if not isinstance(result, list) or len(result) < 2 or not isinstance(result[0], bool):
        return None
    changes = result[1]
    if not isinstance(changes, list | tuple) or not all(isinstance(one, Change) for one in changes):
        return None
    # All of them: who wants to hide one would only have to make enough others.
    return result[0], tuple(_short(one) for one in changes)


def compared(interface: str, before: object, after: object) -> tuple[Change, ...]:
    """Return which watched fields of an interface's snapshot are others than before."""
    pairs = (
        (name, str(getattr(before, name)), str(getattr(after, name))) for name in WATCHED.get(interface, ())
    )
    return tuple(
        _short(Change(f"{interface.lower()}.{name}", old, new, "at once"))
        for name, old, new in pairs
        if old != new
    )


def _short(change: Change) -> Change:
    return Change(
        _cut(change.key),
        _cut(change.before),
        _cut(change.after),
        change.effect,
    )


def _cut(text: str) -> str:
    """A value of bearable length; of a longer one the hash, so that two of one beginning are not one."""
    if len(text) <= LONGEST_VALUE:
        return text
    mark = f"… (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"
    return text[: LONGEST_VALUE - len(mark)] + mark
