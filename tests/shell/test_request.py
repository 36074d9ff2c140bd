"""A client's line as words."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_provisioning.shell.request import RequestError, split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("status --json", ["status", "--json"]),
        ("conclavectl status", ["status"]),
        ("conclavectl", []),
        ("  ", []),
        ("trust remove 'the office'", ["trust", "remove", "the office"]),
        ('meeting join "https://h/m/x#y"', ["meeting", "join", "https://h/m/x#y"]),
        ("meeting join https://h/m/x#y", ["meeting", "join", "https://h/m/x#y"]),
        ("policy\tshow", ["policy", "show"]),
        ("a $HOME;id `id` | x > y", ["a", "$HOME;id", "`id`", "|", "x", ">", "y"]),
        ("'' x", ["", "x"]),
    ],
)
def test_a_line_is_split_and_nothing_is_expanded(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize(
    "line",
    ["status\nid", "status\0id", "a\rb", "a\x1b[2Jb", "a\x7fb", "a\udcffb", "'open", "x\\", "x" * 40_000],
    ids=ascii,
)
def test_a_line_that_is_none_is_refused_with_a_hint(line: str) -> None:
    with pytest.raises(RequestError) as caught:
        split(line)
    assert caught.value.hint


@given(st.text())
def test_no_line_whatever_raises_anything_else(line: str) -> None:
    with suppress(RequestError):
        split(line)


def test_a_refusal_says_nothing_of_the_line_itself() -> None:
    with pytest.raises(RequestError) as caught:
        split("meeting join https://h/m/x#secret 'open")
    assert "secret" not in str(caught.value)
