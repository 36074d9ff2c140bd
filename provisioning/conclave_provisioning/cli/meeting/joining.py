"""`conclavectl meeting join` and `leave`."""

import asyncio

import click

from conclave_provisioning.cli.changes import dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation_source import read_source
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Meeting, as_json
from conclave_provisioning.cli.named_file import MayNameFile
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import lobby_words, meeting_name

REFUSED_IN_THE_ROOM = "people in the room refused to join"
"""What `left_reason` says then (`conclaved.service.panel_view`)."""


@click.command(short_help="Join a meeting by its link or file.")
@click.argument(
    "source", metavar="LINK|FILE|-", type=MayNameFile(lambda text: "://" in text or not text.strip())
)
@click.option(
    "--wait",
    "--wait-admitted",
    "waits",
    is_flag=True,
    help="Wait until the room is in or refused, or the meeting has ended.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Seconds to wait.",
)
@dry_run_option
@shared_options
def join(source: str, waits: bool, timeout_s: float, dry_run: bool) -> None:
    """Join a meeting by its link, by an invitation or calendar file, or by any of them on stdin (-).

    On stdin no process list shows the link. An invitation file needs no answer from the conference service
    about who signed what; one that was changed, or is over, is refused here.

    The panel counts down and people in the room can refuse. Microphone and camera start muted.

    \b
    Examples:
      conclavectl meeting join https://... --wait
      conclavectl meeting join board.ics --wait
      pass show weekly | conclavectl meeting join - --wait --timeout 600

    JSON: meeting, with the state reached; with --dry-run ok, changed, dry_run, changes.
    """
    way = read_source(source)

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        if dry_run:
            before = await client.read(Meeting)
            if before.state in ("joining", "lobby", "in_meeting"):
                raise CommandError(ErrorKind.ALREADY_IN_MEETING, f"the room is in {meeting_name(before)}")
            tell(output, one_change("meeting.state", before.state, "joining", dry_run=True), "")
            return
        if way.token:
            await client.act("Meeting", "JoinWith", "ss", way.link, way.token)
        else:
            await client.act("Meeting", "Join", "s", way.link)
        if waits:
            try:
                async with asyncio.timeout(timeout_s):
                    found = await _follow(client, output)
            except TimeoutError as error:
                raise CommandError(
                    ErrorKind.TIMED_OUT,
                    f"not in after {timeout_s:g} s; the room goes on",
                    hint="follow it: conclavectl watch, or give up: conclavectl meeting leave",
                ) from error
        else:
            found = await client.read(Meeting)
        output.data(meeting=as_json(found))
        output.line(_state_words(found))

    run(action)


async def _follow(client: RoomClient, output: Output) -> Meeting:
    with output.progress("joining") as say:
        async for found in client.states(Meeting):
            if found.state == "in_meeting":
                return found
            if found.state == "left":
                raise CommandError(
                    ErrorKind.REFUSED,
                    f"not in the meeting: {found.left_reason or 'it was left'}",
                    hint=_what_then(found.left_reason),
                )
            if found.state == "lobby" or found.joining_in_s:
                say(_state_words(found))
    raise AssertionError("states end only by an error")


def _what_then(left_reason: str) -> str:
    if left_reason == REFUSED_IN_THE_ROOM:
        return "talk to them before you ask again"
    return "ask a host, or check this room: conclavectl status"


def _state_words(found: Meeting) -> str:
    match found.state:
        case "in_meeting":
            return f"in the meeting {found.title}".rstrip()
        case "lobby":
            return lobby_words(found)
        case "joining" if found.joining_in_s:
            return (
                f"joining {meeting_name(found)} in {found.joining_in_s} s, unless people in the room refuse"
            )
        case "joining":
            return f"joining {meeting_name(found)}"
        case other:
            return other


@click.command(short_help="Leave the meeting.")
@dry_run_option
@shared_options
def leave(dry_run: bool) -> None:
    """Leave the meeting, or give up joining it. A room that is in none is left as it is.

    \b
    Example:
      conclavectl meeting leave

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        before = (await client.read(Meeting)).state
        is_in = before in ("joining", "lobby", "in_meeting")
        if not dry_run:
            try:
                await client.act("Meeting", "Leave")
            except CommandError as error:
                if error.kind is not ErrorKind.NOT_IN_MEETING:
                    raise
                is_in = False
            else:
                is_in, before = True, before if is_in else "joining"
        report = one_change("meeting.state", before if is_in else "left", "left", dry_run=dry_run)
        tell(output, report, "left the meeting")

    run(action)
