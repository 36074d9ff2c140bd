"""`conclavectl hardware test`: the room tries its hardware, and says what came of it."""

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.doctor import STYLES, Check
from conclave_provisioning.cli.errors import CHECK_FAILED
from conclave_provisioning.cli.hardware.listing import NOT_FITTED
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, as_json, read
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import here


@click.command("test", short_help="Let the hardware try itself.")
@click.argument("slots", metavar="[SLOT]...", nargs=-1)
@click.option(
    "--in-meeting", is_flag=True, help="Also in a meeting; what people there would notice is skipped."
)
@shared_options
def test(slots: tuple[str, ...], in_meeting: bool) -> None:
    """Let the hardware try itself: all that is fitted, or the slots that are named.

    A camera turns a little and back, the lamps pulse, the speaker chimes, the display is asked how it is, the
    panel draws a notice and takes it away, switches and the rest say how they are. Nothing is filmed or
    recorded. In a meeting it is refused without --in-meeting. The exit code is 1 if a test failed.

    \b
    Examples:
      conclavectl hardware test
      conclavectl hardware test camera_control speaker
      conclavectl hardware test --json | jq '.checks[].state'

    JSON: ok, checks [{name (the slot), state (ok, failed, skipped), text, command}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        named = slots or await _fitted(client)
        checks: list[Check] = []
        for slot in named:
            with output.progress(f"testing {slot}"):
                (found,) = await client.act(
                    "Hardware", "Test", "s", slot, options={"in_meeting": True} if in_meeting else {}
                )
            for check in (read(Check, one) for one in found):
                checks.append(check)
                _say(output, check)
        is_well = all(check.state != "failed" for check in checks)
        output.data(ok=is_well, checks=as_json(checks))
        if not named:
            output.line("nothing is fitted; hal.toml says which drivers the room has")
        if not is_well:
            click.get_current_context().exit(CHECK_FAILED)

    run(action)


async def _fitted(client: RoomClient) -> tuple[str, ...]:
    hardware = await client.read(Hardware)
    return tuple(device.slot for device in hardware.devices if device.driver != NOT_FITTED)


def _say(output: Output, check: Check) -> None:
    colour = STYLES.get(check.state, "yellow" if check.state == "skipped" else "red")
    output.line((f"{check.state:<8}", colour), f" {check.name:<15} {check.text}")
    if check.command and check.state == "failed":
        output.line(" " * 25, (here(check.command), "cyan"))
