"""The group `hardware`, with the commands that other files here hold."""

import click

from conclave_provisioning.cli.hardware.listing import list_slots
from conclave_provisioning.cli.hardware.showing import show
from conclave_provisioning.cli.hardware.tamper import clear_tamper
from conclave_provisioning.cli.hardware.testing import test
from conclave_provisioning.cli.hardware.watching import watch
from conclave_provisioning.cli.invocation import shared_options


@click.group(
    short_help="Camera, microphone, panel and the rest: list, test, watch.", invoke_without_command=True
)
@shared_options
@click.pass_context
def hardware(context: click.Context) -> None:
    """What is fitted in this room, and how it is. Without a command: show.

    Which driver serves which slot stands in hal.toml, the device maker's file.

    \b
    Examples:
      conclavectl hardware
      conclavectl hardware list
      conclavectl hardware test camera_control
      conclavectl hardware watch
    """
    if context.invoked_subcommand is None:
        context.invoke(show)


for _command in (show, list_slots, test, watch, clear_tamper):
    hardware.add_command(_command)
