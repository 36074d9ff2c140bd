"""GPIO lines on the event loop, by libgpiod's Python package of version 2 (`gpiod` on PyPI).

Debian 12's python3-libgpiod is version 1: the same module name and another API; it is recognised and refused.
A request's descriptor is readable when edges have come, so no thread is needed. What a line is now is read
from the line after edges were asked for, and again after every edge: an edge says that something happened,
the line what is so.
"""

import asyncio
import select
from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from conclave_hal.errors import ConfigurationError, DeviceError
from conclave_hal.options import Rule

CONSUMER = "conclave"
BIASES = ("as-is", "disabled", "pull-up", "pull-down")
MAX_LINE = 1023

Line = int | str
"""A number on its chip, or the name that the board gives it."""


def gpio_line() -> Rule[Line]:
    """A line of the chip."""

    def parse(value: object, folder: Path) -> Line:
        is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_LINE
        is_name = isinstance(value, str) and value.isprintable() and 1 <= len(value) <= 32
        if not (is_number or is_name) or not isinstance(value, int | str):
            raise ValueError
        return value

    return Rule(f"a line's number on its chip, 0 to {MAX_LINE}, or its name", parse)


def load_gpiod() -> ModuleType:
    """The package. Raises ConfigurationError if it is missing, or of version 1."""
    hint = "the image's package is python-gpiod 2; elsewhere: pip install 'conclave[gpio]'"
    try:
        gpiod = import_module("gpiod")
    except ImportError as error:
        raise ConfigurationError(f"driver gpio needs the package gpiod: {error}", hint=hint) from error
    if not hasattr(gpiod, "request_lines"):
        raise ConfigurationError("driver gpio needs gpiod 2, and this is version 1", hint=hint)
    return gpiod


class _Lines:
    """A request of lines, until `release`."""

    def __init__(self, gpiod: ModuleType, chip: str, settings: Mapping[Line, Any]) -> None:
        self._gpiod = gpiod
        try:
            self._request = gpiod.request_lines(chip, config=dict(settings), consumer=CONSUMER)
        except ValueError as error:
            raise DeviceError(f"{chip} has no such line: {error}", hint="`gpioinfo` lists them") from error

    def release(self) -> None:
        """Give the lines back. Safe to call twice."""
        if self._request is not None:
            self._request.release()
            self._request = None


class InputLines(_Lines):
    """Lines that are read. One event loop owns them."""

    def __init__(
        self,
        gpiod: ModuleType,
        chip: str,
        lines: tuple[Line, ...],
        *,
        active_low: bool,
        bias: str,
        debounce_ms: int,
    ) -> None:
        """Ask for both edges. Raises OSError where the chip is not there or a line is taken, DeviceError."""
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.INPUT,
            edge_detection=gpiod.line.Edge.BOTH,
            bias=getattr(gpiod.line.Bias, bias.upper().replace("-", "_")),
            active_low=active_low,
            debounce_period=timedelta(milliseconds=debounce_ms),
        )
        super().__init__(gpiod, chip, dict.fromkeys(lines, settings))
        self._by_offset: dict[int, Line] = dict(zip(self._request.offsets, self._request.lines, strict=True))
        self._has_edges = asyncio.Event()
        self._descriptor = self._request.fd
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        asyncio.get_running_loop().add_reader(self._descriptor, self._has_edges.set)

    def is_active(self, line: Line) -> bool:
        """How the line is now. Raises OSError."""
        return bool(self._request.get_value(line) == self._gpiod.line.Value.ACTIVE)

    async def risen(self) -> tuple[Line, ...]:
        """Wait for edges; the lines that became active, in order. Raises OSError when the chip goes."""
        while True:
            await self._has_edges.wait()
            self._has_edges.clear()
            # The loop may tell twice of the same edges, and reading none would block the whole loop.
            if self._poll.poll(0):
                break
        rising = self._gpiod.EdgeEvent.Type.RISING_EDGE
        events = self._request.read_edge_events()
        return tuple(self._by_offset[e.line_offset] for e in events if e.event_type == rising)

    def release(self) -> None:
        """Give the lines back. Safe to call twice."""
        if self._request is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        super().release()


class OutputLines(_Lines):
    """Lines that are set; inactive until the first `set`."""

    def __init__(self, gpiod: ModuleType, chip: str, lines: tuple[Line, ...], *, active_low: bool) -> None:
        """Raises OSError where the chip is not there or a line is taken, DeviceError."""
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.OUTPUT,
            output_value=gpiod.line.Value.INACTIVE,
            active_low=active_low,
        )
        super().__init__(gpiod, chip, dict.fromkeys(lines, settings))

    def set(self, values: Mapping[Line, bool]) -> None:
        """Set all at once. Raises OSError when the chip goes."""
        value = self._gpiod.line.Value
        levels = {line: value.ACTIVE if is_on else value.INACTIVE for line, is_on in values.items()}
        self._request.set_values(levels)
