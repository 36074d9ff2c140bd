"""`conclavectl doctor`: look at everything now, and say what mends what is not well."""

from dataclasses import dataclass
from typing import Any

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CHECK_FAILED
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import as_json, read
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import here

STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "yellow"}


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str = ""
    state: str = "unknown"
    text: str = ""
    command: str = ""


@click.command(short_help="Look at everything, and say what mends it.")
@shared_options
def doctor() -> None:
    """Look at everything that an enrollment or a meeting needs, and say what mends what is not well.

    The room itself looks: clock, key, certificate, trust, route, dns, acme (reached, and with which time),
    port-80 (as far as it can be seen from within), conference, hardware, ports, disk. The exit code is 1 if a
    check failed.

    JSON: ok, checks [{name, state (ok, warning, failed, unknown), text, command}].

    \b
    Examples:
      conclavectl doctor
      conclavectl doctor --json | jq '.checks[] | select(.state != "ok")'
    """

    async def action(client: RoomClient, output: Output) -> None:
        with output.progress("looking at everything"):
            checks = await examine(client)
        is_well = all(check.state != "failed" for check in checks)
        output.data(ok=is_well, checks=as_json(checks))
        for check in checks:
            output.line(
                (f"{check.state:<8}", STYLES.get(check.state, "red")), f" {check.name:<12} {check.text}"
            )
            if check.command and check.state != "ok":
                output.line(" " * 22, (here(check.command), "cyan"))
        if not is_well:
            click.get_current_context().exit(CHECK_FAILED)

    run(action)


async def examine(client: RoomClient) -> tuple[Check, ...]:
    """What the room finds. Raises CommandError."""
    found: list[Any]
    (found,) = await client.act("Device", "Doctor")
    return tuple(read(Check, one) for one in found)
