"""`conclavectl policy`: what the room puts up with."""

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import done, run, shared_options
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

    JSON: policy {minimum_level}.
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Policy)
        output.data(policy=as_json(found))
        output.line(f"minimum level  {found.minimum_level}")

    run(action)


@policy.command("set", short_help="Change the room's own rules.")
@click.option(
    "--minimum-level",
    type=click.Choice(["standard", "locked"]),
    required=True,
    help="Meetings below are refused. locked: verified participants only, no services.",
)
@shared_options
def set_policy(minimum_level: str) -> None:
    """Change the room's own rules.

    A meeting below the new level is left at once; `conclavectl status` says why.

    \b
    Example:
      conclavectl policy set --minimum-level locked

    JSON: ok, meeting {state, title, left_reason} as it is then.
    """

    async def action(client: RoomClient, output: Output) -> None:
        before = await client.read(Meeting)
        await client.act("Policy", "Set", options={"minimum_level": minimum_level})
        after = await client.read(Meeting)
        state = {"state": after.state, "title": after.title, "left_reason": after.left_reason}
        done(output, f"minimum level: {minimum_level}", meeting=state)
        if before.state not in ("joining", "lobby", "in_meeting"):
            return
        if after.state == "left":
            output.line(f"the room left {meeting_name(before)}: {after.left_reason}")
        elif minimum_level == "locked" and after.level != "locked":
            level = after.level or "perhaps not locked"
            output.line(
                f"the room is on its way into {meeting_name(after)}, which is {level};"
                " to stay out: conclavectl meeting leave"
            )

    run(action)
