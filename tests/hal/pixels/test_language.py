"""The tables of words: whole, with the same gaps to fill, and plural where the language is."""

import string
from dataclasses import fields

import pytest

from conclave_hal import panel
from conclave_hal.pixels.fonts import Face, find_fonts
from conclave_hal.pixels.language import LANGUAGES, Plural, Words, words_of

SENTENCES = [f.name for f in fields(Words) if f.name not in ("language", "direction", "category")]
OTHERS = [words for words in LANGUAGES.values() if words.language != "en"]


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def forms(words: Words, name: str) -> tuple[str, ...]:
    value = getattr(words, name)
    return value.forms() if isinstance(value, Plural) else (value,)


def test_there_are_the_four_languages() -> None:
    assert set(LANGUAGES) == set(panel.LANGUAGES)


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=lambda words: words.language)
def test_nothing_is_left_empty(words: Words) -> None:
    assert [name for name in SENTENCES if not all(form.strip() for form in forms(words, name))] == []


@pytest.mark.parametrize("words", OTHERS, ids=lambda words: words.language)
def test_every_sentence_has_the_gaps_of_the_english_one(words: Words) -> None:
    english = words_of("en")
    wrong = []
    for name in SENTENCES:
        wanted = set().union(*map(gaps, forms(english, name)))
        plural = isinstance(getattr(words, name), Plural)
        # A dual or "one person" says the number in words.
        if any(not gaps(f) <= wanted or (not plural and gaps(f) != wanted) for f in forms(words, name)):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("words", OTHERS, ids=lambda words: words.language)
def test_no_english_is_left_in_a_translation(words: Words) -> None:
    same = [n for n in SENTENCES if forms(words, n) == forms(words_of("en"), n)]
    # How two are listed, and how a headline is put together, is punctuation.
    assert set(same) <= {"headline", "list_of_two"}


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=lambda words: words.language)
def test_every_letter_has_a_font(words: Words) -> None:
    fonts = find_fonts()
    text = {c for name in SENTENCES for form in forms(words, name) for c in form if c not in "\u2068\u2069"}
    for face in (Face.REGULAR, Face.BOLD):
        assert {c for c in text if not fonts[face].having(c).coverage.has(c)} == set()


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        ("en", 1, "1 person"),
        ("en", 2, "2 people"),
        ("de", 1, "1 Person"),
        ("de", 0, "0 Personen"),
        ("ja", 1, "1人"),
        ("ar", 1, "شخص واحد"),
        ("ar", 2, "شخصان"),
        ("ar", 6, "6 أشخاص"),
        ("ar", 11, "11 شخصًا"),
        ("ar", 100, "100 شخص"),
        ("ar", 103, "103 أشخاص"),
    ],
)
def test_people_are_counted_as_the_language_counts(language: str, number: int, expected: str) -> None:
    words = words_of(language)
    assert words.plural(words.people, number) == expected


@pytest.mark.parametrize("number", [0, 1, 2, 3, 10, 11, 26, 99, 100, 101, 102, 103, 111, 1000])
def test_arabic_has_a_form_of_its_own_for_every_category(number: int) -> None:
    words = words_of("ar")
    for name in SENTENCES:
        value = getattr(words, name)
        if isinstance(value, Plural):
            assert getattr(value, words.category(number))


def test_a_language_that_is_not_there_is_english() -> None:
    assert words_of("tlh") is words_of("en")
