"""`conclavectl meeting schedule`: the invitations that were given to this room."""

import click

from conclave_provisioning.cli.changes import change, dry_run_option, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation import moment
from conclave_provisioning.cli.invitation_source import read_source
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Scheduled, as_json, read
from conclave_provisioning.cli.named_file import MayNameFile
from conclave_provisioning.cli.output import Output, assurance_words


@click.group(short_help="The invitations that people join by a press on the panel.")
@shared_options
def schedule() -> None:
    """The invitations that this room was given: on their day the panel shows them.

    People in the room join by a press, without a countdown, and muted as always.
    """


@schedule.command(short_help="Give the room an invitation.")
@click.argument(
    "source", metavar="LINK|FILE|-", type=MayNameFile(lambda text: "://" in text or not text.strip())
)
@dry_run_option
@shared_options
def add(source: str, dry_run: bool) -> None:
    """Give the room an invitation: a link, an invitation or calendar file, or any of them on stdin (-).

    On stdin no process list shows the link. The room keeps it until the invitation ends; a later invitation
    to the same meeting takes its place. One that this room would not follow is refused.

    \b
    Examples:
      conclavectl meeting schedule add board.ics
      pass show weekly | conclavectl meeting schedule add -

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    way = read_source(source)

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Meeting", "AddInvitation", "ss", way.link, way.token, dry_run=dry_run)
        tell(output, report, "the panel shows it on its day")

    run(action)


@schedule.command("list", short_help="List them.")
@shared_options
def show() -> None:
    """List the invitations that this room was given and that have not ended.

    \b
    Example:
      conclavectl meeting schedule list

    JSON: invitations [{invitation_id, title, host, assurance, level, service, not_before, not_after}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _invitations(client)
        output.data(invitations=as_json(found))
        if not found:
            output.line("no invitation was given to this room")
            return
        rows = [
            (
                one.invitation_id,
                moment(one.not_before),
                moment(one.not_after),
                one.title,
                f"{one.host} ({assurance_words(one.assurance)})",
            )
            for one in found
        ]
        output.table(("id", "from", "until", "title", "by"), rows)

    run(action)


@schedule.command(short_help="Take an invitation away again.")
@click.argument("which", metavar="ID|TITLE")
@dry_run_option
@shared_options
def remove(which: str, dry_run: bool) -> None:
    """Take an invitation away again, by its id or, where only one has it, its title.

    A meeting that the room is in goes on.

    \b
    Example:
      conclavectl meeting schedule remove Weekly

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _invitations(client)
        ids = [one.invitation_id for one in found if which in (one.invitation_id, one.title)]
        if len(ids) > 1:
            raise CommandError(
                ErrorKind.INVALID_ARGUMENT,
                f"several invitations have the title {which}",
                hint="give the id: conclavectl meeting schedule list",
            )
        arguments = ids[0] if ids else which
        report = await change(client, "Meeting", "RemoveInvitation", "s", arguments, dry_run=dry_run)
        tell(output, report, "the panel shows it no more")

    run(action)


async def _invitations(client: RoomClient) -> tuple[Scheduled, ...]:
    (found,) = await client.act("Meeting", "ListInvitations")
    return tuple(read(Scheduled, one) for one in found)
