"""What a layout makes: boxes with something in them, in pixels from the top left, and where to press."""

from dataclasses import dataclass, replace
from enum import Enum

from conclave_hal.pixels.navigation import Target
from conclave_hal.pixels.typesetting import TextStyle


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column after it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row after it."""
        return self.y + self.height

    def inset(self, by: int, vertical: int | None = None) -> "Box":
        """Smaller on all sides."""
        down = by if vertical is None else vertical
        return Box(self.x + by, self.y + down, max(0, self.width - 2 * by), max(0, self.height - 2 * down))

    def top(self, height: int, gap: int = 0) -> tuple["Box", "Box"]:
        """A strip at the top, and what is left under it."""
        height = max(0, min(height, self.height))
        taken = min(self.height, height + gap)
        return (
            replace(self, height=height),
            Box(self.x, self.y + taken, self.width, self.height - taken),
        )

    def foot(self, height: int, gap: int = 0) -> tuple["Box", "Box"]:
        """A strip at the bottom, and what is left over it."""
        height = max(0, min(height, self.height))
        left = max(0, self.height - height - gap)
        return Box(self.x, self.bottom - height, self.width, height), replace(self, height=left)

    def start(self, width: int, gap: int = 0) -> tuple["Box", "Box"]:
        """A column where reading starts, and what is left after it."""
        width = max(0, min(width, self.width))
        taken = min(self.width, width + gap)
        return (
            replace(self, width=width),
            Box(self.x + taken, self.y, self.width - taken, self.height),
        )

    def end(self, width: int, gap: int = 0) -> tuple["Box", "Box"]:
        """A column where reading ends, and what is left before it."""
        width = max(0, min(width, self.width))
        left = max(0, self.width - width - gap)
        return Box(self.right - width, self.y, width, self.height), replace(self, width=left)

    def columns(self, count: int, gap: int) -> list["Box"]:
        """So many columns of one width."""
        width = (self.width - gap * (count - 1)) // count
        return [Box(self.x + at * (width + gap), self.y, width, self.height) for at in range(count)]

    def rows(self, count: int, gap: int) -> list["Box"]:
        """So many rows of one height."""
        height = (self.height - gap * (count - 1)) // count
        return [Box(self.x, self.y + at * (height + gap), self.width, height) for at in range(count)]

    def centre(self, width: int, height: int) -> "Box":
        """A box of that size in the middle of this one."""
        return Box(self.x + (self.width - width) // 2, self.y + (self.height - height) // 2, width, height)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is in it."""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def overlaps(self, other: "Box") -> bool:
        """Whether they share a pixel."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )


class Tone(Enum):
    """What a colour is for; the theme says which it is."""

    BACKGROUND = "background"
    SURFACE = "surface"
    LINE = "line"
    TEXT = "text"
    MUTED = "muted"
    SAFE = "safe"
    WARNING = "warning"
    ALARM = "alarm"
    ACCENT = "accent"
    """A button that stands out."""
    ON_ACCENT = "on_accent"


class Shape(Enum):
    """Signs, each with an outline of its own: none is told from another by colour alone."""

    SHIELD_LOCKED = "shield_locked"
    SHIELD_OPENING = "shield_opening"
    SHIELD_BROKEN = "shield_broken"
    SHIELD_NONE = "shield_none"
    TICK = "tick"
    """In a disc: verified."""
    TRIANGLE = "triangle"
    """With an exclamation mark: not verified, or an alarm."""
    CHECKED = "checked"
    """In a square: compared."""
    UNCHECKED = "unchecked"
    MICROPHONE = "microphone"
    MICROPHONE_OFF = "microphone_off"
    CAMERA = "camera"
    CAMERA_OFF = "camera_off"
    SHUTTER = "shutter"
    SPEAKER = "speaker"
    LEAVE = "leave"
    BACK = "back"
    NEXT = "next"
    CLOCK = "clock"
    CROSS = "cross"


class Align(Enum):
    """Where a text stands in its box; START is right where reading starts there."""

    START = "start"
    CENTRE = "centre"
    END = "end"


@dataclass(frozen=True, slots=True)
class Fill:
    """A rectangle with round corners."""

    box: Box
    tone: Tone | None
    radius: int = 0
    border: Tone | None = None
    border_px: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """One line, cut already to its box's width; it stands in the middle of the box's height."""

    box: Box
    text: str
    style: TextStyle
    tone: Tone
    align: Align = Align.START
    is_code: bool = False
    """Digits of the security code: they stand in one order in every language."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A shape that fills its box."""

    box: Box
    shape: Shape
    tone: Tone


@dataclass(frozen=True, slots=True)
class Matrix:
    """A QR code with its quiet zone; always dark on light."""

    box: Box
    text: str

    def __repr__(self) -> str:
        return f"Matrix({self.box})"


Element = Fill | Text | Sign | Matrix


@dataclass(frozen=True, slots=True)
class Touch:
    """Where a finger does something."""

    box: Box
    target: Target


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole screen; later elements stand over earlier ones."""

    width: int
    height: int
    elements: tuple[Element, ...]
    touches: tuple[Touch, ...]
    """In reading order, which is the order in which buttons go through them."""

    def at(self, x: float, y: float) -> Touch | None:
        """What is under a finger."""
        return next((touch for touch in reversed(self.touches) if touch.box.holds(x, y)), None)


def mirrored(scene: Scene) -> Scene:
    """For a language that is read from right to left; the code's digits stay where they are."""

    def turn(box: Box) -> Box:
        return replace(box, x=scene.width - box.right)

    def element(item: Element) -> Element:
        if isinstance(item, Text) and item.is_code:
            return item
        if isinstance(item, Sign) and item.shape in _TURNED:
            return replace(item, box=turn(item.box), shape=_TURNED[item.shape])
        return replace(item, box=turn(item.box))

    return replace(
        scene,
        elements=tuple(map(element, scene.elements)),
        touches=tuple(replace(touch, box=turn(touch.box)) for touch in scene.touches),
    )


_TURNED = {Shape.BACK: Shape.NEXT, Shape.NEXT: Shape.BACK}
