"""What a verb that changes something says of it: the same for all of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a verb changes, or would change."""

    key: str
    """A setting's key, or what else it is, such as `trust.anchors.office`."""
    before: str
    """As TOML, without secrets; empty for nothing."""
    after: str
    effect: str
    """When it is felt: `at once`, `at the next enrollment`..."""


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a verb that changes something did, or with `dry_run` would do."""

    changed: bool
    changes: tuple[Change, ...] = ()
