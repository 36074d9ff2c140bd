"""A double of libgpiod's Python package, at the API that the drivers use: there is no gpio-sim here.

`test_lines` compares its names with the real package where that is installed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import ModuleType, SimpleNamespace

CHIP = "/dev/gpiochip9"
NAMES = {"SHUTTER": 5, "CASE": 6}
LINES = 32


class Value(Enum):
    INACTIVE = 0
    ACTIVE = 1


class Direction(Enum):
    INPUT = 2
    OUTPUT = 3


class Bias(Enum):
    AS_IS = 1
    DISABLED = 3
    PULL_UP = 4
    PULL_DOWN = 5


class Edge(Enum):
    NONE = 1
    BOTH = 4


class EdgeType(Enum):
    RISING_EDGE = 1
    FALLING_EDGE = 2


@dataclass
class LineSettings:
    direction: Direction = Direction.INPUT
    edge_detection: Edge = Edge.NONE
    bias: Bias = Bias.AS_IS
    active_low: bool = False
    debounce_period: timedelta = timedelta()
    output_value: Value = Value.INACTIVE


@dataclass
class EdgeEvent:
    Type = EdgeType

    event_type: EdgeType
    line_offset: int


@dataclass
class DoubleChip:
    """The chip's lines, as the world sees them; hand `module` to a driver's `load`."""

    levels: dict[int, bool] = field(default_factory=dict)
    """High lines."""
    is_there: bool = True
    requests: list["LineRequest"] = field(default_factory=list)
    has_blocked: bool = False
    """Whether events were read where there were none: the real package waits then, and all else with it."""

    def module(self) -> ModuleType:
        gpiod = ModuleType("gpiod")
        vars(gpiod).update(
            request_lines=self._request_lines,
            LineSettings=LineSettings,
            EdgeEvent=EdgeEvent,
            line=SimpleNamespace(Value=Value, Direction=Direction, Bias=Bias, Edge=Edge),
        )
        return gpiod

    def drive(self, offset: int, *, is_high: bool) -> None:
        """What is outside pulls the line."""
        if self.levels.get(offset, False) is is_high:
            return
        self.levels[offset] = is_high
        for request in self.requests:
            request.edge(offset, is_high=is_high)

    def unplug(self) -> None:
        self.is_there = False
        for request in self.requests:
            request.wake()

    def plug_in(self) -> None:
        self.is_there = True

    def _request_lines(
        self, path: str, config: dict[int | str, LineSettings], consumer: str
    ) -> "LineRequest":
        if not self.is_there or path != CHIP:
            raise FileNotFoundError(2, "No such file or directory")
        settings: dict[int, LineSettings] = {}
        for line, setting in config.items():
            offset = NAMES.get(line, -1) if isinstance(line, str) else line
            if not 0 <= offset < LINES:
                raise ValueError(f"unknown line name: {line}")
            if any(offset in other.settings for other in self.requests):
                raise OSError(16, "Device or resource busy")
            settings[offset] = setting
        request = LineRequest(self, settings)
        self.requests.append(request)
        return request


class LineRequest:
    def __init__(self, chip: DoubleChip, settings: dict[int, LineSettings]) -> None:
        self.chip = chip
        self.settings = settings
        self._events: list[EdgeEvent] = []
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK)
        for offset, setting in settings.items():
            if setting.direction is Direction.OUTPUT:
                self.set_values({offset: setting.output_value})

    @property
    def fd(self) -> int:
        return self._reader

    @property
    def offsets(self) -> list[int]:
        return list(self.settings)

    @property
    def lines(self) -> list[int | str]:
        names = {offset: name for name, offset in NAMES.items()}
        return [names.get(offset, offset) for offset in self.settings]

    def get_value(self, line: int | str) -> Value:
        self._require_chip()
        offset = NAMES[line] if isinstance(line, str) else line
        is_high = self.chip.levels.get(offset, False)
        return Value.ACTIVE if is_high is not self.settings[offset].active_low else Value.INACTIVE

    def set_values(self, values: dict[int | str, Value] | dict[int, Value]) -> None:
        self._require_chip()
        for line, value in values.items():
            offset = NAMES[line] if isinstance(line, str) else line
            is_active = value is Value.ACTIVE
            self.chip.levels[offset] = is_active is not self.settings[offset].active_low

    def read_edge_events(self) -> Iterable[EdgeEvent]:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            self.chip.has_blocked = True
            raise
        self._require_chip()
        events, self._events = self._events, []
        return events

    def release(self) -> None:
        self.chip.requests.remove(self)
        os.close(self._reader)
        os.close(self._writer)

    def edge(self, offset: int, *, is_high: bool) -> None:
        setting = self.settings.get(offset)
        if setting is not None and setting.edge_detection is Edge.BOTH:
            is_active = is_high is not setting.active_low
            kind = EdgeType.RISING_EDGE if is_active else EdgeType.FALLING_EDGE
            self._events.append(EdgeEvent(kind, offset))
            self.wake()

    def wake(self) -> None:
        os.write(self._writer, b"!")

    def _require_chip(self) -> None:
        if not self.chip.is_there:
            raise OSError(19, "No such device")
