"""The conversation with a room controller. Sans-IO: bytes and a time in, effects out.

One line after another: while a request waits for the room's answer, or a password for its check, further
lines wait too, 32 of them, so that answers come in the order of what was asked.

    LOCKED --- login, right password ---> OPEN --- logout, silence, hang-up ---> LOCKED

Nothing but `login` and `help` is understood while LOCKED, no feedback is sent, and none that was asked for
survives. The text of feedback and of a query's answer is made by one function.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from conclave_hal.codec_control import ControlAnswer, ControlKind, ControlRequest
from conclave_hal.line_control.guard import LoginGuard
from conclave_hal.line_control.lines import Garbage, Line, LineReader

MAX_WAITING_LINES = 32
MAX_FEEDBACK = 32
"""Paths that one session may follow."""
ANSWER_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Command:
    kind: ControlKind
    argument: str = ""
    """In words, as `help` shows it; empty for none."""
    form: re.Pattern[str] = re.compile("")
    """What the argument looks like."""


COMMANDS = {
    "join": _Command(ControlKind.JOIN, "LINK", re.compile(r"\S+")),
    "leave": _Command(ControlKind.LEAVE),
    "mute-microphone": _Command(ControlKind.MUTE_MICROPHONE),
    "mute-camera": _Command(ControlKind.MUTE_CAMERA),
    "camera-preset": _Command(ControlKind.CAMERA_PRESET, "NUMBER", re.compile("[0-9]{1,3}")),
    "camera-home": _Command(ControlKind.CAMERA_HOME),
    "display-power": _Command(ControlKind.DISPLAY_POWER, "on|standby", re.compile("on|standby")),
}
"""What `command` understands. There is no word that unmutes."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send this to the controller."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """Find out whether this is the password, and call `checked`."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """Hand this to the room, and call `answered`."""

    request: ControlRequest


Effect = Say | Check | Ask


class LineSession:
    """One controller from plugging in to hang-up."""

    def __init__(self, guard: LoginGuard, ids: Iterator[int], *, needs_login: bool, idle_s: float) -> None:
        """`idle_s` of silence end a login. `ids` are for requests: no two sessions use the same."""
        self._guard = guard
        self._ids = ids
        self._needs_login = needs_login
        self._idle_s = idle_s
        self._reader = LineReader()
        self._waiting: deque[Line | Garbage] = deque()
        self._dropped = 0
        self._is_checking = False
        self._asked: int | None = None
        self._answer_by = 0.0
        self._heard_at = 0.0
        self._status: dict[str, str] = {}
        self._followed: list[str] = []
        self.is_logged_in = not needs_login

    def __repr__(self) -> str:
        return f"LineSession({'open' if self.is_logged_in else 'locked'}, {len(self._waiting)} lines wait)"

    # -- what happens ---------------------------------------------------------------------------

    def received(self, data: bytes, now: float) -> list[Effect]:
        """Bytes came from the controller."""
        for each in self._reader.feed(data):
            if len(self._waiting) < MAX_WAITING_LINES:
                self._waiting.append(each)
            else:
                self._dropped += 1
        return self._go_on(now)

    def checked(self, now: float, *, is_right: bool) -> list[Effect]:
        """The password of the last `Check` was compared."""
        if not self._is_checking:
            return []
        self._is_checking = False
        self._guard.tried(now, is_right=is_right)
        self.is_logged_in = is_right
        return [_ok() if is_right else _error("wrong password"), *self._go_on(now)]

    def answered(self, answer: ControlAnswer, now: float) -> list[Effect]:
        """The room has done, or not done, what was asked. An answer that comes too late says nothing."""
        if answer.request_id != self._asked:
            return []
        self._asked = None
        return [_ok() if answer.is_done else _error(answer.reason or "not done"), *self._go_on(now)]

    def told(self, status: Mapping[str, str]) -> list[Effect]:
        """The room's state is this now."""
        before, self._status = self._status, dict(status)
        if not self.is_logged_in:
            return []
        changed = {
            path: self._status.get(path, "")
            for path in sorted(before.keys() | self._status.keys())
            if before.get(path) != self._status.get(path) and self._is_followed(path)
        }
        return [_block(changed)] if changed else []

    def at(self, now: float) -> list[Effect]:
        """Time has come to `next_time`."""
        effects: list[Effect] = []
        if self._asked is not None and now >= self._answer_by:
            self._asked = None
            effects.append(_error("the room did not answer"))
        if self._needs_login and self.is_logged_in and now >= self._heard_at + self._idle_s:
            self._log_out()
            effects.append(_error("logged out: nothing came for some time"))
        return effects + self._go_on(now)

    def next_time(self) -> float | None:
        """When `at` must be called, unless something else happens before."""
        times = [self._answer_by] if self._asked is not None else []
        if self._needs_login and self.is_logged_in:
            times.append(self._heard_at + self._idle_s)
        return min(times, default=None)

    # -- lines ----------------------------------------------------------------------------------

    def _go_on(self, now: float) -> list[Effect]:
        """Take lines until one has to wait for somebody."""
        effects: list[Effect] = []
        while self._waiting and not self._is_checking and self._asked is None:
            line = self._waiting.popleft()
            if isinstance(line, Garbage):
                # A wire that hangs open hums: that is nobody who is still logged in.
                effects.append(_error("garbage on the line"))
            else:
                self._heard_at = now
                effects.extend(self._understand(line.text, now))
        if self._dropped and not self._waiting:
            effects.append(_error(f"{self._dropped} lines were dropped: too many at once"))
            self._dropped = 0
        return effects

    def _understand(self, text: str, now: float) -> list[Effect]:
        verb, _, rest = text.partition(" ")
        verb, rest = verb.lower(), rest.strip()
        if verb == "login":
            return self._log_in(rest, now)
        if verb == "help":
            return [_say(_HELP), _ok()]
        if not self.is_logged_in:
            return [_error("log in first: login PASSWORD")]
        match verb:
            case "status":
                return [_block(self._under(rest)), _ok()]
            case "command":
                return self._command(rest, now)
            case "feedback":
                return self._feedback(rest)
            case "logout":
                self._log_out()
                return [_ok()]
        return [_error("no such verb; see: help")]

    def _log_in(self, password: str, now: float) -> list[Effect]:
        if not self._needs_login:
            return [_ok()]
        wait_s = self._guard.wait_s(now)
        if wait_s > 0:
            return [_error(f"too many wrong passwords: wait {int(wait_s) + 1} s")]
        # Whoever logs in next must not inherit what this one follows.
        self._log_out()
        self._is_checking = True
        return [Check(password)]

    def _log_out(self) -> None:
        self.is_logged_in = not self._needs_login
        self._followed.clear()

    def _command(self, rest: str, now: float) -> list[Effect]:
        name, _, argument = rest.partition(" ")
        argument = argument.strip()
        command = COMMANDS.get(name.lower())
        if command is None:
            return [_error("no such command; see: help")]
        if not command.form.fullmatch(argument):
            return [_error(f"usage: command {name.lower()} {command.argument}".rstrip())]
        self._asked = next(self._ids)
        self._answer_by = now + ANSWER_DEADLINE_S
        return [Ask(ControlRequest(self._asked, command.kind, argument))]

    def _feedback(self, rest: str) -> list[Effect]:
        switch, _, path = rest.partition(" ")
        path = _path(path)
        if switch.lower() == "on":
            if path not in self._followed:
                if len(self._followed) >= MAX_FEEDBACK:
                    return [_error(f"at most {MAX_FEEDBACK} paths are followed")]
                self._followed.append(path)
            return [_ok()]
        if switch.lower() == "off":
            if path and path not in self._followed:
                return [_error("that path is not followed")]
            self._followed = [each for each in self._followed if path and each != path]
            return [_ok()]
        return [_error("usage: feedback on|off [PATH]")]

    # -- the room's state -----------------------------------------------------------------------

    def _under(self, path: str) -> dict[str, str]:
        """What is at or below `path`; all of it for none."""
        path = _path(path)
        return {each: value for each, value in sorted(self._status.items()) if _covers(path, each)}

    def _is_followed(self, path: str) -> bool:
        return any(_covers(each, path) for each in self._followed)


def _path(text: str) -> str:
    return text.strip().strip("/").lower()


def _covers(path: str, other: str) -> bool:
    return not path or other == path or other.startswith(path + "/")


def _block(values: Mapping[str, str]) -> Say:
    """Values as a query and as feedback have them."""
    return _say("".join(f"*s {path}: {_visible(value)}\r\n" for path, value in values.items()) + "** end\r\n")


def _visible(text: str) -> str:
    """On one line of ASCII, whatever it was."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


def _ok() -> Say:
    return _say("OK\r\n")


def _error(text: str) -> Say:
    return _say(f"ERROR {_visible(text)}\r\n")


def _say(text: str) -> Say:
    return Say(text.encode("ascii"))


_HELP = "".join(
    f"{line}\r\n"
    for line in (
        "login PASSWORD | logout",
        "status [PATH]",
        "feedback on|off [PATH]",
        *(f"command {name} {command.argument}".rstrip() for name, command in COMMANDS.items()),
    )
)
