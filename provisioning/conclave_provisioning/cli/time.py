"""`conclavectl time`: what time the device believes, and why."""

import time as system_time

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Device
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import label

ASK = "see who sets the clock: timedatectl timesync-status"


@click.command(short_help="Show what time the device believes, and why.")
@shared_options
def time() -> None:
    """Show what time the device believes, and why.

    Without a believed time nobody is shown as verified. Believed is a clock that was set from outside since
    the device started, and that shows no time before the firmware's build or the last one seen.

    JSON: clock {time, is_believed, doubt, is_synchronised, floor}; times are seconds since 1970.

    \b
    Examples:
      conclavectl time
      conclavectl time --json | jq .clock.is_believed
    """

    async def action(client: RoomClient, output: Output) -> None:
        clock = (await client.read(Device)).clock
        output.data(clock=clock)
        is_believed = clock.get("is_believed") is True
        label(output, "clock", [_when(clock.get("time"))])
        label(output, "believed", [("yes", "green") if is_believed else ("no", "red")])
        label(output, "synchronised", ["yes" if clock.get("is_synchronised") is True else ("no", "red")])
        label(output, "not before", [_when(clock.get("floor"))])
        if not is_believed:
            output.line(("! ", "red"), str(clock.get("doubt") or "the room does not say why"))
            output.line("    ", (ASK, "cyan"))

    run(action)


def _when(seconds: object) -> str:
    if not isinstance(seconds, int):
        return "unknown"
    return system_time.strftime("%Y-%m-%d %H:%M:%S UTC", system_time.gmtime(seconds))
