"""`conclavectl hardware watch`: what changes about the hardware, line by line."""

import time
from collections.abc import Iterator

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.hardware.listing import NOT_FITTED, details_words
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, Slot, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import HEALTH_COLOURS

Line = list[str | tuple[str, str]]


@click.command("watch", short_help="Print what changes, line by line.")
@click.argument("slots", metavar="[SLOT]...", nargs=-1)
@shared_options
def watch(slots: tuple[str, ...]) -> None:
    """Print what changes about the hardware, a line each with its time, until interrupted.

    First how every device is now, then each change: of what is fitted, or of the slots that are named. For
    one who plugs cables, moves a shutter or turns a camera, and wants to see what the room makes of it.

    \b
    Examples:
      conclavectl hardware watch
      conclavectl hardware watch camera_control --json | jq .device.details

    JSON, one object a line: event (state, changed), time, device as in `hardware list`.
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        known: dict[str, Slot] = {}
        event = "state"
        async for hardware in client.states(Hardware):
            _require_known(slots, hardware)
            for device in hardware.devices:
                is_meant = device.slot in slots if slots else device.driver != NOT_FITTED
                if not is_meant or known.get(device.slot) == device:
                    continue
                now = time.time()
                output.data(event=event, time=now, device=as_json(device))
                clock = time.strftime("%H:%M:%S", time.localtime(now))
                output.line(clock, f"  {device.slot:<15} ", *_line(known.get(device.slot), device))
                known[device.slot] = device
            event = "changed"

    run(action)


def _require_known(slots: tuple[str, ...], hardware: Hardware) -> None:
    known = [device.slot for device in hardware.devices]
    for slot in slots:
        if slot not in known:
            raise CommandError(
                ErrorKind.USAGE, f"there is no slot {slot!r}", hint=f"one of: {', '.join(known)}"
            )


def _line(before: Slot | None, after: Slot) -> Line:
    """How a device is, or what of it has changed."""
    health = (after.health, HEALTH_COLOURS.get(after.health, "red"))
    if before is None:
        more = filter(None, (after.reason, details_words(after)))
        return [f"{after.driver}: ", health, *(f", {words}" for words in more)]
    parts: Line = []
    if (before.health, before.reason) != (after.health, after.reason):
        parts += [health, f", {after.reason}" if after.reason else ""]
    changed = ", ".join(_changed(before, after))
    if changed:
        parts += [", " if parts else "", changed]
    return parts


def _changed(before: Slot, after: Slot) -> Iterator[str]:
    for name in {**before.details, **after.details}:
        old, new = before.details.get(name), after.details.get(name)
        if old != new:
            said = name.removeprefix("is_").replace("_", " ")
            yield f"{said} {_value(old)} -> {_value(new)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
