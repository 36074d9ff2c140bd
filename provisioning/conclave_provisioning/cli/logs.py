"""`conclavectl logs`: the journal of the device's own units."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import as_json, read
from conclave_provisioning.cli.output import LONGEST, Output

LOOK_EVERY_S = 1.0
ERROR, WARNING = 3, 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal."""

    time: float = 0.0
    unit: str = ""
    priority: int = 6
    message: str = ""


@click.command(short_help="Show the device's log.")
@click.option("--since", metavar="WHEN", default="", help="today, -1h, '2026-11-30 08:00' (UTC)...")
@click.option(
    "-n", "--lines", type=click.IntRange(1, 10_000), default=200, show_default=True, help="The last so many."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@click.option("--changes", is_flag=True, help="Only the record of what admins changed.")
@shared_options
def logs(since: str, lines: int, follow: bool, changes: bool) -> None:
    """Show the log of the device's own services, the latest last; times are UTC.

    What strangers wrote into a name is shown with its control characters made visible.

    JSON: entries [{time, unit, priority, message}]; time is seconds since 1970, priority as syslog counts (3
    error, 4 warning, 6 word). With --follow one object a line: {"entry": {...}}.

    \b
    Examples:
      conclavectl logs --since -1h
      conclavectl logs --changes
      conclavectl logs -f --json
    """
    options: dict[str, Any] = {"lines": lines, **({"since": since} if since else {})}
    if changes:
        options["changes_only"] = True

    async def action(client: RoomClient, output: Output) -> None:
        began = int(time.time())
        entries, cursor = await ask(client, options)
        if not follow:
            output.data(entries=as_json(entries))
            for entry in entries:
                _print(output, entry)
            if not entries:
                output.line("nothing in the log")
            return
        if not (entries or output.is_json):
            click.echo("nothing in the log yet; Ctrl-C ends it", err=True)
        while True:
            for entry in entries:
                output.data(entry=as_json(entry))
                _print(output, entry)
            await asyncio.sleep(LOOK_EVERY_S)
            place = {"after": cursor, "since": ""} if cursor else {"since": f"@{began}"}
            entries, cursor = await ask(client, {**options, **place})

    run(action)


async def ask(client: RoomClient, options: dict[str, Any]) -> tuple[tuple[Entry, ...], str]:
    """Some of the journal, and the place where it ended. Raises CommandError."""
    found, cursor = await client.act("Device", "Logs", options=options)
    return tuple(read(Entry, one) for one in found), str(cursor)


def _print(output: Output, entry: Entry) -> None:
    colour = "red" if entry.priority <= ERROR else "yellow" if entry.priority == WARNING else ""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.time))
    # Whole, and not as long as a name may be: what an admin changed must not hide behind something long.
    pieces = [(entry.message[at : at + LONGEST], colour) for at in range(0, len(entry.message), LONGEST)]
    output.line(when, f"  {entry.unit.removesuffix('.service'):<10}  ", *pieces)
