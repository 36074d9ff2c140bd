"""Strangers' text, made safe to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.display_text import display_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("north.rooms.example", "north.rooms.example"),
        ("  two \n lines\t", "two lines"),
        ("evil\u202emoc.elpmaxe", "evilmoc.elpmaxe"),
        ("e\u200b\u0301", "é"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("e\u0301", "é"),
        ("a\u0324\u0325\u0326\u0329", "a\u0324\u0325\u0326"),
        ("\u0301leading", "leading"),
        ("\u3164\u2800", ""),
        ("مريم السيد", "مريم السيد"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("山田", "山田"),
        ("\U000e0041tag", "tag"),
        ("<script>", "<script>"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert display_text(text) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert display_text("x" * 500, max_length=20) == "x" * 19 + "…"


@given(st.text())
def test_nothing_shown_can_turn_or_break_a_line_and_showing_it_again_changes_nothing(text: str) -> None:
    shown = display_text(text)
    assert len(shown) <= 160
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Zl", "Zp", "Cs"}
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069")
    assert display_text(shown) == shown
