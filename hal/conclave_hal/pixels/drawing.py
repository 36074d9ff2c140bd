"""From a scene to a picture. What is dear (letters, signs, round corners, QR codes) is kept as masks.

A warm redraw only fills rectangles and pastes masks; nothing of it depends on time or on what was drawn
before, so the same scene is the same picture, byte by byte, for one version of Pillow and the fonts.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw

from conclave_hal.pixels.scene import Align, Box, Element, Fill, Matrix, Scene, Sign, Text, Tone
from conclave_hal.pixels.screen import Theme
from conclave_hal.pixels.signs import draw_sign
from conclave_hal.pixels.typesetting import Typesetter

Colour = tuple[int, int, int]

PALETTES: Final[dict[Theme, dict[Tone, Colour]]] = {
    Theme.DARK: {
        Tone.BACKGROUND: (0x0E, 0x11, 0x16),
        Tone.SURFACE: (0x1A, 0x1F, 0x27),
        Tone.LINE: (0x3A, 0x42, 0x4E),
        Tone.TEXT: (0xED, 0xF0, 0xF5),
        Tone.MUTED: (0xA8, 0xB1, 0xC0),
        Tone.SAFE: (0x63, 0xE0, 0xA3),
        Tone.WARNING: (0xFF, 0xC4, 0x4D),
        Tone.ALARM: (0xFF, 0x9A, 0x90),
        Tone.ACCENT: (0xED, 0xF0, 0xF5),
        Tone.ON_ACCENT: (0x0E, 0x11, 0x16),
    },
    Theme.LIGHT: {
        Tone.BACKGROUND: (0xFA, 0xFA, 0xF8),
        Tone.SURFACE: (0xEC, 0xED, 0xEE),
        Tone.LINE: (0xA4, 0xAB, 0xB5),
        Tone.TEXT: (0x10, 0x14, 0x1A),
        Tone.MUTED: (0x45, 0x4E, 0x5B),
        Tone.SAFE: (0x00, 0x56, 0x33),
        Tone.WARNING: (0x70, 0x3F, 0x00),
        Tone.ALARM: (0x9A, 0x10, 0x10),
        Tone.ACCENT: (0x10, 0x14, 0x1A),
        Tone.ON_ACCENT: (0xFA, 0xFA, 0xF8),
    },
}
"""Every letter has at least 7:1 on its ground (WCAG 2.2, AAA), which a test computes."""
KEPT_MASKS = 512
QUIET_MODULES = 4
SMOOTHING = 4
"""Masks are drawn this many times larger, then shrunk."""

_Key = tuple[object, ...]


class Artist:
    """Draws scenes; keeps masks. For one thread at a time."""

    def __init__(self, typesetter: Typesetter) -> None:
        self._typesetter = typesetter
        self._masks: OrderedDict[_Key, Image.Image] = OrderedDict()

    def draw(self, scene: Scene, theme: Theme) -> Image.Image:
        """The picture, mode RGB."""
        colours = PALETTES[theme]
        picture = Image.new("RGB", (scene.width, scene.height), colours[Tone.BACKGROUND])
        for element in scene.elements:
            self._element(picture, element, colours)
        return picture

    def _element(self, picture: Image.Image, element: Element, colours: dict[Tone, Colour]) -> None:
        match element:
            case Fill():
                self._fill(picture, element, colours)
            case Text():
                self._text(picture, element, colours)
            case Sign(box, shape, tone):
                if box.width > 0 and box.height > 0:
                    sign: _Key = ("sign", shape, box.width, box.height)
                    mask = self._kept(sign, lambda: draw_sign(shape, box.width, box.height, SMOOTHING))
                    picture.paste(colours[tone], (box.x, box.y), mask)
            case Matrix(box, text):
                self._matrix(picture, box, text)

    def _fill(self, picture: Image.Image, fill: Fill, colours: dict[Tone, Colour]) -> None:
        box = fill.box
        if box.width <= 0 or box.height <= 0:
            return
        if fill.radius == 0 and fill.border is None and fill.tone is not None:
            picture.paste(colours[fill.tone], (box.x, box.y, box.right, box.bottom))
            return
        if fill.border is not None:
            key: _Key = ("frame", box.width, box.height, fill.radius, fill.border_px, fill.tone is None)
            mask = self._kept(key, lambda: _frame(fill))
            picture.paste(colours[fill.border], (box.x, box.y), mask)
            box = box.inset(fill.border_px)
        if fill.tone is not None:
            radius = max(0, fill.radius - (fill.border_px if fill.border is not None else 0))
            key = ("round", box.width, box.height, radius)
            mask = self._kept(key, lambda: _rounded(box.width, box.height, radius))
            picture.paste(colours[fill.tone], (box.x, box.y), mask)

    def _text(self, picture: Image.Image, text: Text, colours: dict[Tone, Colour]) -> None:
        ink = self._typesetter.ink(text.text, text.style)
        box, style = text.box, text.style
        width = round(self._typesetter.width(text.text, style))
        if text.is_code:
            tall = round(style.size_px * self._typesetter.digit_height)
            baseline = box.y + (box.height + tall) // 2
        else:
            baseline = box.y + (box.height - self._typesetter.line_height(style)) // 2
            baseline += self._typesetter.ascent(style)
        picture.paste(colours[text.tone], (_pen(text, width) + ink.left, baseline + ink.top), ink.mask)

    def _matrix(self, picture: Image.Image, box: Box, text: str) -> None:
        key = ("matrix", text, box.width, box.height)
        mask = self._kept(key, lambda: _matrix_mask(text, min(box.width, box.height)))
        ground = PALETTES[Theme.LIGHT]
        picture.paste((255, 255, 255), (box.x, box.y, box.right, box.bottom))
        at = box.centre(mask.width, mask.height)
        picture.paste(ground[Tone.TEXT], (at.x, at.y), mask)

    def _kept(self, key: _Key, make: Callable[[], Image.Image]) -> Image.Image:
        known = self._masks.get(key)
        if known is None:
            known = self._masks[key] = make()
            if len(self._masks) > KEPT_MASKS:
                self._masks.popitem(last=False)
        else:
            self._masks.move_to_end(key)
        return known


def _pen(text: Text, width: int) -> int:
    """Where the line starts, from the left."""
    box = text.box
    if text.align is Align.CENTRE:
        return box.x + (box.width - width) // 2
    reads_left = text.style.direction.value == "rtl" and not text.is_code
    at_left = (text.align is Align.START) != reads_left
    return box.x if at_left else box.right - width


def _rounded(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (max(1, width), max(1, height)), 255)
    radius = min(radius, width // 2, height // 2)
    if radius > 0:
        side = 2 * radius * SMOOTHING
        disc = Image.new("L", (side, side), 0)
        ImageDraw.Draw(disc).ellipse((0, 0, side - 1, side - 1), fill=255)
        disc = disc.resize((2 * radius, 2 * radius), Image.Resampling.BOX)
        for right in (0, 1):
            for low in (0, 1):
                corner = disc.crop((right * radius, low * radius, (right + 1) * radius, (low + 1) * radius))
                mask.paste(corner, (right * (width - radius), low * (height - radius)))
    return mask


def _frame(fill: Fill) -> Image.Image:
    """The border, with nothing inside where the fill is hollow."""
    box, thick = fill.box, fill.border_px
    mask = _rounded(box.width, box.height, fill.radius)
    if fill.tone is None and box.width > 2 * thick and box.height > 2 * thick:
        inner = _rounded(box.width - 2 * thick, box.height - 2 * thick, max(0, fill.radius - thick))
        mask.paste(0, (thick, thick), inner)
    return mask


def _matrix_mask(text: str, side: int) -> Image.Image:
    import segno  # only for who opens the details

    rows = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix]
    modules = len(rows)
    scale = max(1, side // (modules + 2 * QUIET_MODULES))
    small = Image.frombytes("L", (modules, modules), b"".join(rows)).point(lambda dark: 255 * dark)
    return small.resize((modules * scale, modules * scale), Image.Resampling.NEAREST)
