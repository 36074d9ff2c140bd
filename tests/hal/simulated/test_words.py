"""The page's words: the same in every language, with the same gaps."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from conclave_hal.panel import LANGUAGES

PAGE = files("conclave_hal.simulated").joinpath("page")
CATEGORIES = {
    "en": {"one", "other"},
    "de": {"one", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "ja": {"other"},
}
"""Of plurals of whole numbers (Unicode CLDR)."""
COUNTED = {"n"}
"""A gap that the words for none, one and two may leave out."""


def table(language: str) -> dict[str, Any]:
    text = PAGE.joinpath(f"words_{language}.js").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return found


def gaps(phrase: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", phrase))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_everything_that_english_says(language: str) -> None:
    assert list(table(language)) == list(table("en"))
    assert all(phrase for phrase in table(language).values())
    assert table(language)["language"] == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_has_the_same_gaps_in_every_language(language: str) -> None:
    for key, english in table("en").items():
        phrase = table(language)[key]
        if isinstance(english, str):
            assert gaps(phrase) == gaps(english), key
        else:
            assert set(phrase) == CATEGORIES[language], key
            assert all(gaps(english["other"]) - gaps(one) <= COUNTED for one in phrase.values()), key


def test_only_arabic_is_read_from_the_right() -> None:
    assert {name: table(name)["direction"] for name in LANGUAGES} == {
        **dict.fromkeys(LANGUAGES, "ltr"),
        "ar": "rtl",
    }


def test_every_phrase_that_the_page_asks_for_is_there_and_none_is_left_over() -> None:
    scripts = "".join(
        each.read_text(encoding="utf-8")
        for each in PAGE.iterdir()
        if each.name.endswith((".js", ".html")) and not each.name.startswith("words_")
    )
    words = set(re.findall(r'["`](\w+)["`]', scripts))
    # Made of two parts: what a lock means, a level, what leaving means.
    made = {
        key for key in table("en") if re.search(r"^(level_.*|.*_meaning|leave_why|do_not_join_why)$", key)
    }
    asked = set(re.findall(r'text\("(\w+)"', scripts)) | set(
        re.findall(r'data-(?:word|label)="(\w+)"', scripts)
    )
    assert asked <= set(table("en"))
    assert set(table("en")) - words - made - {"language", "direction"} - asked == set()
