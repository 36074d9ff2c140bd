"""The group `conclavectl meeting`."""

import click

from conclave_provisioning.cli.invocation import shared_options
from conclave_provisioning.cli.meeting.creating import create
from conclave_provisioning.cli.meeting.joining import join, leave
from conclave_provisioning.cli.meeting.lobby import admit, deny, lobby
from conclave_provisioning.cli.meeting.people import code, roster


@click.group(short_help="Invite, join, see who is in, admit, leave.")
@shared_options
def meeting() -> None:
    """Invite to a meeting, join it, see who is in, admit, leave."""


for _command in (create, join, leave, roster, code, lobby, admit, deny):
    meeting.add_command(_command)
