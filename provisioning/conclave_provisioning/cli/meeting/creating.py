"""`conclavectl meeting create`: an invitation, and what carries it."""

import sys
import time
from datetime import datetime

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.output import Output, safe

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


@click.command(short_help="Sign an invitation and print its link.")
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
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="A recorder or transcriber that may be let in; again for more. Not in a locked meeting.",
)
@click.option("--conference", required=True, metavar="wss://HOST", help="The conference service.")
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
    services: tuple[str, ...],
    conference: str,
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
          --invite room.partner.example --conference wss://hub.example.com --until 2031-05-01T18:00

    JSON: link.
    """
    for service in services:
        if "://" in service:
            raise CommandError(
                ErrorKind.USAGE,
                "--service names a recorder or transcriber, not an address",
                hint=f"give the conference service with: --conference {service}",
            )
    if not_after is not None and not_after <= time.time():
        raise CommandError(ErrorKind.USAGE, "--until is in the past", hint="give a time to come")
    if not_after is not None and not_before is not None and not_after <= not_before:
        raise CommandError(ErrorKind.USAGE, "--until is not after --from", hint="give a later time")
    options = {"open": is_open, "not_before": not_before, "not_after": not_after, "service_ends": services}
    chosen: dict[str, str | bool | int | tuple[str, ...]] = {k: v for k, v in options.items() if v}

    async def action(client: RoomClient, output: Output) -> None:
        link, _ = await client.act(
            "Meeting", "Create", "ssass", title, level, list(invited), conference, options=chosen
        )
        output.data(link=link)
        output.raw(safe(link, LONGEST_LINK))
        if qr and not output.is_json:
            import segno

            segno.make(link).terminal(out=sys.stdout, compact=True)

    run(action)
