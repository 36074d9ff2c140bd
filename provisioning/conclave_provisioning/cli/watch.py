"""`conclavectl watch`: what happens in the room, line by line."""

import time
from collections.abc import Iterator
from typing import Any

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.meeting.people import media_words
from conclave_provisioning.cli.model import Meeting, as_json, read
from conclave_provisioning.cli.output import Output, assurance_words
from conclave_provisioning.cli.status import meeting_name, muted_words, status_json

# Told in words of their own, or too long for a line.
NOT_BY_NAME = {
    *("participants", "lobby", "removed", "minds", "security_code", "code_reason"),
    *("joining_in_s", "asked_by"),
    *("certificates", "devices", "streams", "anchors"),
}
# What the panel draws is proof for `status`, and no news; a countdown is told once.
INNER = {
    *("panel_serial", "panel_epoch", "code_time", "leaving_in_s"),
    *("camera_off", "microphone_off", "camera_changed_at", "microphone_changed_at", "tampered_at"),
}
MUTES = {"camera_muted": "camera", "microphone_muted": "microphone"}


@click.command(short_help="Print what happens in the room, line by line.")
@shared_options
def watch() -> None:
    """Print what happens in the room, a line each, until interrupted.

    JSON, one object a line: first {"event": "state", ...} with all that `status --json` has, then
    {"event": "changed", "interface": "Meeting", "changed": {field: new value}}.

    \b
    Examples:
      conclavectl watch
      conclavectl watch --json | jq .changed
    """
    run(_watch)


async def _watch(client: RoomClient, output: Output) -> None:
    await client.listen()
    room = await client.read_all()
    output.data(event="state", **status_json(room, time.time()))
    output.line(f"watching {room.identity.name or 'the room'}; Ctrl-C ends it")
    before = room.meeting
    values: dict[str, Any] = as_json(before)
    async for interface, changed in client.changes():
        output.data(event="changed", interface=interface, changed=as_json(changed))
        lines = list(_simple(changed))
        if interface == Meeting.INTERFACE:
            values |= changed
            after = read(Meeting, values)
            lines += _meeting_lines(before, after)
            before = after
        for line in lines:
            output.line(time.strftime("%H:%M:%S"), f"  {interface.lower():<9} ", line)


def _simple(changed: dict[str, Any]) -> Iterator[str]:
    for name, value in changed.items():
        if name in NOT_BY_NAME or name in INNER:
            continue
        if name in MUTES:
            yield f"{MUTES[name]}: {muted_words(bool(value))}"
            continue
        words = _words(value)
        if words:
            yield f"{name.replace('_', ' ')}: {words}"


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _meeting_lines(before: Meeting, after: Meeting) -> Iterator[str]:
    """What has changed among the people and in the code, in words."""
    old = {(p.leaf, p.name) for p in before.participants}
    new = {(p.leaf, p.name) for p in after.participants}
    for person in after.participants:
        if (person.leaf, person.name) not in old:
            yield f"came: {person.name} ({assurance_words(person.assurance)}, {person.role})"
    for person in before.participants:
        if (person.leaf, person.name) not in new:
            yield f"went: {person.name}"
    was = {(p.leaf, p.name): media_words(p) for p in before.participants}
    for person in after.participants:
        told = set(media_words(person)) - set(was.get((person.leaf, person.name), ()))
        if told and (person.leaf, person.name) in was:
            yield f"{person.name}: {', '.join(sorted(told, reverse=True))}"
    known = {r.request_id for r in before.lobby}
    for request in after.lobby:
        if request.request_id not in known:
            yield (
                f"asks to join: {request.name} ({assurance_words(request.assurance)});"
                f" conclavectl meeting admit {request.request_id}"
            )
    kept_out = {r.key_id for r in before.removed}
    for one in after.removed:
        if one.key_id not in kept_out:
            yield f"removed and kept out: {one.name or one.key_id}"
    if after.joining_in_s and not before.joining_in_s:
        asked = f"asked to join {meeting_name(after)} by {after.asked_by}"
        yield f"{asked}: in {after.joining_in_s} s, unless people in the room refuse"
    if after.minds != before.minds:
        if after.minds:
            yield f"this room leaves in {after.leaving_in_s} s: {after.minds}"
        elif after.state == "in_meeting":
            yield "this room stays: what it minded has passed"
    if after.security_code != before.security_code:
        why = f", because {after.code_reason}" if after.security_code and after.code_reason else ""
        yield f"security code: {after.security_code or 'none'}{why}"
