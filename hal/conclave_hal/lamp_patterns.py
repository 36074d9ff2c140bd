"""Colour and rhythm of what the ring says. Pure.

Each meaning has a rhythm of its own, so that nobody needs to tell red from green: steady, slow, quick, hard
flashes, two colours in turn.
"""

from dataclasses import dataclass
from enum import Enum

from conclave_hal.indicator import Light

STEADY_S = 2.0
"""How long a steady step lasts; then it is lit anew, in case somebody else put it out."""


class Colour(Enum):
    """Which of red, green and blue are lit."""

    DARK = (False, False, False)
    GREEN = (False, True, False)
    WHITE = (True, True, True)
    RED = (True, False, False)
    AMBER = (True, True, False)


@dataclass(frozen=True, slots=True)
class Step:
    """One colour for some seconds."""

    colour: Colour
    seconds: float


PATTERNS: dict[Light, tuple[Step, ...]] = {
    Light.OFF: (Step(Colour.DARK, STEADY_S),),
    Light.ENCRYPTED: (Step(Colour.GREEN, STEADY_S),),
    Light.JOINING: (Step(Colour.GREEN, 1.0), Step(Colour.DARK, 1.0)),
    Light.CALLING: (Step(Colour.WHITE, 0.25), Step(Colour.DARK, 0.25)),
    Light.ALARM: (Step(Colour.RED, 0.5), Step(Colour.DARK, 0.25)),
    Light.TAMPERED: (Step(Colour.RED, 0.5), Step(Colour.AMBER, 0.5)),
}
"""Each begins with its light step and is repeated."""
