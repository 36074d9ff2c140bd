"""The order of what is read from right to left beside what is not."""

import pytest

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
