"""One LED of the kernel's LED class: a folder with `brightness` and its relatives.

A kernel trigger would set the lamp behind our back, so it is switched to `none`; what was written is read
back, because a lamp that says "muted" must really be lit. Source: the kernel's documentation of the LED class
(Documentation/leds/leds-class.rst, leds-class-multicolor.rst).
"""

import contextlib
import os
from pathlib import Path

from conclave_hal.errors import DeviceError

MAX_FILE_BYTES = 4096


class Led:
    """An LED of one colour, or of several (`multi_intensity`)."""

    def __init__(self, folder: Path) -> None:
        """Take the LED. Raises OSError where it is not there, DeviceError where it is none."""
        self._folder = folder
        try:
            self._full = int(self._read("max_brightness"))
        except ValueError:
            raise DeviceError(f"{folder} is no LED") from None
        self._colours: tuple[str, ...] = ()
        with contextlib.suppress(FileNotFoundError):
            self._colours = tuple(self._read("multi_index").split())
        with contextlib.suppress(FileNotFoundError):
            self._write("trigger", "none")

    @property
    def has_colours(self) -> bool:
        """Whether it can be red as well as green."""
        return {"red", "green"} <= set(self._colours)

    def light(self, *, is_lit: bool) -> None:
        """Light it in full, or not. Raises OSError, DeviceError if it does not follow."""
        self._set("brightness", str(self._full if is_lit else 0))

    def colour(self, red: bool, green: bool, blue: bool) -> None:
        """Light these of its colours; those that it lacks stay out. Raises as `light` does."""
        levels = {"red": red, "green": green, "blue": blue}
        intensity = " ".join(str(self._full if levels.get(name) else 0) for name in self._colours)
        self._set("multi_intensity", intensity)
        self.light(is_lit=any(levels.values()))

    def _set(self, name: str, value: str) -> None:
        self._write(name, value)
        if self._read(name).split() != value.split():
            raise DeviceError(f"{self._folder} does not take its {name}", hint="something else sets it too")

    def _read(self, name: str) -> str:
        with (self._folder / name).open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("ascii", "replace").strip()

    def _write(self, name: str, value: str) -> None:
        # Without O_CREAT: in a folder that has gone no file may appear in the lamp's place.
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CLOEXEC | os.O_TRUNC)
        try:
            os.write(descriptor, value.encode("ascii"))
        finally:
            os.close(descriptor)
