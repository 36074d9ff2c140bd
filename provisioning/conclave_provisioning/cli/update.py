"""`conclavectl update`: a new firmware for the device, and which one runs."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from typing import BinaryIO

import click

from conclave_provisioning.cli.changes import change
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Update, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import Parts, label

CHUNK = 512 * 1024
TOLD_EVERY = 20_000_000
"""Bytes between two words about a bundle whose length nobody knows."""
KINDS = {
    "not_genuine": ErrorKind.NOT_GENUINE,
    "damaged": ErrorKind.NOT_GENUINE,
    "wrong_device": ErrorKind.REFUSED,
    "too_old": ErrorKind.REFUSED,
}
"""By the room's `error_kind`."""


@click.group(short_help="Install a new firmware, and see which one runs.")
@shared_options
def update() -> None:
    """The device's firmware: install a new one, and see which one runs.

    \b
    From your desk:
      ssh admin@room update install - < conclave-1.2.0.raucb
      ssh admin@room reboot
      ssh admin@room update status
    """


@update.command(short_help="Install a bundle into the other slot.")
@click.argument("bundle", type=click.File("rb"))
@click.option("--reboot", "restarts", is_flag=True, help="Restart into it afterwards, unless in a meeting.")
@shared_options
def install(bundle: BinaryIO, restarts: bool) -> None:
    """Install BUNDLE (- for stdin) beside the firmware that runs, which stays as it is.

    It is taken only if the device's maker signed it for this kind of device, and not if it is older than the
    device allows. It runs after a restart; if the room is not well then, the device goes back by itself.
    A meeting goes on meanwhile.

    \b
    Examples:
      ssh admin@room update install - < conclave-1.2.0.raucb
      conclavectl update install conclave-1.2.0.raucb --reboot

    JSON: ok, update (as of `update status`), restarts.
    """

    async def action(client: RoomClient, output: Output) -> None:
        with output.progress("making ready") as say:
            await client.listen()
            await _send(client, bundle, say)
            found = await _follow(client, say)
        if found.state != "installed":
            kind = KINDS.get(found.error_kind, ErrorKind.FAILED)
            raise CommandError(kind, found.error or "the update was not installed", hint=found.hint)
        if restarts:
            await change(client, "Device", "Reboot", "", dry_run=False, options={})
        output.data(ok=True, update=as_json(found), restarts=restarts)
        output.line(f"installed: {found.bundle_version}")
        output.line("the device restarts into it" if restarts else "it runs after: conclavectl reboot")

    run(action)


@update.command(short_help="Show which firmware runs, and how an update stands.")
@shared_options
def status() -> None:
    """Show which firmware runs, whether its start was well, and how an update stands.

    \b
    Example:
      conclavectl update status

    JSON: update {state, percent, step, received, bundle_version, error, error_kind, hint, version, slot,
    is_confirmed, next_version, fell_back_from}.
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Update)
        output.data(update=as_json(found))
        slot = f", slot {found.slot}" if found.slot else ""
        label(output, "runs", [found.version or "unknown", slot])
        if found.slot:
            judged = ("well", "green") if found.is_confirmed else ("not judged yet", "yellow")
            label(output, "this start", [judged])
        if found.next_version:
            label(output, "next start", [(found.next_version, "green"), ": conclavectl reboot"])
        if found.fell_back_from:
            label(output, "given up", [(found.fell_back_from, "red"), ": its start was not well"])
        label(output, "update", _update_words(found))
        if found.state == "failed" and found.hint:
            output.line("    ", (found.hint, "cyan"))

    run(action)


async def _send(client: RoomClient, bundle: BinaryIO, say: Callable[[str], None]) -> None:
    """Bring the bundle to the room, and have it installed; what goes wrong leaves nothing there."""
    size = _size(bundle)
    (upload,) = await client.act("Update", "Begin", "x", size, options={})
    sent = 0
    try:
        # Whoever sends may pause: the room is still talked to then.
        while data := await asyncio.to_thread(bundle.read, CHUNK):
            await client.act("Update", "Send", "sxay", upload, sent, data)
            sent += len(data)
            say(_sent_words(sent, size))
        await client.act("Update", "Install", "s", upload, options={})
    except BaseException:
        with contextlib.suppress(CommandError):
            await client.act("Update", "Abandon", "s", upload)
        raise


def _size(bundle: BinaryIO) -> int:
    """Bytes that are left of a file; 0 where it is none."""
    try:
        found = os.fstat(bundle.fileno())
        return found.st_size - bundle.tell() if stat.S_ISREG(found.st_mode) else 0
    except (OSError, ValueError):
        return 0


def _sent_words(sent: int, size: int) -> str:
    """The same words until there is something new to say."""
    if not size:
        return f"sent {sent // TOLD_EVERY * TOLD_EVERY // 1_000_000} MB" if sent >= TOLD_EVERY else ""
    return f"sent {sent * 100 // size // 5 * 5} % of {size // 1_000_000} MB"


async def _follow(client: RoomClient, say: Callable[[str], None]) -> Update:
    """Wait for the end of the installation."""
    async for found in client.states(Update):
        if found.state in ("installed", "failed", "idle"):
            return found
        say(f"{found.percent:3d} %  {found.step}" if found.state == "installing" else found.step)
    raise CommandError(ErrorKind.NOT_RUNNING, "conclaved has stopped")


def _update_words(found: Update) -> Parts:
    match found.state:
        case "idle":
            return ["none"]
        case "receiving":
            return [("coming", "yellow"), f": {found.received // 1_000_000} MB so far"]
        case "installed":
            return [(f"{found.bundle_version} is installed", "green")]
        case "failed":
            return [("failed", "red"), f": {found.error}"]
        case state:
            percent = f" ({found.percent} %)" if state == "installing" else ""
            return [(state, "yellow"), f": {found.step}{percent}"]
