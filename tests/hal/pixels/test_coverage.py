"""What a font has, read from its file, against what FreeType draws with it."""

import struct
from pathlib import Path

import pytest
from PIL import ImageFont

from conclave_hal.errors import ConfigurationError
from conclave_hal.pixels.coverage import read_coverage
from conclave_hal.pixels.fonts import Face, find_fonts

FONTS = sorted({font.path for fonts in find_fonts().values() for font in fonts.fonts})
SAMPLES = [
    *range(0x21, 0x250),
    *range(0x391, 0x3CA),
    *range(0x410, 0x450),
    *range(0x5D0, 0x5EB),
    *range(0x621, 0x64B),
    *range(0x904, 0x93A),
    *range(0x3041, 0x3097),
    *range(0x4E00, 0x4E80),
    *range(0xAC00, 0xAC20),
    0x1F512,
]


@pytest.mark.parametrize("path", FONTS, ids=lambda path: path.stem)
def test_it_agrees_with_what_freetype_draws(path: Path) -> None:
    coverage = read_coverage(path)
    font = ImageFont.truetype(str(path), 24, layout_engine=ImageFont.Layout.BASIC)
    box = bytes(font.getmask("\U0010fffd"))
    # A glyph that is drawn like the box of what is missing is missing; a blank one is neither.
    wrong = []
    for code in SAMPLES:
        ink = bytes(font.getmask(chr(code)))
        if any(ink) and any(box) and coverage.has(chr(code)) != (ink != box):
            wrong.append(hex(code))
    assert not wrong


def test_a_file_that_is_no_font_is_named(tmp_path: Path) -> None:
    path = tmp_path / "B612-Regular.otf"
    path.write_bytes(b"no font at all, but long enough to be looked at")
    with pytest.raises(ConfigurationError, match=r"B612-Regular\.otf is not a TrueType"):
        read_coverage(path)


def test_a_table_that_says_more_than_it_has_is_refused(tmp_path: Path) -> None:
    table = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">HHIII", 12, 0, 16, 0, 1 << 30)
    head = b"\0\1\0\0" + struct.pack(">HHHH", 1, 0, 0, 0)
    record = struct.pack(">4sIII", b"cmap", 0, 28, len(table))
    path = tmp_path / "liar.ttf"
    path.write_bytes(head + record + table)
    with pytest.raises(ConfigurationError):
        read_coverage(path)


def test_the_code_is_set_in_the_face_made_for_cockpits() -> None:
    assert find_fonts()[Face.CODE].fonts[0].path.stem == "B612Mono-Bold"


def test_without_any_font_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_fonts(folders=[tmp_path])
    assert "fonts-b612" in caught.value.hint


def test_the_named_folder_wins(tmp_path: Path) -> None:
    usual = find_fonts()[Face.CODE].fonts[0].path
    (tmp_path / usual.name).write_bytes(usual.read_bytes())
    assert find_fonts(tmp_path)[Face.CODE].fonts[0].path == tmp_path / usual.name
