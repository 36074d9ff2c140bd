"""The order of what is read from right to left beside what is not."""

import ctypes
import ctypes.util
from ctypes import c_int, c_int8, c_int32, c_uint32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave_hal.pixels.bidi import Direction, isolated, visual_runs

LTR, RTL = Direction.LTR, Direction.RTL


def shown(text: str, direction: Direction) -> str:
    """As it stands on the glass, from left to right."""
    return "".join(
        run.text if run.direction is LTR else run.text[::-1] for run in visual_runs(text, direction)
    )


@pytest.mark.parametrize(
    ("text", "direction", "expected"),
    [
        ("abc def", LTR, "abc def"),
        ("אבג", LTR, "גבא"),
        ("abc אבג def", LTR, "abc גבא def"),
        ("abc אבג דה", LTR, "abc הד גבא"),
        ("אבג abc", RTL, "abc גבא"),
        ("אבג 123 דה", RTL, "הד 123 גבא"),
        ("אבג 17:46.", RTL, ".17:46 גבא"),
        ("אבג abc 123 דה", RTL, "הד abc 123 גבא"),
        ("(אבג)", RTL, ")גבא("),
        ("abc, 12 def.", LTR, "abc, 12 def."),
        ("abc.", RTL, ".abc"),
        ("12 אבג", RTL, "גבא 12"),
        ("50% אב", RTL, "בא 50%"),
        ("אבג (דה) abc", LTR, ")הד( גבא abc"),
    ],
)
def test_a_line_stands_as_the_unicode_algorithm_has_it(
    text: str, direction: Direction, expected: str
) -> None:
    assert shown(text, direction) == expected


@pytest.mark.parametrize("name", ["אבג", "abc", "123", "א1", "!", ""])
def test_a_name_leaves_the_words_around_it_where_they_are(name: str) -> None:
    around = shown(f"admitted by {isolated(name)}, 3 of 12", LTR)
    assert around.startswith("admitted by ")
    assert around.endswith(", 3 of 12")


def test_an_isolate_is_one_piece_in_a_line_that_is_read_the_other_way() -> None:
    assert shown(f"אב {isolated('north.rooms.example')} גד", RTL) == "דג north.rooms.example בא"


def test_an_isolate_that_nobody_opened_is_nothing() -> None:
    assert shown("abc\u2069 def", LTR) == "abc def"


def test_marks_stay_with_their_letter() -> None:
    assert [run.text for run in visual_runs("שָׁלוֹם", LTR)] == ["שָׁלוֹם"]


LIBRARY = ctypes.util.find_library("fribidi")
# Letters, digits of both kinds, separators and brackets: all classes that names and sentences have.
CHARACTERS = "abcאבגدرو0123٤٥ .,:/-+%#()[]{}!@"


def as_fribidi_has_it(text: str, direction: Direction) -> str:
    """From left to right, by an implementation that is not ours."""
    assert LIBRARY is not None
    library = ctypes.CDLL(LIBRARY)
    length = len(text)
    logical = (c_uint32 * (length + 1))(*map(ord, text))
    visual = (c_uint32 * (length + 1))()
    to_visual, to_logical = (c_int32 * (length + 1))(), (c_int32 * (length + 1))()
    levels = (c_int8 * (length + 1))()
    # FRIBIDI_PAR_LTR and FRIBIDI_PAR_RTL of fribidi-bidi-types-list.h.
    base = c_int(0x110 if direction is LTR else 0x111)
    assert library.fribidi_log2vis(
        logical, c_int(length), ctypes.byref(base), visual, to_visual, to_logical, levels
    )
    return "".join(text[at] for at in to_logical[:length])


@pytest.mark.skipif(LIBRARY is None, reason="no libfribidi here")
@settings(max_examples=400, deadline=None)
@given(st.text(CHARACTERS, min_size=1, max_size=14), st.sampled_from(Direction))
def test_any_line_stands_as_another_implementation_has_it(text: str, direction: Direction) -> None:
    # Blanks at the end of a line are the only thing that only a whole paragraph settles (rule L1).
    text = text.strip()
    if text:
        assert shown(text, direction) == as_fribidi_has_it(text, direction)
