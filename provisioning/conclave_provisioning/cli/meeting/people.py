"""`conclavectl meeting roster` and `code`: who is in, and the code to compare."""

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Meeting, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words


async def present(client: RoomClient) -> Meeting:
    """The meeting that the room is in. Raises CommandError(NOT_IN_MEETING)."""
    found = await client.read(Meeting)
    if found.state != "in_meeting":
        raise CommandError(ErrorKind.NOT_IN_MEETING, f"the room is not in a meeting ({found.state})")
    return found


@click.command(short_help="List who is in, and who is verified.")
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
        found = await present(client)
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


@click.command(short_help="Print the security code to compare.")
@shared_options
def code() -> None:
    """Print the security code, to compare with the other ends' over another channel.

    JSON: code (six groups of five digits; empty while alone), epoch, code_epoch, reason.

    \b
    Example:
      conclavectl meeting code
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        output.data(
            code=found.security_code,
            epoch=found.epoch,
            code_epoch=found.code_epoch,
            reason=found.code_reason,
        )
        output.line(found.security_code or "no code while this room is alone in the meeting")

    run(action)
