"""Which characters a font file has, read from its `cmap` table (OpenType 1.9, formats 4 and 12).

Pillow draws a box for what a font lacks and does not say so; whoever falls back to another font has to
know before. Only the table's segments are kept, so that a font of 45 000 characters costs some ten
kilobytes and a millisecond, and nothing has to be made beforehand.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from conclave_hal.errors import ConfigurationError

_LARGEST_CMAP_BYTES = 4_000_000
_UNICODE_TABLES = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))
"""(platform, encoding) of tables that map Unicode, the richest first."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The characters of one font: sorted ranges, both ends included."""

    first: tuple[int, ...]
    last: tuple[int, ...]

    def has(self, character: str) -> bool:
        """Whether the font has a glyph for this one character."""
        code = ord(character)
        at = bisect_left(self.last, code)
        return at < len(self.last) and self.first[at] <= code


def read_coverage(path: Path, index: int = 0) -> Coverage:
    """Read a TrueType, OpenType or collection file. Raises ConfigurationError if it is none."""
    try:
        table = _cmap(path, index)
        ranges = _ranges(table)
    except OSError as error:
        raise ConfigurationError(f"font {path} cannot be read: {error.strerror}") from error
    except (struct.error, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"font {path} is not a TrueType or OpenType font with Unicode characters",
            hint="install it anew, or name another",
        ) from error
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return Coverage(tuple(first for first, _ in merged), tuple(last for _, last in merged))


def _cmap(path: Path, index: int) -> bytes:
    with path.open("rb") as file:
        head = file.read(12)
        start = 0
        if head[:4] == b"ttcf":
            file.seek(12 + 4 * index)
            (start,) = struct.unpack(">I", file.read(4))
            file.seek(start)
            head = file.read(12)
        if head[:4] not in (b"\0\1\0\0", b"OTTO", b"true"):
            raise ValueError
        (tables,) = struct.unpack_from(">H", head, 4)
        for _ in range(tables):
            tag, _, offset, length = struct.unpack(">4sIII", file.read(16))
            if tag == b"cmap":
                file.seek(offset)
                return file.read(min(length, _LARGEST_CMAP_BYTES))
    raise ValueError


def _ranges(cmap: bytes) -> list[tuple[int, int]]:
    _, count = struct.unpack_from(">HH", cmap)
    offsets = {}
    for at in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", cmap, 4 + 8 * at)
        offsets[platform, encoding] = offset
    for kind in _UNICODE_TABLES:
        if kind in offsets:
            offset = offsets[kind]
            (form,) = struct.unpack_from(">H", cmap, offset)
            if form == 12:
                return _segmented_coverage(cmap, offset)
            if form == 4:
                return _segment_mapping(cmap, offset)
    raise ValueError


def _segmented_coverage(cmap: bytes, offset: int) -> list[tuple[int, int]]:
    """Format 12."""
    (groups,) = struct.unpack_from(">I", cmap, offset + 12)
    end = offset + 16 + 12 * groups
    if end > len(cmap):
        raise ValueError
    found = []
    for first, last, glyph in struct.iter_unpack(">III", cmap[offset + 16 : end]):
        # Glyph 0 is the box of what is missing.
        found.append((first + (glyph == 0), last))
    return [(first, last) for first, last in found if first <= last]


def _segment_mapping(cmap: bytes, offset: int) -> list[tuple[int, int]]:
    """Format 4."""
    (double,) = struct.unpack_from(">H", cmap, offset + 6)
    count = double // 2
    words = f">{count}H"
    ends = struct.unpack_from(words, cmap, offset + 14)
    starts = struct.unpack_from(words, cmap, offset + 16 + double)
    deltas = struct.unpack_from(words, cmap, offset + 16 + 2 * double)
    at_offsets = offset + 16 + 3 * double
    range_offsets = struct.unpack_from(words, cmap, at_offsets)
    found: list[tuple[int, int]] = []
    for segment in range(count):
        first, last = starts[segment], min(ends[segment], 0xFFFE)
        if range_offsets[segment] == 0:
            missing = -deltas[segment] & 0xFFFF
            if not first <= missing <= last:
                found.append((first, last))
            else:
                found += [part for part in ((first, missing - 1), (missing + 1, last)) if part[0] <= part[1]]
            continue
        glyphs_at = at_offsets + 2 * segment + range_offsets[segment]
        glyphs = struct.unpack_from(f">{last - first + 1}H", cmap, glyphs_at)
        found += [(first + at, first + at) for at, glyph in enumerate(glyphs) if glyph]
    return [(first, last) for first, last in found if first <= last]
