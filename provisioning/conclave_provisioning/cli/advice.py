"""What is wrong with a room and the command that mends it: the rules of `conclavectl status`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conclave_provisioning.cli.model import Identity, RoomView

SOON_DAYS = 14
_COMMAND = ": conclavectl "


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that somebody should know."""

    text: str
    command: str
    """What mends it; empty where the text says so itself."""
    is_grave: bool = False
    """Shown in red."""


def enroll_command(identity: Identity) -> str:
    """What gets the room a certificate."""
    return f"conclavectl identity enroll {identity.domain or 'DOMAIN'}"


def failure_words(identity: Identity) -> str:
    """Why the last enrollment failed."""
    reason = f"{identity.error}; {identity.hint}" if identity.hint else identity.error
    return f"the last enrollment failed: {reason}"


def problems(room: RoomView, now: float) -> tuple[Problem, ...]:
    """Return everything that is wrong, grave ones first. `now`: seconds since 1970."""
    found = [problem for rule in RULES for problem in rule(room, now)]
    # What is told with more words here: the room's own line says it, too.
    told = {problem.command for problem in found if problem.command}
    found += [problem for problem in _health(room, now) if problem.command not in told]
    return tuple(sorted(found, key=lambda problem: not problem.is_grave))


def _health(room: RoomView, now: float) -> Iterator[Problem]:
    if room.device.health == "failed":
        yield Problem("the device does not work", "conclavectl logs", is_grave=True)
    for line in room.device.problems:
        text, sign, command = line.partition(_COMMAND)
        yield Problem(text, f"{_COMMAND[2:]}{command}" if sign else "")


def _identity(room: RoomView, now: float) -> Iterator[Problem]:
    identity = room.identity
    again = enroll_command(identity)
    if identity.state == "none":
        yield Problem("the room has no identity: nobody can verify it", again)
    if identity.state == "failed":
        # It may have been for another domain than the certificate's.
        command = "conclavectl identity enroll DOMAIN" if identity.name else again
        yield Problem(failure_words(identity), command, is_grave=not identity.name)
    days = identity.days_left(now)
    if days is not None and days < 0:
        yield Problem(
            "the certificate has expired: others see this room as not verified", again, is_grave=True
        )
    elif days is not None and days < SOON_DAYS and not now < identity.renew_at < identity.not_after:
        if identity.method in ("csr", "import"):
            again = "conclavectl identity csr"
        yield Problem(f"the certificate ends in {days} days and was not renewed", again)


def _key(room: RoomView, now: float) -> Iterator[Problem]:
    if room.identity.key_protection == "plain":
        yield Problem(
            "the room's key lies unprotected on its disk: who takes the disk takes the identity",
            f"{enroll_command(room.identity)}, with a sealed key configured",
            is_grave=True,
        )


def _lock(room: RoomView, now: float) -> Iterator[Problem]:
    if room.meeting.state != "in_meeting":
        return
    if room.meeting.lock == "broken":
        yield Problem(
            "the lock is off: this room may be behind, or somebody interferes",
            "conclavectl meeting leave, then join again and compare the code",
            is_grave=True,
        )
    if room.meeting.minds:
        yield Problem(
            f"this room leaves in {room.meeting.leaving_in_s} s, by its own rules: {room.meeting.minds}",
            "conclavectl meeting roster",
            is_grave=True,
        )
    for notice in room.meeting.notices:
        yield Problem(notice, "")


def _lobby(room: RoomView, now: float) -> Iterator[Problem]:
    if room.meeting.is_host and room.meeting.lobby:
        yield Problem(f"{len(room.meeting.lobby)} waiting in the lobby", "conclavectl meeting lobby")


def _hardware(room: RoomView, now: float) -> Iterator[Problem]:
    for device in room.hardware.devices:
        if device.health in ("failed", "degraded", "unknown"):
            reason = f": {device.reason}" if device.reason else ""
            yield Problem(f"{device.slot} is {device.health}{reason}", "check its cable and power")
    if room.hardware.shutter == "unknown":
        yield Problem("nobody knows whether the shutter is closed: count it as open", "conclavectl hardware")


RULES: tuple[Callable[[RoomView, float], Iterator[Problem]], ...] = (
    _identity,
    _key,
    _lock,
    _lobby,
    _hardware,
)
