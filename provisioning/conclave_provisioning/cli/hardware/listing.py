"""`conclavectl hardware list`: which driver serves which slot, and how it is."""

from typing import Any

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, Slot, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import HEALTH_COLOURS

NOT_FITTED = "none"
"""The driver of a slot that nothing is in."""


@click.command("list", short_help="List the slots: driver, health, details.")
@click.option("--all", "is_all", is_flag=True, help="Also the slots in which nothing is fitted.")
@shared_options
def list_slots(is_all: bool) -> None:
    """List what is fitted: each slot with its driver, its health and why, and what the device says of itself.

    A device that is unplugged is failed, and comes back by itself. JSON has every slot, fitted or not.

    \b
    Examples:
      conclavectl hardware list
      conclavectl hardware list --json | jq '.devices[].health'

    JSON: devices [{slot, driver, health (starting, ready, degraded, failed), reason, details {...}}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Hardware)
        output.data(devices=as_json(found.devices))
        shown = [device for device in found.devices if is_all or device.driver != NOT_FITTED]
        output.table(
            ("slot", "driver", "health", "reason", "details"),
            [
                (
                    device.slot,
                    device.driver,
                    (device.health, HEALTH_COLOURS.get(device.health, "red")),
                    device.reason,
                    details_words(device),
                )
                for device in shown
            ],
        )
        if not shown:
            output.line("nothing is fitted; hal.toml says which drivers the room has")

    run(action)


def details_words(device: Slot) -> str:
    """What a device says of itself, in a line: `model EVI-H100S, pan 120, tilt -4`."""
    return ", ".join(filter(None, (_words(name, value) for name, value in device.details.items())))


def _words(name: str, value: Any) -> str:
    said = name.removeprefix("is_").replace("_", " ")
    if isinstance(value, bool):
        return said if value else ""
    return f"{said} {value}" if value not in ("", None) else ""
