"""What the LCD's character ROM can show, and what is shown in place of the rest.

The ROM is neither ASCII nor Latin-1: `$` and `@`, brackets and accented letters stand elsewhere, and most
of the world's letters nowhere (CFA635 data sheet, "Character Generator ROM").

What the ROM lacks is written with what it has: first without the accent, then by a small table. A name
that was changed by that begins with `~`, which no unchanged name does: two people never look the same
without a sign. Of a domain the ASCII form is shown, which nobody else can have.
"""

import unicodedata
from collections.abc import Sequence

CHANGED = "~"
"""Stands before a name that is not spelled as it is."""
UNKNOWN = "?"
LOCK = "\ue000"
"""A closed padlock. No text of a stranger brings one: `spell` lets none through."""
TICK = "\ue001"
"""A tick, likewise."""

_ELSEWHERE = {
    "$": 162, "@": 160, "[": 250, "\\": 251, "]": 252, "^": 29, "_": 196, "{": 253, "|": 254, "}": 255,
    "~": 206, "¡": 64, "£": 161, "¥": 163, "§": 95, "¿": 96,
    "Ä": 91, "Ö": 92, "Ñ": 93, "Ü": 94, "ä": 123, "ö": 124, "ñ": 125, "ü": 126, "à": 127,
    "è": 164, "é": 165, "ù": 166, "ì": 167, "ò": 168, "Ç": 169, "Ø": 171, "ø": 172, "Å": 174, "å": 175,
    "Æ": 188, "æ": 189, "ß": 190, "É": 191, "È": 197, "Ê": 198, "ê": 199, "ç": 200,
    "Á": 226, "Í": 227, "Ó": 228, "Ú": 229, "Ý": 230, "á": 231, "í": 232, "ó": 233, "ú": 234, "ý": 235,
    "Ô": 236, "ô": 237,
    LOCK: 0, TICK: 1,
}  # fmt: skip
_SAME = frozenset(map(chr, range(32, 127))) - set("$@[\\]^_`{|}~")
ROM = {character: ord(character) for character in _SAME} | _ELSEWHERE
"""Each character that can be shown, and its number in the ROM."""

SPECIAL_CHARACTERS = (
    (LOCK, bytes((0b01110, 0b10001, 0b10001, 0b11111, 0b11011, 0b11011, 0b11111, 0))),
    (TICK, bytes((0, 0b00001, 0b00011, 0b10110, 0b11100, 0b01000, 0, 0))),
)
"""What is not in the ROM and drawn by us: 8 rows of 5 points (CFA635: command 9), at the number in `ROM`."""

_WORDS = {
    "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "·": ".", "`": "'",
    "\u00a0": " ", "×": "x", "€": "EUR", "°": "deg",
}  # fmt: skip
"""Marks that may be spelled otherwise without changing a name."""
_CYRILLIC = zip(
    "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґё",
    ("a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
     "kh", "ts", "ch", "sh", "shch", "'", "y", "'", "e", "yu", "ya", "i", "yi", "ye", "g", "e"),
    strict=True,
)  # fmt: skip
_GREEK = zip(
    "αβγδεζηθικλμνξοπρσςτυφχψω",
    ("a", "v", "g", "d", "e", "z", "i", "th", "i", "k", "l", "m", "n", "x", "o", "p", "r", "s", "s", "t", "y",
     "f", "ch", "ps", "o"),
    strict=True,
)  # fmt: skip
_LETTERS = dict(_CYRILLIC) | dict(_GREEK) | {
    "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ŋ": "ng", "œ": "oe", "ŧ": "t", "ĸ": "k",
    "ſ": "s", "ẞ": "SS", "ə": "e",
}  # fmt: skip


def encode(text: str) -> bytes:
    """`text` as numbers of the ROM, one byte a character; `?` where it has none."""
    return bytes(ROM.get(character, ROM[UNKNOWN]) for character in text)


def spell(text: str) -> str:
    """Text with nothing that the ROM lacks, as well as that goes; `?` for what it cannot say."""
    return "".join(map(_spell_one, unicodedata.normalize("NFC", text.replace(CHANGED, "-"))))


def spell_name(name: str) -> str:
    """A name as it is, or a domain's ASCII form, or with `~` before what is only like it."""
    composed = unicodedata.normalize("NFC", name)
    if all(character in ROM for character in composed) and not set(composed) & {CHANGED, LOCK, TICK}:
        return composed
    before, at, domain = composed.rpartition("@")
    if "." in domain and " " not in domain and all(character in ROM for character in before):
        try:
            ascii_form = before + at + domain.encode("idna").decode("ascii")
        except UnicodeError:
            ascii_form = ""
        if ascii_form and all(character in ROM for character in ascii_form) and CHANGED not in ascii_form:
            return ascii_form
    return CHANGED + spell(composed)


def spell_names(names: Sequence[str], width: int) -> tuple[str, ...]:
    """Each name within `width` characters, and no two different ones alike: those end with `~2`, `~3`..."""
    shown: list[str] = []
    taken: dict[str, str] = {}
    for name in names:
        fitted = elide(spell_name(name), width)
        number = 1
        line = fitted
        while taken.setdefault(line, name) != name:
            number += 1
            sign = f"{CHANGED}{number}"
            line = fitted[: width - len(sign)] + sign
        shown.append(line)
    return tuple(shown)


def elide(text: str, width: int) -> str:
    """At most `width` characters: begin and end are what tells names apart, the middle goes."""
    if len(text) <= width:
        return text
    tail = (width - 3) // 2
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"


def _spell_one(character: str) -> str:
    if character in (LOCK, TICK):
        return UNKNOWN
    if character in ROM:
        return character
    if character in _WORDS:
        return _WORDS[character]
    base = unicodedata.normalize("NFD", character)[0]
    for each in (character, base):
        if each in ROM:
            return each
        if each.lower() in _LETTERS:
            spelled = _LETTERS[each.lower()]
            return spelled if each.islower() else spelled.capitalize()
    # Compatibility forms come last: a full-width letter is a letter.
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and all(each in ROM for each in plain):
        return plain
    return "" if unicodedata.category(character)[0] in "MC" else UNKNOWN
