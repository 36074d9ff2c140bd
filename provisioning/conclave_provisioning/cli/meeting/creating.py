"""`conclavectl meeting create` and `personal-room`: an invitation, and what carries it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from conclave_provisioning.cli import private_file, qr_code
from conclave_provisioning.cli.changes import dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation import WayIn, read_facts, write_file
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import DAY_S, Identity
from conclave_provisioning.cli.output import Output, safe

LONGEST_LINK = 8192
LONGEST_DAYS = 3660

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


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


@dataclass(frozen=True, slots=True)
class Wish:
    """The meeting that is wanted, and how its invitation is to be carried."""

    title: str
    level: str
    hosts: tuple[str, ...]
    invited: tuple[str, ...]
    services: tuple[str, ...]
    conference: str
    is_open: bool
    file: Path | None
    qr: bool
    qr_file: Path | None
    ics: Path | None = None
    not_before: int | None = None
    not_after: int | None = None
    dry_run: bool = False


def _meeting_options(command: Decorated) -> Decorated:
    """Add the options that every kind of invitation has."""
    options = (
        click.option(
            "--level",
            type=click.Choice(["locked", "standard"]),
            default="standard",
            show_default=True,
            help="locked: verified participants only, no recorders or transcribers.",
        ),
        click.option(
            "--host",
            "hosts",
            multiple=True,
            metavar="NAME",
            help="Somebody who is a host as well as this room: admits, removes, ends; again for more.",
        ),
        click.option(
            "--invite",
            "invited",
            multiple=True,
            metavar="NAME|@DOMAIN",
            help="A name, or everybody of a domain; again for more.",
        ),
        click.option(
            "--service",
            "services",
            multiple=True,
            metavar="NAME",
            help="A recorder or transcriber that may be in; again for more. Everybody sees it named so.",
        ),
        click.option(
            "--conference",
            default="",
            metavar="wss://HOST",
            help="The conference service; default: as configured on the device.",
        ),
        click.option("--open", "is_open", is_flag=True, help="The link alone admits, as a guest."),
        click.option(
            "--file",
            type=click.Path(path_type=Path),
            default=None,
            help="Also write the invitation to this file (- for stdout): to join without asking the service.",
        ),
        click.option("--qr", is_flag=True, help="Also print the link as a QR code."),
        click.option(
            "--qr-file",
            type=click.Path(path_type=Path),
            default=None,
            help="Also write the QR code as a picture: PATH.png or PATH.svg.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return dry_run_option(command)


@click.command(short_help="Sign an invitation and print its link.")
@click.option("--title", required=True, help="What the panels show.")
@_meeting_options
@click.option(
    "--from", "not_before", type=_Moment(), default=None, help="Not before this time; default: now."
)
@click.option(
    "--until", "not_after", type=_Moment(), default=None, help="Not after this time; default: a day later."
)
@click.option(
    "--ics",
    type=click.Path(path_type=Path),
    default=None,
    help="Also write a calendar entry to this file (- for stdout).",
)
@shared_options
def create(**given: Any) -> None:
    """Sign an invitation and print its link.

    The link carries a secret: who has it can ask to join. Send it only to those who shall come; the files
    hold it too. Who is invited and verified comes in at once, everybody else waits for a host.

    \b
    Examples:
      conclavectl meeting create --title Weekly --invite @example.com
      conclavectl meeting create --title Board --level locked \\
          --host ana@example.com --invite @example.com \\
          --from 2031-05-01T16:00 --until 2031-05-01T18:00 --ics board.ics

    JSON: link, invitation (the signed token), meeting {title, level, not_before, not_after, service};
    with --dry-run ok, changed, dry_run, changes.
    """
    _create(Wish(**given))


@click.command("personal-room", short_help="Sign a standing invitation.")
@click.option("--title", default="", help="What the panels show; default: Room of NAME.")
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_DAYS),
    default=365,
    show_default=True,
    help="For how long the link is good.",
)
@_meeting_options
@shared_options
def personal_room(*, days: int, **given: Any) -> None:
    """Sign a standing invitation: one link to meet by, again and again.

    Each use is a group of its own with keys of its own: who was in yesterday's meeting reads nothing of
    today's. But the link stays the same, and so does who is invited: whoever should no longer come is
    kept out by a new personal room, with a new link.

    \b
    Example:
      conclavectl meeting personal-room --invite @example.com --qr-file door.png

    JSON: link, invitation (the signed token), meeting {title, level, not_before, not_after, service};
    with --dry-run ok, changed, dry_run, changes.
    """
    _create(Wish(**given, not_after=int(time.time()) + days * DAY_S))


def _create(wish: Wish) -> None:
    _check(wish)
    # What is empty is the room's to choose.
    wanted: dict[str, str | bool | int | tuple[str, ...] | None] = {
        "hosts": wish.hosts,
        "service_ends": wish.services,
        "open": wish.is_open,
        "not_before": wish.not_before,
        "not_after": wish.not_after,
    }
    chosen = {name: value for name, value in wanted.items() if value}

    async def action(client: RoomClient, output: Output) -> None:
        title = wish.title or f"Room of {(await client.read(Identity)).name or 'this device'}"
        if wish.dry_run:
            tell(output, one_change("meeting.invitation", "", _words(title, wish), dry_run=True), "")
            return
        arguments = (title, wish.level, list(wish.invited), wish.conference)
        link, token = await client.act("Meeting", "Create", "ssass", *arguments, options=chosen)
        facts = read_facts(token)
        if wish.file is not None:
            private_file.write(wish.file, write_file(title, WayIn(link, token)))
        if wish.ics is not None:
            from conclave_provisioning.cli.calendar_file import write_calendar

            private_file.write(wish.ics, write_calendar(facts, link, int(time.time())))
        if wish.qr_file is not None:
            private_file.write(wish.qr_file, qr_code.picture(link, wish.qr_file))
        output.data(
            link=link,
            invitation=token,
            meeting={
                "title": facts.title,
                "level": facts.level,
                "not_before": facts.not_before,
                "not_after": facts.not_after,
                "service": facts.service,
            },
        )
        output.raw(safe(link, LONGEST_LINK))
        if wish.qr and not output.is_json:
            qr_code.print_code(link)

    run(action)


def _words(title: str, wish: Wish) -> str:
    """What would be signed."""
    invited = ", ".join((*wish.hosts, *wish.invited, *wish.services)) or "nobody by name"
    way = "by the link alone" if wish.is_open else "by a host or an invitation"
    service = wish.conference or "the configured service"
    return f"{title}, {wish.level}, for {invited}; entered {way}; at {service}"


def _check(wish: Wish) -> None:
    """Raise CommandError for what can be known to be wrong before the room is asked."""
    for service in wish.services:
        if "://" in service:
            raise CommandError(
                ErrorKind.USAGE,
                "--service names a recorder or transcriber, not an address",
                hint=f"give the conference service with: --conference {service}",
            )
    for host in wish.hosts:
        if host.startswith("@"):
            raise CommandError(
                ErrorKind.USAGE,
                f"--host {host} is a whole domain",
                hint=f"name each host, and invite the others with: --invite {host}",
            )
    if wish.level == "locked" and (wish.services or wish.is_open):
        raise CommandError(
            ErrorKind.USAGE,
            f"a locked meeting takes no {'--service' if wish.services else '--open'}",
            hint="leave it out, or use --level standard",
        )
    if wish.not_after is not None and wish.not_after <= time.time():
        raise CommandError(ErrorKind.USAGE, "--until is in the past", hint="give a time to come")
    if wish.not_after is not None and wish.not_before is not None and wish.not_after <= wish.not_before:
        raise CommandError(ErrorKind.USAGE, "--until is not after --from", hint="give a later time")
    if wish.qr_file is not None:
        qr_code.check_suffix(wish.qr_file)
    private_file.check_places(wish.file, wish.ics, wish.qr_file)
