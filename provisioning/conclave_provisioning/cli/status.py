"""`conclavectl status`: one screen that says how the room is, and how to mend it."""

import os
import time

import click

from conclave_provisioning.cli.advice import as_said_here, problems
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import (
    SERVICE_END,
    Hardware,
    Identity,
    Meeting,
    Policy,
    RoomView,
    Trust,
    as_json,
)
from conclave_provisioning.cli.output import Output

# What the room gives as its reason when somebody in it or its admin left.
LEFT_BY_ITSELF = "left the meeting"

MOST_LABELS = 3

Parts = list[str | tuple[str, str]]

HEALTH_COLOURS = {"ready": "green", "starting": "yellow", "degraded": "yellow", "failed": "red"}


@click.command(short_help="Show how the room is, and how to mend it.")
@shared_options
def status() -> None:
    """Show how the room is: identity, trust, policy, meeting, lock, code, hardware, problems.

    JSON: device, identity (with days_left), anchors, blocked_keys, blocked_names, crls, policy, meeting,
    hardware (with streams), code_shown, problems [{text, command, is_grave}].

    \b
    Examples:
      conclavectl status
      conclavectl status --json | jq .problems
    """
    run(_status)


async def _status(client: RoomClient, output: Output) -> None:
    room, now = await client.read_all(), time.time()
    output.data(**status_json(room, now))
    label(output, "room", [room.identity.name or "without a name"])
    label(output, "identity", identity_words(room.identity, now))
    label(output, "trust", _trust_words(room.trust, now))
    label(output, "policy", [policy_words(room.policy)])
    label(output, "meeting", _meeting_words(room.meeting))
    label(output, "lock", _lock_words(room.meeting))
    label(output, "code", _code_words(room))
    label(output, "microphone", microphone_words(room.hardware))
    label(output, "camera", camera_words(room.hardware))
    if room.hardware.tamper == "tripped":
        label(output, "case", case_words(room.hardware))
    health = room.device.health
    label(
        output, "health", [(health, HEALTH_COLOURS.get(health, "red")), f", conclaved {room.device.version}"]
    )
    for problem in problems(room, now):
        output.line("")
        output.line(("! ", "red" if problem.is_grave else "yellow"), problem.text)
        if problem.command:
            output.line("    ", (here(problem.command), "cyan"))


def here(command: str) -> str:
    """A command as it can be typed where this one was."""
    return as_said_here(command, is_remote=bool(os.environ.get("CONCLAVE_SHELL")))


def lobby_words(meeting: Meeting) -> str:
    """Where a room in the lobby is, and what it waits for."""
    waits = "invited, waiting for a host to come" if meeting.is_invited else "a host has to admit this room"
    return f"in the lobby of {meeting_name(meeting)}; {waits}"


def status_json(room: RoomView, now: float) -> dict[str, object]:
    """What `status --json` prints, and `watch --json` first."""
    return {
        "device": as_json(room.device),
        "identity": identity_json(room.identity, now),
        **as_json(room.trust),
        "policy": as_json(room.policy),
        "meeting": as_json(room.meeting),
        "hardware": as_json(room.hardware),
        "code_shown": room.is_code_shown,
        "problems": [as_json(problem) for problem in problems(room, now)],
    }


def identity_json(identity: Identity, now: float) -> dict[str, object]:
    """An identity with the days that it has left."""
    return {**as_json(identity), "days_left": identity.days_left(now)}


def label(output: Output, name: str, parts: Parts) -> None:
    """Print one line of a screen of facts."""
    output.line(f"{name:<14}", *parts)


def identity_words(identity: Identity, now: float) -> Parts:
    """How an identity stands, in one line."""
    days = identity.days_left(now)
    match identity.state:
        # A failed attempt does not take the certificate away: it is told apart.
        case "enrolled" | "failed" if days is not None and days >= 0:
            key = f"key {identity.key_protection}"
            is_plain = identity.key_protection == "plain"
            return [("enrolled", "green"), f", {days} days left, ", (key, "red") if is_plain else key]
        case "failed" if days is None:
            return [("none", "red"), ", the last enrollment failed"]
        case "enrolled" | "failed":
            return [("expired", "red")]
        case "enrolling":
            return [("enrolling", "yellow"), f": {identity.step}" if identity.step else ""]
        case "none":
            return [("none", "yellow")]
        case other:
            return [(other, "red")]


def meeting_name(meeting: Meeting) -> str:
    """What a meeting is called in a sentence."""
    return meeting.title or meeting.meeting_id or "the meeting"


def muted_words(is_muted: bool) -> str:
    """How camera or microphone stands."""
    return "muted" if is_muted else "on"


def microphone_words(hardware: Hardware) -> Parts:
    """The microphone: either mute, its switch, whether it is heard, and who changed that last."""
    return [
        muted_words(hardware.microphone_muted or hardware.microphone_off),
        ", switch ",
        _switch_words(hardware.mute_switch),
        ", heard by the others" if hardware.microphone_live else "",
        _since(hardware.microphone_changed_at, hardware.microphone_changed_by),
    ]


def camera_words(hardware: Hardware) -> Parts:
    """The camera: either mute, its shutter, whether it is seen, and who changed that last."""
    return [
        muted_words(hardware.camera_muted or hardware.camera_off),
        ", shutter ",
        _switch_words(hardware.shutter),
        ", seen by the others" if hardware.camera_live else "",
        _since(hardware.camera_changed_at, hardware.camera_changed_by),
    ]


def case_words(hardware: Hardware) -> Parts:
    """The case: whether it was opened, and when."""
    colour = {"intact": "green", "tripped": "red"}.get(hardware.tamper, "yellow")
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(hardware.tampered_at))
    word = {"tripped": "opened", "intact": "not opened"}.get(hardware.tamper, hardware.tamper)
    return [(word, colour), f" at {at}" if hardware.tampered_at else ""]


def _switch_words(position: str) -> tuple[str, str]:
    return (position, "red" if position == "unknown" else "")


def _since(at: int, by: str) -> str:
    return f", since {time.strftime('%H:%M', time.localtime(at))} by {by}" if at and by else ""


def _trust_words(trust: Trust, now: float) -> Parts:
    if not trust.anchors:
        return [("nobody", "yellow"), ": nobody can be verified"]
    blocked = len(trust.blocked_keys) + len(trust.blocked_names)
    revoked = sum(crl.revoked for crl in trust.crls)
    more = {"blocked": blocked, "revoked": revoked}
    labels = list(dict.fromkeys(anchor.label for anchor in trust.anchors))
    shown = ", ".join(labels[:MOST_LABELS]) + (" and others" if len(labels) > MOST_LABELS else "")
    return [shown, "".join(f"; {count} {what}" for what, count in more.items() if count)]


def policy_words(policy: Policy) -> str:
    """The room's own rules, in one line."""
    level = "locked meetings only" if policy.minimum_level == "locked" else "any meeting"
    people = ", verified people only" if policy.requires_verified else ""
    ends = "" if policy.allows_service_ends else ", no recorders"
    return f"{level}{people}{ends}"


def _meeting_words(meeting: Meeting) -> Parts:
    name = meeting_name(meeting)
    match meeting.state:
        case "idle":
            return ["none"]
        case "left":
            reason = "" if meeting.left_reason in ("", LEFT_BY_ITSELF) else f": {meeting.left_reason}"
            return [f"none; left {name}{reason}"]
        case "joining":
            count = f" in {meeting.joining_in_s} s, unless people in the room refuse"
            return [f"joining {name}{count if meeting.joining_in_s else ''}"]
        case "lobby":
            return [lobby_words(meeting)]
        case "in_meeting":
            pass
        case other:
            return [other]
    people = meeting.participants
    verified = sum(p.assurance == "verified" for p in people)
    counts = {
        "recording or transcribing": sum(p.role == SERVICE_END for p in people),
        "missing": len(meeting.missing),
        "waiting": len(meeting.lobby),
    }
    more = "".join(f", {count} {what}" for what, count in counts.items() if count)
    return [f"{name}, {meeting.level}: {len(people)} in, {verified} verified{more}"]


def _lock_words(meeting: Meeting) -> Parts:
    colour = {"locked": "green", "none": ""}.get(meeting.lock, "red")
    return [(meeting.lock, colour), f", epoch {meeting.epoch}" if meeting.state == "in_meeting" else ""]


def _code_words(room: RoomView) -> Parts:
    if room.meeting.state != "in_meeting":
        return ["none"]
    if not room.meeting.security_code:
        return ["none while alone"]
    if not room.is_code_shown:
        return [("not on the panel yet", "red"), "; read it: conclavectl meeting code"]
    others = [p for p in room.meeting.participants if not p.is_self]
    compared = sum(p.is_compared for p in others)
    if not compared:
        return ["on the panel; compare it with the others'"]
    return [f"on the panel; compared with {compared} of {len(others)}"]
