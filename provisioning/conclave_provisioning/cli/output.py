"""What a command prints: for people, with colour on a terminal only; or one JSON object, and nothing else.

Names come from certificates and from strangers in a lobby. Nothing of theirs may move a cursor, change a
colour or run right to left: `safe` makes every unprintable character visible. JSON is plain ASCII.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from conclave_provisioning.cli.errors import CommandError

SCHEMA = 1
"""The version of what `--json` prints; it is only ever added to."""
LONGEST = 300
# A pipe has no width: nothing is cut there.
PIPE_WIDTH = 2000
ERASE_LINE = "\r\x1b[2K"
_TRAILING_BLANKS = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$")
ASSURANCE_STYLES = {"verified": "green", "provider": "yellow"}


def safe(text: str, longest: int = LONGEST) -> str:
    """Return `text` fit for a terminal: controls, bidi marks and other invisible characters as \\uXXXX.

    What is longer than `longest` characters ends in an ellipsis.
    """
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown)


def _without_trailing_blanks(line: str) -> str:
    """Without the blanks at a line's end, even such as stand before or between colours."""
    while (shorter := _TRAILING_BLANKS.sub(r"\1", line)) != line:
        line = shorter
    return line


def assurance_words(assurance: str) -> str:
    """How an assurance is said to people, here as on the panel: only `verified` is verified."""
    return {"verified": "verified", "provider": "not verified"}.get(assurance, "unknown, not verified")


Progress = Callable[[str], None]
"""Says what is being waited for."""


class Output:
    """Where a command's words go."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        # https://no-color.org: present and not empty.
        self._color = False if os.environ.get("NO_COLOR") else None

    def data(self, **values: Any) -> None:
        """Print one JSON object on one line, with its schema; only in JSON mode."""
        if self.is_json:
            print(json.dumps({"schema": SCHEMA, **values}), flush=True)

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Print one line for people: parts, each plain or (text, colour). Every part is made safe."""
        if not self.is_json:
            click.echo("".join(self._styled(part) for part in parts), color=self._color)

    def raw(self, text: str) -> None:
        """Print our own text as it is; only for people."""
        if not self.is_json:
            click.echo(text, color=self._color)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str | tuple[str, str]]]) -> None:
        """Print a table for people."""
        if self.is_json:
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(
            highlight=False,
            markup=False,
            emoji=False,
            width=None if sys.stdout.isatty() else PIPE_WIDTH,
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            cells = [(part, "") if isinstance(part, str) else part for part in row]
            table.add_row(*(Text(safe(text), style=style) for text, style in cells))
        with console.capture() as capture:
            console.print(table)
        for line in capture.get().splitlines():
            sys.stdout.write(_without_trailing_blanks(line) + "\n")
        sys.stdout.flush()

    @contextmanager
    def progress(self, words: str) -> Iterator[Progress]:
        """Say on stderr what is being waited for: on a terminal one changing line, else one a step."""
        if self.is_json:
            yield lambda _: None
            return
        is_terminal = sys.stderr.isatty()
        said = ""

        def say(step: str) -> None:
            nonlocal said
            if step and step != said:
                if is_terminal:
                    # One line that never wraps: of a second one a ghost would stay.
                    width = shutil.get_terminal_size().columns
                    click.echo(ERASE_LINE + safe(step, max(8, width - 1)), err=True, nl=False)
                else:
                    click.echo(safe(step), err=True)
                said = step

        try:
            say(words)
            yield say
        finally:
            if is_terminal:
                click.echo(ERASE_LINE, err=True, nl=False)

    def error(self, error: CommandError) -> None:
        """One line on stderr that says what to do next; in JSON mode also an object on stdout."""
        if self.is_json:
            self.data(error={"kind": error.kind.value, "message": error.message, "hint": error.hint})
        message = " ".join(error.message.split()).rstrip(".")
        hint = " ".join(error.hint.split())
        if message.endswith("?"):
            # The parser's own guess: "Did you mean 'meeting'?"
            link, hint = " ", hint[:1].upper() + hint[1:]
        else:
            link = "; "
        click.echo(f"conclavectl: {safe(message)}{link}{safe(hint)}", err=True)

    def _styled(self, part: str | tuple[str, str]) -> str:
        if isinstance(part, str):
            return safe(part)
        text, colour = part
        return click.style(safe(text), fg=colour or None)
