"""`conclavectl support-bundle`: all that a supporter needs to know, and nothing that is secret."""

import gzip
import io
import json
import sys
import tarfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from conclave_provisioning.cli import private_file
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.config import setting_json
from conclave_provisioning.cli.doctor import examine
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.logs import ask
from conclave_provisioning.cli.model import Config, as_json
from conclave_provisioning.cli.named_file import STREAM
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.scrub import scrubbed, scrubbed_values
from conclave_provisioning.cli.status import status_json

README = """What this is: the state of a Conclave meeting room, for whoever is asked to help.

status.json     as `conclavectl status --json`, without the security code
doctor.json     as `conclavectl doctor --json`
settings.json   as `conclavectl config get --json`; secrets are "(set)"
settings.toml   what the admin has set; secrets are "(set)"
versions.json   the device's software
logs.jsonl      the journal of the device's own services, an object a line
missing.json    what could not be had, and why

Keys, the CA account, links' secrets and the security code are not in it; whatever else looked like a secret
is "(removed)". Names of rooms and people, and network addresses, are.
"""

Part = Callable[[RoomClient], Awaitable[str]]


@click.command("support-bundle", short_help="Collect what a supporter needs; no secrets.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(STREAM),
    metavar="FILE",
    show_default="stdout",
    help="Where to write it (.tar.gz, readable by this user alone); - for stdout.",
)
@click.option(
    "-n", "--lines", type=click.IntRange(1, 10_000), default=2000, show_default=True, help="Of the log."
)
@shared_options
def support_bundle(out: Path, lines: int) -> None:
    """Collect status, doctor, settings, versions and log in one file (.tar.gz) for whoever is asked to help.

    No secret is in it: neither keys nor accounts, links or codes. What cannot be had is named in it.

    \b
    Examples:
      conclavectl support-bundle --out room.tar.gz
      ssh admin@room support-bundle > room.tar.gz

    JSON (with --out FILE): ok, file, bytes, parts [name], missing {name: why}.
    """

    async def action(client: RoomClient, output: Output) -> None:
        private_file.check_places(out)
        if out == Path(STREAM) and sys.stdout.isatty():
            raise CommandError(
                ErrorKind.USAGE,
                "the bundle is no text for a terminal",
                hint="give it to a file: conclavectl support-bundle --out room.tar.gz",
            )
        with output.progress("collecting") as say:
            parts, missing = await collect(client, lines, say)
        content = bundle(parts, int(time.time()))
        private_file.write(out, content)
        output.data(ok=True, file=str(out), bytes=len(content), parts=sorted(parts), missing=missing)
        output.line(f"{len(content) // 1024} KiB; read it before you send it")
        for name, why in missing.items():
            output.line(("! ", "yellow"), f"without {name}: {why}")

    run(action)


async def collect(
    client: RoomClient, lines: int, say: Callable[[str], None]
) -> tuple[dict[str, str], dict[str, str]]:
    """Every part by its file name, and why those that are missing are."""

    async def status(client: RoomClient) -> str:
        return _json(scrubbed_values(status_json(await client.read_all(), time.time())))

    async def doctor(client: RoomClient) -> str:
        return _json(scrubbed_values(as_json(await examine(client))))

    async def settings(client: RoomClient) -> str:
        found = (await client.read(Config)).settings
        return _json(scrubbed_values([setting_json(setting) for setting in found]))

    async def document(client: RoomClient) -> str:
        # A document of the device's own making: what is secret in it reads "(set)", its PEM are certificates.
        return (await client.read(Config)).document

    async def versions(client: RoomClient) -> str:
        return _json((await client.act("Device", "Versions"))[0])

    async def logs(client: RoomClient) -> str:
        entries, _ = await ask(client, {"lines": lines})
        return "".join(scrubbed_line(as_json(entry)) + "\n" for entry in entries)

    wanted: dict[str, Part] = {
        "status.json": status,
        "settings.json": settings,
        "settings.toml": document,
        "versions.json": versions,
        "logs.jsonl": logs,
        "doctor.json": doctor,
    }
    parts, missing = {"README": README}, {}
    for name, take in wanted.items():
        say(f"collecting {name}")
        try:
            parts[name] = await take(client)
        except CommandError as error:
            missing[name] = error.message
    parts["missing.json"] = _json(missing)
    return parts, missing


def scrubbed_line(entry: dict[str, Any]) -> str:
    """A log entry as one line, its message without what looks like a secret."""
    return json.dumps({**entry, "message": scrubbed(str(entry["message"]))})


def bundle(parts: dict[str, str], now: int) -> bytes:
    """The parts as a .tar.gz. Nothing is written on the disk."""
    folder = f"conclave-support-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in parts.items():
            content = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), now, 0o600
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=now)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
