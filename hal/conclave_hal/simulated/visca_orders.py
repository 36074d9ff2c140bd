"""What the simulated camera can be told and asked, by the bytes of the message.

A pattern stands for the messages of one command: `04` is that byte, `??` any byte, `.?` one below 10, and
`2?` one from 20 to 2F. The values are what the question marks stand for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from conclave_hal.camera_control import Power, Tally
from conclave_hal.simulated.camera_body import Axis, CameraBody
from conclave_hal.visca.commands import MAX_PAN_SPEED, MAX_TILT_SPEED, MAX_ZOOM_SPEED, nibbles
from conclave_hal.visca.inquiries import from_nibbles
from conclave_hal.visca.replies import ErrorCode

VERSION = bytes.fromhex("0c0c 0001 0100 02")
"""A maker and a model that nobody has, and two sockets."""
PRESETS = 16


class Refusal(Exception):  # noqa: N818  # what the camera answers, not what went wrong here
    """The camera refuses."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(slots=True)
class Settings:
    """What can be set and asked for again, by the byte of its command."""

    by_register: dict[int, bytes] = field(
        default_factory=lambda: {
            0x33: b"\x03",
            0x35: b"\x00",
            0x39: b"\x00",
            0x43: nibbles(0x80),
            0x44: nibbles(0x80),
            0x4A: nibbles(0x06),
            0x4B: nibbles(0x0D),
            0x4C: nibbles(0x01),
            0x4D: nibbles(0x10),
            0x61: b"\x03",
            0x62: b"\x03",
            0x66: b"\x03",
            0x75: b"\x03",
        }
    )
    obeys_remote: bool = True
    is_waking: bool = False


Act = Callable[[CameraBody, Settings, Sequence[int]], Callable[[], bool]]


class Matched(Protocol):
    """Something with a pattern."""

    @property
    def pattern(self) -> str:
        """As the file's docstring says."""


@dataclass(frozen=True, slots=True)
class Order:
    """One command."""

    pattern: str
    act: Act
    """Begins it, and returns whether it is done by now. Raises Refusal."""
    works_asleep: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One inquiry."""

    pattern: str
    answer: Callable[[CameraBody, Settings], bytes]
    works_asleep: bool = False


M = TypeVar("M", bound=Matched)


def find(table: Sequence[M], message: bytes) -> tuple[M, list[int]] | None:
    """The entry whose pattern the message fits, and the values in it."""
    for entry in table:
        values = _match(entry.pattern.split(), message)
        if values is not None:
            return entry, values
    return None


def _match(parts: list[str], message: bytes) -> list[int] | None:
    if len(parts) != len(message):
        return None
    values = []
    for part, byte in zip(parts, message, strict=True):
        if part == "??":
            values.append(byte)
        elif part.endswith("?"):
            if byte >> 4 != (0 if part[0] == "." else int(part[0], 16)):
                return None
            values.append(byte & 0xF)
        elif byte != int(part, 16):
            return None
    return values


def _at_once() -> bool:
    return True


def _rests(*axes: Axis) -> Callable[[], bool]:
    """Whether the axes have arrived, or were told something else meanwhile."""
    told = [axis.moves for axis in axes]
    return lambda: all(axis.is_still or axis.moves != count for axis, count in zip(axes, told, strict=True))


def _power(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    if values[0] == 0x03:
        body.power = Power.STANDBY
        body.stop()
        return _at_once
    if values[0] != 0x02:
        raise Refusal(ErrorCode.SYNTAX)
    settings.is_waking = body.power is not Power.ON
    return lambda: body.power is Power.ON


def _speed(value: int, fastest: int) -> float:
    if not 1 <= value <= fastest:
        raise Refusal(ErrorCode.SYNTAX)
    return value / fastest


def _direction(direction: int, speed: int, fastest: int, positive: int, negative: int) -> float:
    if direction == 0x03:
        return 0.0
    if direction not in (positive, negative):
        raise Refusal(ErrorCode.SYNTAX)
    return _speed(speed, fastest) * (1 if direction == positive else -1)


def _drive(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    pan_speed, tilt_speed, sideways, upward = values
    pan = _direction(sideways, pan_speed, MAX_PAN_SPEED, 0x02, 0x01)
    tilt = _direction(upward, tilt_speed, MAX_TILT_SPEED, 0x01, 0x02)
    body.pan.keep_going(pan)
    body.tilt.keep_going(tilt)
    return _at_once


def _turn(body: CameraBody, values: Sequence[int], *, is_relative: bool) -> Callable[[], bool]:
    pan_speed, tilt_speed = _speed(values[0], MAX_PAN_SPEED), _speed(values[1], MAX_TILT_SPEED)
    pan = from_nibbles(bytes(values[2:6]), is_signed=True)
    tilt = from_nibbles(bytes(values[6:10]), is_signed=True)
    body.pan.go_to(pan + (body.pan.steps if is_relative else 0), pan_speed)
    body.tilt.go_to(tilt + (body.tilt.steps if is_relative else 0), tilt_speed)
    return _rests(body.pan, body.tilt)


def _turn_to(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    return _turn(body, values, is_relative=False)


def _turn_by(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    return _turn(body, values, is_relative=True)


def _home(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    body.pan.go_to(0)
    body.tilt.go_to(0)
    return _rests(body.pan, body.tilt)


def _zoom(direction: int, default: int | None = None) -> Act:
    def act(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
        step = values[0] if default is None else default
        if step > MAX_ZOOM_SPEED:
            raise Refusal(ErrorCode.SYNTAX)
        body.zoom.keep_going(direction * (step + 1) / (MAX_ZOOM_SPEED + 1))
        return _at_once

    return act


def _zoom_to(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    body.zoom.go_to(from_nibbles(bytes(values[:4])))
    if len(values) == 4:
        return _rests(body.zoom)
    body.focus.go_to(from_nibbles(bytes(values[4:])))
    return _rests(body.zoom, body.focus)


def _focus_mode(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    if values[0] not in (0x02, 0x03, 0x10):
        raise Refusal(ErrorCode.SYNTAX)
    body.is_focus_automatic = not body.is_focus_automatic if values[0] == 0x10 else values[0] == 0x02
    return _at_once


def _focus(direction: int, default: int | None = None) -> Act:
    def act(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
        if body.is_focus_automatic:
            raise Refusal(ErrorCode.NOT_EXECUTABLE)
        step = values[0] if default is None else default
        body.focus.keep_going(direction * (min(step, 7) + 1) / 8)
        return _at_once

    return act


def _focus_to(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    if body.is_focus_automatic:
        raise Refusal(ErrorCode.NOT_EXECUTABLE)
    body.focus.go_to(from_nibbles(bytes(values)))
    return _rests(body.focus)


def _focus_once(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    body.focus.go_to(0x5000)
    return _rests(body.focus)


def _memory(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    action, number = values
    if number >= PRESETS or action > 2:
        raise Refusal(ErrorCode.SYNTAX)
    body.last_preset = number
    if action == 0:
        body.presets.pop(number, None)
    elif action == 1:
        body.presets[number] = body.view()
    else:
        body.look_at(body.presets.get(number, body.home()))
        return _rests(*body.axes)
    return _at_once


def _choice(register: int, *allowed: int) -> Order:
    """A command that sets one byte."""

    def act(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
        if values[0] not in allowed:
            raise Refusal(ErrorCode.SYNTAX)
        settings.by_register[register] = bytes(values)
        return _at_once

    return Order(f"01 04 {register:02x} ??", act)


def _number(register: int) -> Act:
    def act(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
        settings.by_register[register] = bytes((0, 0, *values))
        return _at_once

    return act


def _remote(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    if values[0] not in (0x02, 0x03, 0x10):
        raise Refusal(ErrorCode.SYNTAX)
    settings.obeys_remote = not settings.obeys_remote if values[0] == 0x10 else values[0] == 0x02
    return _at_once


def _tally(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    if values[0] not in (0x02, 0x03):
        raise Refusal(ErrorCode.SYNTAX)
    body.tally = Tally.ON if values[0] == 0x02 else Tally.OFF
    return _at_once


def _settled(body: CameraBody, settings: Settings, values: Sequence[int]) -> Callable[[], bool]:
    return _at_once


_SWITCHES = (0x33, 0x61, 0x62, 0x66, 0x75)
"""Backlight, mirror, freeze, flip, picture mute."""
_NUMBERS = (0x43, 0x44, 0x4A, 0x4B, 0x4C, 0x4D)
"""Red and blue gain, shutter, iris, gain, bright."""

ORDERS: tuple[Order, ...] = (
    Order("01 04 00 ??", _power, works_asleep=True),
    Order("01 06 01 ?? ?? ?? ??", _drive),
    Order("01 06 02 ?? ?? .? .? .? .? .? .? .? .?", _turn_to),
    Order("01 06 03 ?? ?? .? .? .? .? .? .? .? .?", _turn_by),
    Order("01 06 04", _home),
    Order("01 06 05", _home),
    Order("01 06 08 ??", _remote, works_asleep=True),
    Order("01 04 07 00", _zoom(0, 0)),
    Order("01 04 07 02", _zoom(1, 3)),
    Order("01 04 07 03", _zoom(-1, 3)),
    Order("01 04 07 2?", _zoom(1)),
    Order("01 04 07 3?", _zoom(-1)),
    Order("01 04 47 .? .? .? .?", _zoom_to),
    Order("01 04 47 .? .? .? .? .? .? .? .?", _zoom_to),
    Order("01 04 38 ??", _focus_mode),
    Order("01 04 08 00", _focus(0, 0)),
    Order("01 04 08 02", _focus(-1, 3)),
    Order("01 04 08 03", _focus(1, 3)),
    Order("01 04 08 2?", _focus(-1)),
    Order("01 04 08 3?", _focus(1)),
    Order("01 04 48 .? .? .? .?", _focus_to),
    Order("01 04 18 01", _focus_once),
    Order("01 04 3f ?? ??", _memory),
    Order("01 04 10 05", _settled),
    *(Order(f"01 04 {register:02x} 00 00 .? .?", _number(register)) for register in _NUMBERS),
    _choice(0x35, 0x00, 0x01, 0x02, 0x03, 0x05),
    _choice(0x39, 0x00, 0x03, 0x0A, 0x0B, 0x0D),
    *(_choice(register, 0x02, 0x03) for register in _SWITCHES),
    Order("01 7e 01 0a 00 ??", _tally),
)


def _stored(register: int) -> Callable[[CameraBody, Settings], bytes]:
    return lambda body, settings: settings.by_register[register]


QUESTIONS: tuple[Question, ...] = (
    Question("09 00 02", lambda body, settings: VERSION, works_asleep=True),
    Question(
        "09 04 00",
        lambda body, settings: b"\x02" if body.power is Power.ON else b"\x03",
        works_asleep=True,
    ),
    Question("09 06 12", lambda body, settings: nibbles(body.pan.steps) + nibbles(body.tilt.steps)),
    Question("09 06 11", lambda body, settings: bytes((MAX_PAN_SPEED, MAX_TILT_SPEED))),
    Question("09 06 08", lambda body, settings: b"\x02" if settings.obeys_remote else b"\x03"),
    Question("09 04 47", lambda body, settings: nibbles(body.zoom.steps)),
    Question("09 04 48", lambda body, settings: nibbles(body.focus.steps)),
    Question("09 04 38", lambda body, settings: b"\x02" if body.is_focus_automatic else b"\x03"),
    Question("09 04 3f", lambda body, settings: bytes((body.last_preset,))),
    Question("09 7e 01 0a", lambda body, settings: b"\x02" if body.tally is Tally.ON else b"\x03"),
    *(Question(f"09 04 {register:02x}", _stored(register)) for register in Settings().by_register),
)
