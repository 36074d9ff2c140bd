"""`conclavectl hardware clear-tamper`: somebody has looked at a device whose case was opened."""

import click

from conclave_provisioning.cli.changes import change, dry_run_option, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.output import Output


@click.command("clear-tamper", short_help="Say that the opened case was looked at.")
@dry_run_option
@shared_options
def clear_tamper(dry_run: bool) -> None:
    """Say that somebody has looked at the device, whose case was opened, and found nothing wrong.

    Until then panel, lamps and status say that it was opened, over restarts too. It is refused while the case
    is open, and on record like every change.

    \b
    Example:
      conclavectl hardware clear-tamper

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Hardware", "ClearTamper", dry_run=dry_run)
        tell(output, report, "cleared: the device counts as intact from now on")

    run(action)
