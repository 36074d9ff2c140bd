"""Lines: fonts for every script, width, ellipsis and breaks."""

from functools import cache

import pytest

from conclave_hal.pixels.bidi import Direction, isolated
from conclave_hal.pixels.fonts import Face, can_shape, find_fonts
from conclave_hal.pixels.typesetting import TextStyle, Typesetter, name_text

STYLE = TextStyle(Face.REGULAR, 40)
RTL = TextStyle(Face.REGULAR, 40, Direction.RTL)


@cache
def typesetter() -> Typesetter:
    return Typesetter(find_fonts())


@pytest.mark.parametrize(
    "name",
    [
        "Ana Lima",
        "Łukasz Ångström",
        "Иван Петров",
        "Ελένη",
        "مريم السيد",
        "דוד כהן",
        "अनिल क्षत्रिय",
        "山田太郎",
        "カタカナ",
    ],
)
def test_every_letter_of_a_name_has_a_font(name: str) -> None:
    fonts = find_fonts()[Face.REGULAR]
    assert [c for c in name if not fonts.having(c).coverage.has(c)] == []


def test_arabic_is_joined() -> None:
    if not can_shape():
        pytest.skip("this Pillow has no RAQM")
    apart = sum(typesetter().width(letter, RTL) for letter in "مريم")
    assert typesetter().width("مريم", RTL) < 0.9 * apart


def test_what_fits_is_left_alone() -> None:
    assert typesetter().fitted("north.rooms.example", STYLE, 1000) == "north.rooms.example"


@pytest.mark.parametrize("style", [STYLE, RTL])
@pytest.mark.parametrize("text", ["a very long name " * 8, "مريم السيد " * 12, isolated("山田太郎" * 20)])
def test_what_is_too_wide_is_cut_by_pixels(text: str, style: TextStyle) -> None:
    cut = typesetter().fitted(text, style, 400)
    assert "…" in cut
    assert 300 < typesetter().width(cut, style) <= 400


def test_a_cut_name_stays_isolated() -> None:
    cut = typesetter().fitted(isolated("north.rooms.example " * 9) + " joined", STYLE, 300)
    assert cut.count("\u2068") == cut.count("\u2069") == 1


def test_words_break_at_spaces_and_the_last_line_says_that_more_follows() -> None:
    text = "No picture and no sound leaves this room before a host has let it in"
    lines = typesetter().wrapped(text, STYLE, 420, 2)
    assert len(lines) == 2
    assert text.startswith(lines[0])
    assert text[len(lines[0])] == " "
    assert lines[1].endswith("…")
    assert all(typesetter().width(line, STYLE) <= 420 for line in lines)


def test_japanese_breaks_anywhere_but_before_a_full_stop() -> None:
    lines = typesetter().wrapped("参加を待っています。" * 6, STYLE, 410, 9)
    assert "".join(lines) == "参加を待っています。" * 6
    assert not any(line.startswith("。") for line in lines)


def test_a_name_broken_over_two_lines_is_isolated_on_both() -> None:
    lines = typesetter().wrapped(isolated("أحمد " * 12), STYLE, 300, 3)
    assert all(line.count("\u2068") == line.count("\u2069") == 1 for line in lines)


def test_a_strangers_control_characters_do_not_reach_the_glass() -> None:
    assert name_text("\u202emoc.elpmaxe\u202c\x1b[31m") == isolated("moc.elpmaxe[31m")


def test_the_ink_is_as_wide_as_the_line() -> None:
    ink = typesetter().ink("6 people, 2 not verified", STYLE)
    assert abs(ink.mask.width - typesetter().width("6 people, 2 not verified", STYLE)) < 8
    assert ink.top < 0 < ink.top + ink.mask.height


def test_ink_is_kept() -> None:
    assert typesetter().ink("Leave", STYLE) is typesetter().ink("Leave", STYLE)
