"""The screen: pixels, inches and which way up it hangs."""

import math
from dataclasses import dataclass
from enum import Enum

READING_DISTANCE_MM = 3000.0
MM_PER_INCH = 25.4


class Theme(Enum):
    """Light letters on dark, or dark on light."""

    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True, slots=True)
class Screen:
    """As people see it, which is after the turn."""

    width: int
    height: int
    diagonal_inches: float = 10.1
    theme: Theme = Theme.DARK

    @property
    def is_portrait(self) -> bool:
        """Whether it stands upright."""
        return self.height > self.width

    @property
    def unit(self) -> float:
        """Pixels of the panel's measure: its layout is made for 1280 x 800 of them, or 800 x 1280."""
        long, short = max(self.width, self.height), min(self.width, self.height)
        return min(long / 1280, short / 800)

    @property
    def pixels_per_mm(self) -> float:
        """Pixels are taken to be square."""
        return math.hypot(self.width, self.height) / self.diagonal_inches / MM_PER_INCH

    def arc_minutes(self, pixels: float) -> float:
        """How large so many pixels are for somebody three metres away."""
        return math.degrees(math.atan(pixels / self.pixels_per_mm / READING_DISTANCE_MM)) * 60

    def pixels_of(self, arc_minutes: float) -> float:
        """The inverse of `arc_minutes`."""
        return math.tan(math.radians(arc_minutes / 60)) * READING_DISTANCE_MM * self.pixels_per_mm
