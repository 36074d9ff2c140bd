"""What is wrong with a room and the command that mends it: the rules of `conclavectl status`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conclave_provisioning.cli.model import Identity, RoomView

SOON_DAYS = 14
_COMMAND = ": conclavectl "
_GETS_ONE = ("conclavectl identity enroll", "conclavectl identity csr")
LONGEST_ERROR = 160
"""Characters of a CA's own words, so that what to do is still told after them."""


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
    error = identity.error
    if len(error) > LONGEST_ERROR:
        error = error[: LONGEST_ERROR - 1] + "…"
    reason = f"{error}; {identity.hint}" if identity.hint else error
    return f"the last enrollment failed: {reason}"


def problems(room: RoomView, now: float) -> tuple[Problem, ...]:
    """Return everything that is wrong, grave ones first. `now`: seconds since 1970."""
    found = [problem for rule in RULES for problem in rule(room, now)]
    # What is told with more words here: the room's own line says it, too.
    told = {problem.command for problem in found if problem.command}
    found += [problem for problem in _health(room, now) if problem.command not in told]
    return tuple(sorted(found, key=lambda problem: not problem.is_grave))


def as_said_here(command: str, *, is_remote: bool) -> str:
    """The command as it can be typed: over SSH (`is_remote`) a file comes by stdin."""
    words = command.split()
    if not is_remote or words[:1] != ["conclavectl"] or "FILE" not in words:
        return command
    given = command.removesuffix(" < FILE").split()[1:]
    return f"ssh DEVICE {' '.join('-' if word == 'FILE' else word for word in given)} < FILE"


def _health(room: RoomView, now: float) -> Iterator[Problem]:
    if room.device.health == "failed":
        yield Problem("the device does not work", "conclavectl logs", is_grave=True)
    for line in room.device.problems:
        text, sign, command = line.partition(_COMMAND)
        yield Problem(text, f"{_COMMAND[2:]}{command}" if sign else "")


def _told_to_get_one(room: RoomView) -> str:
    """How the room itself says that it gets a certificate: it knows the domain and the way."""
    told = (problem.command for problem in _health(room, 0))
    return next((command for command in told if command.startswith(_GETS_ONE) and "--" not in command), "")


def _identity(room: RoomView, now: float) -> Iterator[Problem]:
    identity = room.identity
    told = _told_to_get_one(room)
    again = told or enroll_command(identity)
    if identity.state == "none" and identity.error:
        # A key that is lost or out of reach: the room had an identity.
        yield Problem(f"{identity.error}: nobody can verify this room", again, is_grave=True)
    elif identity.state == "none":
        yield Problem("the room has no identity: nobody can verify it", again)
    if identity.state == "failed":
        # It may have been for another domain than the certificate's.
        command = told or "conclavectl identity enroll DOMAIN" if identity.name else again
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
    if room.hardware.tamper == "tripped":
        yield Problem(
            "somebody has opened the case of this device: look at it, then clear this",
            "conclavectl hardware clear-tamper",
            is_grave=True,
        )
    if room.hardware.panel_problem:
        yield Problem(
            f"people in the room cannot read the panel, nor compare the code: {room.hardware.panel_problem}",
            "conclavectl hardware list",
            is_grave=True,
        )
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
