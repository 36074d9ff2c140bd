"""Lines of text: how wide they are, where they break, what is left of one that is too long, and their ink.

A line is split by direction (`bidi`) and by font (`fonts`); each run is shaped by Pillow with RAQM. The ink
of a line is a mask that is kept, because a panel shows the same words again and again.
"""

import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageFont

from conclave_hal.display_text import display_text
from conclave_hal.pixels.bidi import (
    END_OF_ISOLATE,
    ISOLATE,
    Direction,
    Run,
    isolated,
    visual_runs,
)
from conclave_hal.pixels.fonts import Face, Font, FontSet, can_shape, engine

ELLIPSIS = "…"
KEPT_MASK_BYTES = 24_000_000
KEPT_WIDTHS = 8192


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a line looks: the same style and text give the same ink."""

    face: Face
    size_px: int
    direction: Direction = Direction.LTR


@dataclass(frozen=True, slots=True)
class Ink:
    """A line's mask (mode L) and where its top left corner stands from the line's start and baseline."""

    mask: Image.Image
    left: int
    top: int


def name_text(text: str, *, max_length: int = 120) -> str:
    """What a stranger calls himself, as one safe piece of a line."""
    return isolated(display_text(text, max_length=max_length))


class Typesetter:
    """Knows the fonts; keeps what it has set. For one thread at a time."""

    def __init__(self, fonts: Mapping[Face, FontSet]) -> None:
        self._fonts = dict(fonts)
        self._loaded: dict[tuple[Font, int], ImageFont.FreeTypeFont] = {}
        self._widths: OrderedDict[tuple[str, TextStyle], float] = OrderedDict()
        self._masks: OrderedDict[tuple[str, TextStyle], Ink] = OrderedDict()
        self._mask_bytes = 0

    @cached_property
    def digit_height(self) -> float:
        """Of the code's face: the height of a digit for each pixel of size."""
        _, top, _, bottom = self._font(self._fonts[Face.CODE].fonts[0], 1000).getbbox("7", anchor="ls")
        return (bottom - top) / 1000

    @cached_property
    def digit_advance(self) -> float:
        """Of the code's face: from one digit to the next for each pixel of size."""
        return self._font(self._fonts[Face.CODE].fonts[0], 1000).getlength("0") / 1000

    def ascent(self, style: TextStyle) -> int:
        """From a line's top to its baseline."""
        return round(style.size_px * 0.97)

    def line_height(self, style: TextStyle) -> int:
        """From one line's top to the next, with room for what stands above and below Latin letters."""
        return round(style.size_px * 1.26)

    def width(self, text: str, style: TextStyle) -> float:
        """Of one line, in pixels."""
        key = (text, style)
        known = self._widths.get(key)
        if known is None:
            known = sum(
                self._font(font, style.size_px).getlength(run.text, direction=_shaping(run.direction))
                for run, font in self._runs(text, style)
            )
            self._widths[key] = known
            if len(self._widths) > KEPT_WIDTHS:
                self._widths.popitem(last=False)
        else:
            self._widths.move_to_end(key)
        return known

    def fitted(self, text: str, style: TextStyle, width_px: float) -> str:
        """`text`, cut with an ellipsis where it is wider. Isolates are closed again."""
        if self.width(text, style) <= width_px:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(_cut(text, middle), style) <= width_px:
                low = middle
            else:
                high = middle - 1
        return _cut(text, low)

    def wrapped(self, text: str, style: TextStyle, width_px: float, max_lines: int) -> list[str]:
        """`text` on at most `max_lines` lines; the last is cut where not all of it fits."""
        lines: list[str] = []
        rest = text
        while rest:
            if len(lines) == max_lines - 1 or self.width(rest, style) <= width_px:
                lines.append(self.fitted(rest, style, width_px))
                break
            at = self._break(rest, style, width_px)
            lines.append(_closed(rest[:at]).rstrip())
            rest = _reopened(rest[:at]) + rest[at:].lstrip()
        return lines

    def ink(self, text: str, style: TextStyle) -> Ink:
        """The line's mask. Empty text gives an empty mask."""
        key = (text, style)
        known = self._masks.get(key)
        if known is not None:
            self._masks.move_to_end(key)
            return known
        made = self._drawn(text, style)
        self._masks[key] = made
        self._mask_bytes += made.mask.width * made.mask.height
        while self._mask_bytes > KEPT_MASK_BYTES and len(self._masks) > 1:
            _, dropped = self._masks.popitem(last=False)
            self._mask_bytes -= dropped.mask.width * dropped.mask.height
        return made

    def _drawn(self, text: str, style: TextStyle) -> Ink:
        width = round(self.width(text, style))
        margin = style.size_px // 2
        above, below = round(style.size_px * 1.3), round(style.size_px * 0.6)
        sheet = Image.new("L", (width + 2 * margin, above + below), 0)
        pen = float(margin)
        for run, font in self._runs(text, style):
            face = self._font(font, style.size_px)
            shaping = _shaping(run.direction)
            start = (pen % 1, 0.0)
            mask, offset = face.getmask2(run.text, "L", direction=shaping, anchor="ls", start=start)
            if mask.size[0] and mask.size[1]:
                letters = Image.new("L", mask.size)
                letters.im.paste(mask, (0, 0, *mask.size))
                at = (int(pen) + int(offset[0]), above + int(offset[1]))
                sheet.paste(255, (*at, at[0] + mask.size[0], at[1] + mask.size[1]), letters)
            pen += face.getlength(run.text, direction=shaping)
        box = sheet.getbbox() or (0, 0, 1, 1)
        return Ink(sheet.crop(box), box[0] - margin, box[1] - above)

    def _break(self, text: str, style: TextStyle, width_px: float) -> int:
        """After which character the first line ends: at a space where there is one, at least one on it."""
        best = 0
        for at in range(1, len(text)):
            if not _may_break(text, at):
                continue
            if self.width(_closed(text[:at]).rstrip(), style) > width_px:
                break
            best = at
        if best:
            return best
        at = 1
        while at < len(text) and self.width(_closed(text[: at + 1]), style) <= width_px:
            at += 1
        return at

    def _runs(self, text: str, style: TextStyle) -> Iterator[tuple[Run, Font]]:
        for run in visual_runs(text, style.direction):
            pieces = list(self._by_font(run, style.face))
            yield from pieces if run.direction is Direction.LTR else reversed(pieces)

    def _by_font(self, run: Run, face: Face) -> Iterator[tuple[Run, Font]]:
        """The run's pieces in reading order: letters that one font has, spaces with what is before them."""
        fonts = self._fonts[face]
        text, present = "", None
        for cluster in _clusters(run.text):
            font = present if present is not None and cluster.isspace() else fonts.having(cluster)
            # A tower of marks that no font has would be a tower of boxes.
            cluster = cluster[:1] + "".join(filter(font.coverage.has, cluster[1:]))
            if present is not None and font is not present:
                yield Run(text, run.direction), present
                text = ""
            text, present = text + cluster, font
        if present is not None:
            yield Run(text, run.direction), present

    def _font(self, font: Font, size_px: int) -> ImageFont.FreeTypeFont:
        key = (font, size_px)
        if key not in self._loaded:
            self._loaded[key] = ImageFont.truetype(str(font.path), size_px, layout_engine=engine())
        return self._loaded[key]


def _shaping(direction: Direction) -> str | None:
    return direction.value if can_shape() else None


def _clusters(text: str) -> Iterator[str]:
    """Letters with the marks and joiners that belong to them."""
    cluster = ""
    for character in text:
        belongs = unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Mc", "Me")
        if cluster and (belongs or character in "\u200c\u200d"):
            cluster += character
            continue
        if cluster:
            yield cluster
        cluster = character
    if cluster:
        yield cluster


def _may_break(text: str, at: int) -> bool:
    """Between `text[at - 1]` and `text[at]`: after a space, or between letters of scripts without spaces."""
    before, after = text[at - 1], text[at]
    if before.isspace():
        return True
    if after in _NEVER_FIRST or before in _NEVER_LAST or after.isspace():
        return False
    return _is_ideograph(before) and _is_ideograph(after)


_NEVER_FIRST = "、。，．・：；？！）］｝」』】ーぁぃぅぇぉっゃゅょァィゥェォッャュョ" + END_OF_ISOLATE
_NEVER_LAST = "（［｛「『【" + ISOLATE


def _is_ideograph(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def _cut(text: str, length: int) -> str:
    return (
        _closed(text[:length].rstrip()) if length >= len(text) else _closed(text[:length].rstrip() + ELLIPSIS)
    )


def _open_isolates(text: str) -> int:
    depth = 0
    for character in text:
        if character == ISOLATE:
            depth += 1
        elif character == END_OF_ISOLATE:
            depth = max(0, depth - 1)
    return depth


def _closed(text: str) -> str:
    return text + END_OF_ISOLATE * _open_isolates(text)


def _reopened(text: str) -> str:
    return ISOLATE * _open_isolates(text)
