"""`conclavectl meeting`: invite, join, look who is there, admit, leave."""

import asyncio
import sys
import time
from datetime import datetime

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import done, refuse, run, shared_options
from conclave_provisioning.cli.model import Meeting, Request, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words, safe
from conclave_provisioning.cli.status import meeting_name

LONGEST_LINK = 8192


class _Moment(click.ParamType[int]):
    """A date and time (ISO 8601; without an offset: this machine's zone) as seconds since 1970."""

    name = "time"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return int(datetime.fromisoformat(str(value)).astimezone().timestamp())
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2031-05-01T09:00", parameter, context)


@click.group(short_help="Invite, join, see who is in, admit, leave.")
@shared_options
def meeting() -> None:
    """Invite to a meeting, join it, see who is in, admit, leave."""


@meeting.command(short_help="Sign an invitation and print its link.")
@click.option("--title", required=True, help="What the panels show.")
@click.option(
    "--level",
    type=click.Choice(["locked", "standard"]),
    default="standard",
    show_default=True,
    help="locked: verified participants only, no recorders or transcribers.",
)
@click.option(
    "--invite",
    "invited",
    multiple=True,
    metavar="NAME|@DOMAIN",
    help="A name, or everybody of a domain; again for more.",
)
@click.option("--service", required=True, metavar="wss://HOST", help="The conference service.")
@click.option("--open", "is_open", is_flag=True, help="The link alone admits, as a guest.")
@click.option(
    "--from", "not_before", type=_Moment(), default=None, help="Not before this time; default: now."
)
@click.option(
    "--until", "not_after", type=_Moment(), default=None, help="Not after this time; default: a day later."
)
@click.option("--qr", is_flag=True, help="Also print the link as a QR code.")
@shared_options
def create(
    title: str,
    level: str,
    invited: tuple[str, ...],
    service: str,
    is_open: bool,
    not_before: int | None,
    not_after: int | None,
    qr: bool,
) -> None:
    """Sign an invitation and print its link.

    The link carries a secret: who has it can ask to join. Send it only to those who shall come.

    \b
    Example:
      conclavectl meeting create --title Weekly --level locked --invite @example.com \\
          --invite room.partner.example --service wss://hub.example.com --until 2031-05-01T18:00

    JSON: link.
    """
    if not_after is not None and not_after <= time.time():
        raise CommandError(ErrorKind.USAGE, "--until is in the past", hint="give a time to come")
    if not_after is not None and not_before is not None and not_after <= not_before:
        raise CommandError(ErrorKind.USAGE, "--until is not after --from", hint="give a later time")
    options = {"open": is_open, "not_before": not_before, "not_after": not_after}
    chosen: dict[str, str | bool | int | tuple[str, ...]] = {k: v for k, v in options.items() if v}

    async def action(client: RoomClient, output: Output) -> None:
        (link,) = await client.act(
            "Meeting", "Create", "ssass", title, level, list(invited), service, options=chosen
        )
        output.data(link=link)
        output.raw(safe(link, LONGEST_LINK))
        if qr and not output.is_json:
            import segno

            segno.make(link).terminal(out=sys.stdout, compact=True)

    run(action)


@meeting.command(short_help="Join the meeting of a link.")
@click.argument("link")
@click.option("--wait", is_flag=True, help="Wait until the room is in, in the lobby, or refused.")
@click.option("--wait-admitted", is_flag=True, help="Wait until the room is in or refused.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Seconds to wait.",
)
@shared_options
def join(link: str, wait: bool, wait_admitted: bool, timeout_s: float) -> None:
    """Join the meeting of LINK (- to read it from stdin, where no process list shows it).

    The panel counts down and people in the room can refuse. Microphone and camera start muted.

    \b
    Examples:
      conclavectl meeting join https://... --wait
      pass show weekly | conclavectl meeting join - --wait-admitted --timeout 600

    JSON: meeting, with the state reached.
    """
    address = sys.stdin.readline().strip() if link == "-" else link
    if not address:
        raise CommandError(
            ErrorKind.USAGE, "there is no link on stdin", hint="see: conclavectl meeting join --help"
        )
    enough = {"in_meeting"} if wait_admitted else {"in_meeting", "lobby"}

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        await client.act("Meeting", "Join", "s", address)
        if wait or wait_admitted:
            try:
                async with asyncio.timeout(timeout_s):
                    found = await _follow(client, output, enough)
            except TimeoutError as error:
                raise CommandError(
                    ErrorKind.TIMED_OUT,
                    f"not {'admitted' if wait_admitted else 'in'} after {timeout_s:g} s; the room goes on",
                    hint="follow it: conclavectl watch, or give up: conclavectl meeting leave",
                ) from error
        else:
            found = await client.read(Meeting)
        output.data(meeting=as_json(found))
        output.line(_state_words(found))

    run(action)


async def _follow(client: RoomClient, output: Output, enough: set[str]) -> Meeting:
    with output.progress("joining") as say:
        async for found in client.states(Meeting):
            if found.state in enough:
                return found
            if found.state == "left":
                raise CommandError(
                    ErrorKind.REFUSED,
                    f"not in the meeting: {found.left_reason or 'it was left'}",
                    hint="ask a host, or check this room: conclavectl status",
                )
            if found.state == "lobby":
                say(_state_words(found))
    raise AssertionError("states end only by an error")


def _state_words(found: Meeting) -> str:
    match found.state:
        case "in_meeting":
            return f"in the meeting {found.title}".rstrip()
        case "lobby":
            return f"in the lobby of {meeting_name(found)}; a host has to admit this room"
        case "joining":
            return f"joining {meeting_name(found)}"
        case other:
            return other


@meeting.command(short_help="Leave the meeting.")
@shared_options
def leave() -> None:
    """Leave the meeting, or give up joining it.

    \b
    Example:
      conclavectl meeting leave
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.act("Meeting", "Leave")
        done(output, "left the meeting")

    run(action)


async def _present(client: RoomClient) -> Meeting:
    """The meeting that the room is in. Raises CommandError(NOT_IN_MEETING)."""
    found = await client.read(Meeting)
    if found.state != "in_meeting":
        raise CommandError(ErrorKind.NOT_IN_MEETING, f"the room is not in a meeting ({found.state})")
    return found


@meeting.command(short_help="List who is in, and who is verified.")
@shared_options
def roster() -> None:
    """List who is in the meeting, and who is verified.

    \b
    JSON: epoch, participants [{leaf, name, assurance, role, is_self, is_heard, reason, issuer, admitted_by}].
    Only the assurance "verified" is verified.

    \b
    Example:
      conclavectl meeting roster
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _present(client)
        output.data(epoch=found.epoch, participants=as_json(found.participants))
        rows = [
            (
                f"{p.name} (this room)" if p.is_self else p.name,
                (assurance_words(p.assurance), ASSURANCE_STYLES.get(p.assurance, "red")),
                p.role,
                "" if p.is_heard or p.is_self else "not heard",
                p.reason or (f"by {p.issuer}" if p.issuer else ""),
            )
            for p in found.participants
        ]
        output.table(("name", "assurance", "role", "", "why"), rows)

    run(action)


@meeting.command(short_help="Print the security code to compare.")
@shared_options
def code() -> None:
    """Print the security code, to compare with the other ends' over another channel.

    JSON: code (six groups of five digits; empty while alone), epoch, code_epoch, reason.

    \b
    Example:
      conclavectl meeting code
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _present(client)
        output.data(
            code=found.security_code,
            epoch=found.epoch,
            code_epoch=found.code_epoch,
            reason=found.code_reason,
        )
        output.line(found.security_code or "no code while this room is alone in the meeting")

    run(action)


@meeting.command(short_help="List who asks to join.")
@shared_options
def lobby() -> None:
    """List who asks to join.

    JSON: lobby [{request_id, name, assurance, reason, obstacle}].

    \b
    Example:
      conclavectl meeting lobby
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _present(client)
        output.data(lobby=as_json(found.lobby))
        if not found.lobby:
            output.line("nobody is waiting")
            return
        rows = [
            (
                r.request_id,
                r.name,
                (assurance_words(r.assurance), ASSURANCE_STYLES.get(r.assurance, "red")),
                r.reason,
            )
            for r in found.lobby
        ]
        output.table(("id", "name", "assurance", "why"), rows)

    run(action)


@meeting.command(short_help="Let somebody in from the lobby.")
@click.argument("who", metavar="ID|NAME")
@shared_options
def admit(who: str) -> None:
    """Let somebody in from the lobby. The security code changes on every panel.

    \b
    Examples:
      conclavectl meeting admit guest.partner.example
      conclavectl meeting admit ID        (as in `meeting lobby`, where two have the same name)

    JSON: ok, request_id, name, assurance.
    """
    _decide("Admit", who, "admitted")


@meeting.command(short_help="Turn somebody in the lobby away.")
@click.argument("who", metavar="ID|NAME")
@shared_options
def deny(who: str) -> None:
    """Turn somebody in the lobby away.

    \b
    Example:
      conclavectl meeting deny stranger.example

    JSON: ok, request_id, name, assurance.
    """
    _decide("Deny", who, "denied")


def _decide(verb: str, who: str, words: str) -> None:
    async def action(client: RoomClient, output: Output) -> None:
        request = _find(await _present(client), who)
        await client.act("Meeting", verb, "s", request.request_id)
        done(
            output,
            f"{words}: {request.name} ({assurance_words(request.assurance)})",
            request_id=request.request_id,
            name=request.name,
            assurance=request.assurance,
        )

    run(action)


def _find(found: Meeting, who: str) -> Request:
    """Return the request meant: by its id, or by a name that only one of them has.

    A stranger chooses its name, and two may choose the same: then only an id says who is meant.
    """
    by_id = [r for r in found.lobby if r.request_id == who]
    matches = by_id or [r for r in found.lobby if r.name == who]
    if not matches:
        raise CommandError(
            ErrorKind.NOT_FOUND,
            f"nobody called {who} is waiting",
            hint="see who is: conclavectl meeting lobby",
        )
    if len(matches) > 1:
        ids = ", ".join(r.request_id for r in matches)
        raise refuse(f"{len(matches)} are waiting as {who}", hint=f"say which by its id: {ids}")
    return matches[0]
