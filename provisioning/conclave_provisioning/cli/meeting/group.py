"""The group `conclavectl meeting`."""

import click

from conclave_provisioning.cli.invocation import shared_options
from conclave_provisioning.cli.meeting.auditing import audit
from conclave_provisioning.cli.meeting.creating import create, personal_room
from conclave_provisioning.cli.meeting.hosting import allow_back, end, hand_over, kick, removed
from conclave_provisioning.cli.meeting.joining import join, leave
from conclave_provisioning.cli.meeting.lobby import admit, deny, lobby
from conclave_provisioning.cli.meeting.people import code, roster
from conclave_provisioning.cli.meeting.scheduling import schedule


@click.group(short_help="Invite, join, see who is in, decide who may be, leave.")
@shared_options
def meeting() -> None:
    """Invite to a meeting, join it, see who is in, decide who may be, leave.

    \b
    Before:    create, personal-room, schedule
    In it:     join, roster, code, leave
    As a host: lobby, admit, deny, kick, removed, allow-back, hand-over, end
    After:     audit
    """


for _command in (
    *(create, personal_room, schedule, join, leave, roster, code),
    *(lobby, admit, deny, kick, removed, allow_back, hand_over, end, audit),
):
    meeting.add_command(_command)
