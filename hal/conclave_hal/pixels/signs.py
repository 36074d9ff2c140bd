"""The panel's signs, drawn on a grid of 24 by 24: outlines that differ without their colours."""

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from conclave_hal.pixels.scene import Shape

GRID = 24.0
Point = tuple[float, float]


class _Pen:
    """Draws on the grid; `ink` 1 paints, 0 cuts out."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)
        self._x = image.width / GRID
        self._y = image.height / GRID

    def _at(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._x, y * self._y) for x, y in points]

    def area(self, *points: Point, ink: int = 1) -> None:
        self._draw.polygon(self._at(points), fill=255 * ink)

    def disc(self, x: float, y: float, radius: float, ink: int = 1) -> None:
        (left, top), (right, bottom) = self._at([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse((left, top, right, bottom), fill=255 * ink)

    def block(self, x: float, y: float, right: float, bottom: float, radius: float, ink: int = 1) -> None:
        (x, y), (right, bottom) = self._at([(x, y), (right, bottom)])
        self._draw.rounded_rectangle((x, y, right, bottom), radius * self._x, fill=255 * ink)

    def stroke(self, *points: Point, width: float = 2.0, ink: int = 1) -> None:
        placed = self._at(points)
        thick = round(width * self._x)
        self._draw.line(placed, fill=255 * ink, width=thick, joint="curve")
        for x, y in placed:
            half = thick / 2
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=255 * ink)

    def arc(
        self, x: float, y: float, radius: float, begin: int, end: int, width: float = 2.0, ink: int = 1
    ) -> None:
        (left, top), (right, bottom) = self._at([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.arc((left, top, right, bottom), begin, end, fill=255 * ink, width=round(width * self._x))


def draw_sign(shape: Shape, width: int, height: int, smoothing: int) -> Image.Image:
    """The shape's mask, mode L."""
    large = Image.new("L", (width * smoothing, height * smoothing), 0)
    _DRAWN[shape](_Pen(large))
    return large.resize((width, height), Image.Resampling.BOX)


_SHIELD: tuple[Point, ...] = (
    (12, 0.5),
    (22, 3.5),
    (22, 11.5),
    (21.2, 14.6),
    (19.6, 17.4),
    (17.2, 20),
    (12, 23.5),
    (6.8, 20),
    (4.4, 17.4),
    (2.8, 14.6),
    (2, 11.5),
    (2, 3.5),
)
_INNER: tuple[Point, ...] = tuple((12 + (x - 12) * 0.84, 11.7 + (y - 11.7) * 0.86) for x, y in _SHIELD)


def _padlock(pen: _Pen, *, ink: int, lift: float = 0.0) -> None:
    pen.arc(12, 9.6 - lift, 3.6, 180, 360, 1.7, ink)
    pen.stroke((9.25, 9.6 - lift), (9.25, 11.5 - lift), width=1.7, ink=ink)
    if not lift:
        pen.stroke((14.75, 9.6), (14.75, 11.5), width=1.7, ink=ink)
    pen.block(7, 10.8, 17, 17.4, 1.3, ink)
    pen.disc(12, 13.5, 1.2, 1 - ink)
    pen.stroke((12, 13.6), (12, 15.4), width=1.1, ink=1 - ink)


def _locked(pen: _Pen) -> None:
    pen.area(*_SHIELD)
    _padlock(pen, ink=0)


def _opening(pen: _Pen) -> None:
    pen.area(*_SHIELD)
    pen.area(*_INNER, ink=0)
    _padlock(pen, ink=1, lift=1.6)


def _broken(pen: _Pen) -> None:
    pen.area(*_SHIELD)
    # A crack from top to bottom: two halves that do not hold together.
    crack = ((13.2, -1), (9.4, 7.4), (14.2, 11.4), (9.2, 16.6), (12.8, 25))
    pen.stroke(*crack, width=2.2, ink=0)


def _none(pen: _Pen) -> None:
    pen.area(*_SHIELD)
    pen.area(*_INNER, ink=0)
    pen.stroke((7.6, 12), (16.4, 12), width=2.0)


def _tick(pen: _Pen) -> None:
    pen.disc(12, 12, 11)
    pen.stroke((6.8, 12.4), (10.5, 16), (17.2, 8.6), width=2.6, ink=0)


def _triangle(pen: _Pen) -> None:
    pen.area((12, 2.2), (23, 21.4), (1, 21.4))
    pen.stroke((12, 3.2), (22, 20.6), (2, 20.6), (12, 3.2), width=2.0)
    pen.stroke((12, 9.2), (12, 14.2), width=2.4, ink=0)
    pen.disc(12, 18, 1.5, ink=0)


def _checked(pen: _Pen) -> None:
    pen.block(1.5, 1.5, 22.5, 22.5, 4)
    pen.stroke((6.6, 12.4), (10.4, 16.2), (17.4, 8.2), width=2.6, ink=0)


def _unchecked(pen: _Pen) -> None:
    pen.block(1.5, 1.5, 22.5, 22.5, 4)
    pen.block(3.7, 3.7, 20.3, 20.3, 2.6, ink=0)


def _microphone(pen: _Pen) -> None:
    pen.block(8.4, 1.5, 15.6, 14, 3.6)
    pen.arc(12, 10.4, 6.8, 0, 180, 2.0)
    pen.stroke((12, 17), (12, 21.4), width=2.0)
    pen.stroke((8.2, 21.6), (15.8, 21.6), width=2.0)


def _camera(pen: _Pen) -> None:
    pen.block(1.5, 5.5, 16, 18.5, 2.6)
    pen.area((17.4, 10.4), (22.6, 6.8), (22.6, 17.2), (17.4, 13.6))


def _struck(pen: _Pen) -> None:
    pen.stroke((3.6, 2.6), (21, 21.4), width=5.4, ink=0)
    pen.stroke((3, 2.6), (20.6, 21.6), width=2.2)


def _microphone_off(pen: _Pen) -> None:
    _microphone(pen)
    _struck(pen)


def _camera_off(pen: _Pen) -> None:
    _camera(pen)
    _struck(pen)


def _shutter(pen: _Pen) -> None:
    """A lens with a slat over it."""
    pen.disc(12, 12, 10.5)
    pen.disc(12, 12, 8.3, ink=0)
    pen.block(1, 8.6, 23, 15.4, 1.4)


def _speaker(pen: _Pen) -> None:
    pen.area((2, 9), (6.4, 9), (12, 4), (12, 20), (6.4, 15), (2, 15))
    pen.arc(12.4, 12, 4.2, -52, 52, 1.9)
    pen.arc(12.4, 12, 8.4, -48, 48, 1.9)


def _leave(pen: _Pen) -> None:
    pen.stroke((11, 3), (4, 3), (4, 21), (11, 21), width=2.2)
    pen.stroke((9.6, 12), (20.4, 12), width=2.2)
    pen.stroke((16.2, 7.4), (20.8, 12), (16.2, 16.6), width=2.2)


def _back(pen: _Pen) -> None:
    pen.stroke((14.8, 4.6), (7.4, 12), (14.8, 19.4), width=2.8)


def _next(pen: _Pen) -> None:
    pen.stroke((9.2, 4.6), (16.6, 12), (9.2, 19.4), width=2.8)


def _clock(pen: _Pen) -> None:
    pen.disc(12, 12, 11)
    pen.disc(12, 12, 8.8, ink=0)
    pen.stroke((12, 6.4), (12, 12.4), (16, 14.6), width=2.2)


def _cross(pen: _Pen) -> None:
    pen.stroke((5, 5), (19, 19), width=2.8)
    pen.stroke((19, 5), (5, 19), width=2.8)


_DRAWN: dict[Shape, Callable[[_Pen], None]] = {
    Shape.SHIELD_LOCKED: _locked,
    Shape.SHIELD_OPENING: _opening,
    Shape.SHIELD_BROKEN: _broken,
    Shape.SHIELD_NONE: _none,
    Shape.TICK: _tick,
    Shape.TRIANGLE: _triangle,
    Shape.CHECKED: _checked,
    Shape.UNCHECKED: _unchecked,
    Shape.MICROPHONE: _microphone,
    Shape.MICROPHONE_OFF: _microphone_off,
    Shape.CAMERA: _camera,
    Shape.CAMERA_OFF: _camera_off,
    Shape.SHUTTER: _shutter,
    Shape.SPEAKER: _speaker,
    Shape.LEAVE: _leave,
    Shape.BACK: _back,
    Shape.NEXT: _next,
    Shape.CLOCK: _clock,
    Shape.CROSS: _cross,
}
