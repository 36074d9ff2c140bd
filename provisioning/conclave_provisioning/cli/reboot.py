"""`conclavectl reboot`: the device starts again."""

import click

from conclave_provisioning.cli.changes import change, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.output import Output


@click.command("reboot", short_help="Start the device again.")
@click.option("--force", is_flag=True, help="Even out of a meeting, which is left then.")
@dry_run_option
@shared_options
def reboot(force: bool, dry_run: bool) -> None:
    """Start the device again; people in the room read of it first.

    Refused while the room is in a meeting, unless --force is given. The way back takes about a minute.

    \b
    Examples:
      conclavectl reboot --dry-run
      conclavectl reboot --force

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        options = {"force": True} if force else {}
        report = await change(client, "Device", "Reboot", "", dry_run=dry_run, options=options)
        output.data(**report.json())
        report.say(output, "the device restarts")

    run(action)
