"""A touch screen: events of the kernel's input layer (evdev) in, taps out.

The tracker is pure. It follows the first finger only: what a second one does is nobody's wish. A tap is a
finger that comes and goes within `SLOP` of the screen; where it came down counts. The
numbers are those of `include/uapi/linux/input-event-codes.h`; multi-touch protocols A and
B are those of Documentation/input/multi-touch-protocol.rst.
"""

from dataclasses import dataclass

from conclave_hal.input.events import EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT

EV_ABS = 3
SYN_MT_REPORT = 2
BTN_LEFT, BTN_TOUCH = 0x110, 0x14A
"""A mouse with absolute positions, as virtual machines have, presses with the first."""
ABS_X, ABS_Y = 0x00, 0x01
ABS_MT_SLOT, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TRACKING_ID = 0x2F, 0x35, 0x36, 0x39
SLOP = 0.04
"""Of the screen's width and height: a finger is never quite still."""


@dataclass(frozen=True, slots=True)
class Range:
    """What an axis reports at its ends."""

    low: int
    high: int

    def part(self, value: int) -> float:
        """From 0 to 1."""
        if self.high <= self.low:
            return 0.0
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True, slots=True)
class Tap:
    """Where a finger came down, from 0 to 1, on the hardware's own axes."""

    x: float
    y: float


class TouchTracker:
    """Turns events into taps. Unplugging means: begin with a new one."""

    def __init__(self, x: Range, y: Range) -> None:
        self._x_range, self._y_range = x, y
        self._x = self._y = 0
        self._is_down = False
        self._began: tuple[float, float] | None = None
        self._has_moved = False
        self._slot = 0
        self._is_lost = False
        self._contacts_of_report = 0

    def feed(self, kind: int, code: int, value: int) -> Tap | None:
        """One event; a tap where it ends one."""
        if kind == EV_SYN:
            return self._synchronised(code)
        if self._is_lost:
            return None
        if kind == EV_KEY and code in (BTN_TOUCH, BTN_LEFT):
            self._is_down = bool(value)
        elif kind == EV_ABS:
            self._axis(code, value)
        return None

    def _axis(self, code: int, value: int) -> None:
        if code == ABS_MT_SLOT:
            self._slot = value
        elif self._slot != 0 or self._contacts_of_report > 0:
            return
        elif code in (ABS_X, ABS_MT_POSITION_X):
            self._x = value
        elif code in (ABS_Y, ABS_MT_POSITION_Y):
            self._y = value
        elif code == ABS_MT_TRACKING_ID:
            self._is_down = value >= 0

    def _synchronised(self, code: int) -> Tap | None:
        if code == SYN_MT_REPORT:
            self._contacts_of_report += 1
            return None
        if code == SYN_DROPPED:
            # The kernel lost events: until the next report nothing is known, and no finger is meant.
            self._is_lost = True
            self._is_down = False
            self._began = None
            return None
        if code != SYN_REPORT:
            return None
        self._contacts_of_report = 0
        if self._is_lost:
            self._is_lost = False
            return None
        return self._reported()

    def _reported(self) -> Tap | None:
        now = (self._x_range.part(self._x), self._y_range.part(self._y))
        if self._is_down:
            if self._began is None:
                self._began, self._has_moved = now, False
            elif max(abs(now[0] - self._began[0]), abs(now[1] - self._began[1])) > SLOP:
                self._has_moved = True
            return None
        began, self._began = self._began, None
        return Tap(*began) if began is not None and not self._has_moved else None


def turned(tap: Tap, rotation: int) -> Tap:
    """As people see it on a picture that was turned clockwise by `rotation` degrees."""
    x, y = tap.x, tap.y
    return {0: Tap(x, y), 90: Tap(y, 1 - x), 180: Tap(1 - x, 1 - y), 270: Tap(1 - y, x)}[rotation]
