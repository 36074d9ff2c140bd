"""What a verb changed, or would change: the same words, diff and `--json` for all of them."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.output import Output

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
NOTHING = "nothing to change"
DRY_RUN = "dry run: nothing was changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is another afterwards."""

    key: str = ""
    before: str = ""
    """As TOML; empty for nothing."""
    after: str = ""
    effect: str = ""
    """When it is felt."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of a verb that changes something."""

    changed: bool
    changes: tuple[Change, ...]
    is_dry_run: bool

    def json(self) -> dict[str, Any]:
        """The keys that every such command has in `--json`."""
        return {
            "ok": True,
            "changed": self.changed,
            "dry_run": self.is_dry_run,
            "changes": [
                {"key": c.key, "before": plain(c.before), "after": plain(c.after), "effect": c.effect}
                for c in self.changes
            ],
        }

    def say(self, output: Output, words: str) -> None:
        """Print what changed for people: `words` if something did, after its diff on a dry run."""
        if not self.changed:
            output.line(NOTHING)
        elif self.is_dry_run:
            self.say_diff(output)
            output.line(DRY_RUN)
        else:
            output.line(words)

    def say_diff(self, output: Output) -> None:
        """Print the lines that go in red and those that come in green."""
        for change in self.changes:
            for sign, colour, value in (("-", "red", change.before), ("+", "green", change.after)):
                if value:
                    output.line((f"{sign} {change.key} = {value}", colour))

    @property
    def effects(self) -> str:
        """When the changes are felt, in words."""
        return " and ".join(dict.fromkeys(change.effect for change in self.changes)) or "at once"


def one_change(key: str, before: str, after: str, *, dry_run: bool) -> Report:
    """The report of a verb whose one change only the command knows how to say; felt at once."""
    words = (json.dumps(before), json.dumps(after))
    return Report(before != after, (Change(key, *words, "at once"),) if before != after else (), dry_run)


def tell(output: Output, report: Report, words: str, **data: Any) -> None:
    """Print a report: as JSON with `data` beside it, or `words` if something changed."""
    output.data(**report.json(), **data)
    report.say(output, words)


def dry_run_option(command: Decorated) -> Decorated:
    """Add --dry-run to a command that changes something."""
    return click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")(
        command
    )


async def change(
    client: RoomClient,
    interface: str,
    member: str,
    signature: str = "",
    *arguments: Any,
    dry_run: bool,
    options: dict[str, Any] | None = None,
    has_options: bool = True,
) -> Report:
    """Use a verb that answers with what it changed. Some take no options. Raises CommandError."""
    given = dict(options or {})
    if dry_run:
        given["dry_run"] = True
    options = given if has_options else None
    changed, changes = await client.act(interface, member, signature, *arguments, options=options)
    known = (
        Change(*(str(one.get(name, "")) for name in ("key", "before", "after", "effect"))) for one in changes
    )
    return Report(changed is True, tuple(known), dry_run)


def plain(text: str) -> Any:
    """A value that came as TOML, as JSON has it; None for nothing, a text for what cannot be read."""
    if not text:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
