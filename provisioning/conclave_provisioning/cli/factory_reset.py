"""`conclavectl factory-reset`: nothing is left of whose room it was."""

import sys

import click

from conclave_provisioning.cli.changes import change, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Device, Identity
from conclave_provisioning.cli.output import Output, safe
from conclave_provisioning.cli.question import ask


@click.command("factory-reset", short_help="Erase everything, as it left the factory.")
@click.option(
    "--confirm",
    metavar="DOMAIN|SERIAL",
    default=None,
    help="The room's domain or the device's serial number; else it is asked for.",
)
@dry_run_option
@shared_options
def factory_reset(confirm: str | None, dry_run: bool) -> None:
    """Erase keys, certificate, settings, trust, the CA account and the records of meetings.

    There is no way back: the room needs a new certificate afterwards, and a meeting that it is in is left.
    Admins' SSH keys are erased, too, but for those that the image brings: without any, nobody comes in by
    SSH. Type the room's domain or the device's serial number to show that this is the room you mean.

    \b
    Examples:
      conclavectl factory-reset --dry-run
      conclavectl factory-reset --confirm room.example.com

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        identity, device = await client.read(Identity), await client.read(Device)
        word = identity.domain or device.serial
        typed = confirm
        if typed is None:
            # Nothing is erased on a dry run, so nobody has to mean it.
            typed = word if dry_run else _ask(output, word)
        report = await change(client, "Device", "FactoryReset", "s", typed, dry_run=dry_run)
        output.data(**report.json())
        report.say(output, "erased: the room starts as a new one")

    run(action)


def _ask(output: Output, word: str) -> str:
    if output.is_json or not sys.stdin.isatty():
        raise CommandError(
            ErrorKind.USAGE,
            "a factory reset has to be meant",
            hint=f"if you do: conclavectl factory-reset --confirm {safe(word)}",
        )
    click.echo(f"This erases everything of {safe(word)}, and there is no way back.", err=True)
    click.echo("Of SSH keys, those stay that the image brings.", err=True)
    typed = ask(f"Type {word} to go on").strip()
    if typed != word:
        raise CommandError(
            ErrorKind.USAGE,
            f"that is not {safe(word)}, so nothing was erased",
            hint="see what would be: conclavectl factory-reset --dry-run",
        )
    return typed
