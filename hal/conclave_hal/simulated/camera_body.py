"""The body of a simulated camera: axes with weight, a lens, a lamp, and what people may set.

It knows nothing of a protocol and nothing of clocks: `advance` is told how late it is.
"""

import math
from dataclasses import dataclass, field, replace

from conclave_hal.camera_control import Power, Tally

STEP_S = 0.01
"""Between two steps of the mechanics."""


@dataclass(slots=True)
class Axis:
    """One thing that moves, in the camera's steps."""

    least: int
    most: int
    fastest: float
    """Steps in a second."""
    acceleration: float
    """Steps in a second, each second: what it weighs."""
    position: float = 0.0
    velocity: float = 0.0
    moves: int = 0
    """Counts what it was told, so that one who waits for an end sees that it was told something else."""
    _target: float | None = None
    _cruise: float = 0.0

    @property
    def steps(self) -> int:
        """Where it is, as the camera tells."""
        return round(self.position)

    @property
    def is_still(self) -> bool:
        """Whether it has arrived and rests."""
        return self._target is None and self._cruise == 0.0 and self.velocity == 0.0

    def go_to(self, target: int, speed: float = 1.0) -> None:
        """Move there, or as near as it can, at a fraction of the fastest."""
        self.moves += 1
        self._target = float(min(max(target, self.least), self.most))
        self._cruise = self.fastest * speed

    def keep_going(self, speed: float) -> None:
        """Move at this fraction of the fastest, -1.0 to 1.0, until told otherwise or at an end."""
        self.moves += 1
        self._target, self._cruise = None, self.fastest * speed

    def step(self) -> None:
        """Let one step of time pass."""
        if self._target is None:
            wanted = self._cruise
        else:
            distance = self._target - self.position
            if abs(distance) <= max(0.5, abs(self.velocity) * STEP_S):
                self.position, self.velocity, self._target, self._cruise = self._target, 0.0, None, 0.0
                return
            # As fast as it can still brake from.
            wanted = math.copysign(
                min(self._cruise, math.sqrt(2 * self.acceleration * abs(distance))), distance
            )
        change = self.acceleration * STEP_S
        self.velocity += min(max(wanted - self.velocity, -change), change)
        self.position += self.velocity * STEP_S
        if not self.least <= self.position <= self.most:
            self.position = float(min(max(self.position, self.least), self.most))
            self.velocity = 0.0
            if self._target is None:
                self._cruise = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """What a preset keeps."""

    pan: int
    tilt: int
    zoom: int
    focus: int


@dataclass(slots=True)
class CameraBody:
    """A camera of the SRG-300H's build."""

    pan: Axis = field(default_factory=lambda: Axis(-0x2200, 0x2200, 5120.0, 20000.0))
    tilt: Axis = field(default_factory=lambda: Axis(-0x400, 0x1200, 5120.0, 20000.0))
    zoom: Axis = field(default_factory=lambda: Axis(0, 0x4000, 8192.0, 65536.0))
    focus: Axis = field(default_factory=lambda: Axis(0x1000, 0xF000, 32768.0, 262144.0, position=0x1000))
    power: Power = Power.ON
    tally: Tally = Tally.OFF
    is_focus_automatic: bool = True
    presets: dict[int, View] = field(default_factory=dict)
    last_preset: int = 0

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All that moves."""
        return (self.pan, self.tilt, self.zoom, self.focus)

    @property
    def is_still(self) -> bool:
        """Whether nothing moves."""
        return all(axis.is_still for axis in self.axes)

    def step(self) -> None:
        """Let one step of time pass."""
        for axis in self.axes:
            axis.step()

    def stop(self) -> None:
        """Brake everything."""
        for axis in self.axes:
            axis.keep_going(0.0)

    def view(self) -> View:
        """Where it looks."""
        return View(self.pan.steps, self.tilt.steps, self.zoom.steps, self.focus.steps)

    def look_at(self, view: View) -> None:
        """Turn to a view, as fast as it can."""
        for axis, target in zip(self.axes, (view.pan, view.tilt, view.zoom, view.focus), strict=True):
            axis.go_to(target)

    def home(self) -> View:
        """Where it looks after power-on."""
        return replace(self.view(), pan=0, tilt=0)
