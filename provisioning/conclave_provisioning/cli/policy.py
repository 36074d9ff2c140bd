"""`conclavectl policy`: what the room puts up with."""

import click

from conclave_provisioning.cli.changes import change, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Meeting, Policy, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import meeting_name


@click.group(short_help="The room's own rules.")
@shared_options
def policy() -> None:
    """The room's own rules; they may be stricter than a meeting's."""


@policy.command("show", short_help="Show the room's own rules.")
@shared_options
def show_policy() -> None:
    """Show the room's own rules.

    \b
    Example:
      conclavectl policy show

    JSON: policy {minimum_level, requires_verified, allows_service_ends}.
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Policy)
        output.data(policy=as_json(found))
        for line in _lines(found):
            output.line(line)

    run(action)


@policy.command("set", short_help="Change the room's own rules.")
@click.option(
    "--minimum-level",
    type=click.Choice(["standard", "locked"]),
    default=None,
    help="Meetings below are refused. locked: verified participants only, no services.",
)
@click.option(
    "--verified-only/--no-verified-only",
    "requires_verified",
    default=None,
    help="Stay only where everybody is verified by this room's own anchors, whatever the level.",
)
@click.option(
    "--service-ends/--no-service-ends",
    "allows_service_ends",
    default=None,
    help="Whether to stay where a recorder or transcriber is in.",
)
@dry_run_option
@shared_options
def set_policy(dry_run: bool, **rules: str | bool | None) -> None:
    """Change the room's own rules: those that are given; the others stay.

    A meeting below the level is left at once. Where somebody in it breaks another rule the room counts down
    first, says whom it minds, and stays if they go in time. The rules can only be stricter than a meeting's
    own.

    \b
    Examples:
      conclavectl policy set --minimum-level locked
      conclavectl policy set --verified-only --no-service-ends

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}], policy as in `policy show`,
    meeting {state, title, left_reason, minds, leaving_in_s} as it is then.
    """
    given = {name: value for name, value in rules.items() if value is not None}
    if not given:
        raise CommandError(
            ErrorKind.USAGE, "no rule is given to be changed", hint="see: conclavectl policy set --help"
        )

    async def action(client: RoomClient, output: Output) -> None:
        before = await client.read(Meeting)
        report = await change(client, "Policy", "Set", options=given, dry_run=dry_run)
        after, policy = await client.read(Meeting), await client.read(Policy)
        state = {
            "state": after.state,
            "title": after.title,
            "left_reason": after.left_reason,
            "minds": after.minds,
            "leaving_in_s": after.leaving_in_s,
        }
        output.data(**report.json(), policy=as_json(policy), meeting=state)
        if dry_run or not report.changed:
            report.say(output, "")
            return
        for line in _lines(policy):
            output.line(line)
        if before.state not in ("joining", "lobby", "in_meeting"):
            return
        if after.state == "left":
            output.line(f"the room left {meeting_name(before)}: {after.left_reason}")
        elif after.minds:
            output.line(f"the room leaves {meeting_name(after)} in {after.leaving_in_s} s: {after.minds}")
        elif rules["minimum_level"] == "locked" and after.level != "locked":
            level = after.level or "perhaps not locked"
            output.line(
                f"the room is on its way into {meeting_name(after)}, which is {level};"
                " to stay out: conclavectl meeting leave"
            )

    run(action)


def _lines(found: Policy) -> tuple[str, ...]:
    return (
        f"minimum level  {found.minimum_level}",
        f"participants   {'verified only' if found.requires_verified else 'as the meeting says'}",
        f"service ends   {'as the meeting says' if found.allows_service_ends else 'none'}",
    )
