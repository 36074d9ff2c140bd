"""A page being laid out: measures, and the pieces that many pages share."""

from conclave_hal.pixels.bidi import Direction
from conclave_hal.pixels.fonts import Face
from conclave_hal.pixels.language import Words
from conclave_hal.pixels.navigation import Listing, Open, Opened, Target, Turn
from conclave_hal.pixels.scene import (
    Align,
    Box,
    Element,
    Fill,
    Matrix,
    Scene,
    Shape,
    Sign,
    Text,
    Tone,
    Touch,
    mirrored,
)
from conclave_hal.pixels.screen import Screen
from conclave_hal.pixels.typesetting import TextStyle, Typesetter


class Page:
    """Collects what stands where. Boxes are made as for reading from the left; `scene` mirrors them."""

    def __init__(self, screen: Screen, words: Words, typesetter: Typesetter, opened: Opened) -> None:
        self.screen = screen
        self.words = words
        self.typesetter = typesetter
        self.opened = opened
        self._elements: list[Element] = []
        self._touches: list[Touch] = []
        self.whole = Box(0, 0, screen.width, screen.height)
        self.fill(self.whole, Tone.BACKGROUND)

    def px(self, units: float) -> int:
        """Pixels of so many units."""
        return max(1, round(units * self.screen.unit))

    def style(self, units: float, face: Face = Face.REGULAR) -> TextStyle:
        """Text of so many units."""
        return TextStyle(face, self.px(units), self.words.direction)

    def fill(self, box: Box, tone: Tone | None, *, radius: float = 0, border: Tone | None = None) -> None:
        """A rectangle."""
        self._elements.append(
            Fill(box, tone, round(radius * self.screen.unit), border, max(1, round(2 * self.screen.unit)))
        )

    def sign(self, box: Box, shape: Shape, tone: Tone) -> None:
        """A shape."""
        self._elements.append(Sign(box, shape, tone))

    def matrix(self, box: Box, text: str) -> None:
        """A QR code."""
        self._elements.append(Matrix(box, text))

    def touch(self, box: Box, target: Target) -> None:
        """Somewhere to press."""
        self._touches.append(Touch(box, target))

    def line(
        self,
        box: Box,
        text: str,
        units: float,
        *,
        face: Face = Face.REGULAR,
        tone: Tone = Tone.TEXT,
        align: Align = Align.START,
        least: float | None = None,
    ) -> None:
        """One line of at most `units`; smaller down to `least` where it is too wide, then cut."""
        style = self.style(units, face)
        smallest = self.px(least if least is not None else units)
        while style.size_px > smallest and self.typesetter.width(text, style) > box.width:
            style = TextStyle(face, style.size_px - 1, style.direction)
        cut = self.typesetter.fitted(text, style, box.width)
        if cut:
            self._elements.append(Text(box, cut, style, tone, align))

    def paragraph(
        self,
        box: Box,
        text: str,
        units: float,
        *,
        face: Face = Face.REGULAR,
        tone: Tone = Tone.TEXT,
        align: Align = Align.START,
        max_lines: int = 3,
    ) -> Box:
        """Lines from the top of the box, as many as it has room for; gives what is left under them."""
        style = self.style(units, face)
        height = self.typesetter.line_height(style)
        room = min(max_lines, box.height // height)
        if room < 1 or not text:
            return box
        for line in self.typesetter.wrapped(text, style, box.width, room):
            row, box = box.top(height)
            self._elements.append(Text(row, line, style, tone, align))
        return box

    def digits(self, box: Box, text: str, size_px: int, tone: Tone) -> None:
        """A group of the security code in the middle of its box."""
        style = TextStyle(Face.CODE, size_px, Direction.LTR)
        self._elements.append(Text(box, text, style, tone, Align.CENTRE, is_code=True))

    def button(
        self,
        box: Box,
        text: str,
        target: Target | None,
        *,
        why: str = "",
        shape: Shape | None = None,
        tone: Tone = Tone.TEXT,
        is_primary: bool = False,
    ) -> None:
        """A button with its words, and a line under them that says what it does."""
        face = Tone.ACCENT if is_primary else Tone.SURFACE
        ink = Tone.ON_ACCENT if is_primary else tone
        self.fill(box, face, radius=12, border=None if is_primary else Tone.LINE)
        inside = box.inset(self.px(16), self.px(6))
        if shape is not None:
            side = min(self.px(44), inside.height)
            place, inside = inside.start(side, self.px(12))
            self.sign(place.centre(side, side), shape, ink)
        align = Align.CENTRE if shape is None else Align.START
        if why:
            upper, lower = self._two(inside, 26, 19)
            self.line(upper, text, 26, face=Face.BOLD, tone=ink, align=align, least=20)
            lower_tone = Tone.ON_ACCENT if is_primary else Tone.MUTED
            self.line(lower, why, 19, tone=lower_tone, align=align, least=15)
        else:
            self.line(inside, text, 26, face=Face.BOLD, tone=ink, align=align, least=18)
        if target is not None:
            self.touch(box, target)

    def _two(self, box: Box, first: float, second: float) -> tuple[Box, Box]:
        upper = self.typesetter.line_height(self.style(first))
        lower = self.typesetter.line_height(self.style(second))
        both = box.centre(box.width, min(box.height, upper + lower))
        above, below = both.top(upper)
        return above, below

    def two_lines(self, box: Box, first: float, second: float) -> tuple[Box, Box]:
        """Boxes of two lines in the middle of `box`."""
        return self._two(box, first, second)

    def turner(self, box: Box, listing: Listing, per_page: int, count: int, finger: Box | None = None) -> Box:
        """At the end of a heading: which part of a list is shown, and a button for the next one.

        Gives what is left of the heading. Nothing where all fits. `finger` is where to press for it.
        """
        if count <= per_page:
            return box
        pages = -(-count // per_page)
        page = min(self.opened.page(listing), pages - 1)
        first, last = page * per_page + 1, min(count, (page + 1) * per_page)
        place, left = box.end(self.px(190), self.px(12))
        self.fill(place, Tone.SURFACE, radius=10, border=Tone.LINE)
        # A finger needs more than what a heading is high.
        around = Box(place.x, place.y - self.px(9), place.width, place.height + self.px(15))
        self.touch(finger or around, Turn(listing, (page + 1) % pages))
        inside = place.inset(self.px(12), self.px(4))
        arrow, inside = inside.end(self.px(26), self.px(6))
        self.sign(arrow.centre(self.px(26), self.px(26)), Shape.NEXT, Tone.TEXT)
        form = self.words.page if first < last else self.words.page_of_one
        text = form.format(first=first, last=last, all=count)
        self.line(inside, text, 21, align=Align.CENTRE, least=16)
        return left

    def shown(self, listing: Listing, per_page: int, count: int) -> range:
        """Which items of a list stand on the present page."""
        pages = max(1, -(-count // max(1, per_page)))
        page = min(self.opened.page(listing), pages - 1)
        return range(page * per_page, min(count, (page + 1) * per_page))

    def opens(self, box: Box, target: Open) -> None:
        """A place that opens something."""
        self.touch(box, target)

    def scene(self) -> Scene:
        """The page, mirrored where the language is read from right to left; what is selected is framed."""
        made = Scene(self.screen.width, self.screen.height, tuple(self._elements), tuple(self._touches))
        if self.words.direction is Direction.RTL:
            made = mirrored(made)
        chosen = next((t.box for t in made.touches if t.target == self.opened.selected), None)
        if chosen is None:
            return made
        # Apart from what it frames, because a button that stands out has the frame's colour.
        around = chosen.inset(-self.px(9))
        frame = Fill(around, None, self.px(18), Tone.ACCENT, max(2, self.px(4)))
        return Scene(made.width, made.height, (*made.elements, frame), made.touches)
