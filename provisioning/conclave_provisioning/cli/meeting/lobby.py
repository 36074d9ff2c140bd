"""`conclavectl meeting lobby`, `admit` and `deny`: who asks to join, and a host's answer."""

import click

from conclave_provisioning.cli.changes import dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import refuse, run, shared_options
from conclave_provisioning.cli.meeting.people import present, require_host
from conclave_provisioning.cli.model import Meeting, Request, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words


@click.command(short_help="List who asks to join.")
@shared_options
def lobby() -> None:
    """List who asks to join. Only hosts see them.

    JSON: lobby [{request_id, name, assurance, reason, obstacle}].

    \b
    Example:
      conclavectl meeting lobby
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        require_host(found)
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


@click.command(short_help="Let somebody in from the lobby.")
@click.argument("who", metavar="ID|NAME")
@dry_run_option
@shared_options
def admit(who: str, dry_run: bool) -> None:
    """Let somebody in from the lobby. The security code changes on every panel.

    \b
    Examples:
      conclavectl meeting admit guest.partner.example
      conclavectl meeting admit ID      (of `meeting lobby`, if two share a name)

    JSON: ok, changed, dry_run, changes, request_id, name, assurance.
    """
    _decide("Admit", who, "admitted", dry_run)


@click.command(short_help="Turn somebody in the lobby away.")
@click.argument("who", metavar="ID|NAME")
@dry_run_option
@shared_options
def deny(who: str, dry_run: bool) -> None:
    """Turn somebody in the lobby away.

    \b
    Example:
      conclavectl meeting deny stranger.example

    JSON: ok, changed, dry_run, changes, request_id, name, assurance.
    """
    _decide("Deny", who, "denied", dry_run)


def _decide(verb: str, who: str, words: str, dry_run: bool) -> None:
    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        require_host(found)
        request = _find(found, who)
        if not dry_run:
            await client.act("Meeting", verb, "s", request.request_id)
        tell(
            output,
            one_change(f"meeting.lobby.{request.name}", "waiting", words, dry_run=dry_run),
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
