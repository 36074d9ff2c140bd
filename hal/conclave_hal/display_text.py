"""Text that strangers chose, made safe to show.

Names, titles and reasons come from other people's certificates and messages. A right-to-left
override, an invisible letter or a tower of accents could make one name look like another, or
push the word "not verified" off the line. What remains here is one line of visible text; the
panel still isolates its direction and cuts what is too wide.
"""

import unicodedata

_JOINERS = "\u200c\u200d"
"""Persian, Hindi and others need them between letters."""
_LOOKS_EMPTY = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols by their class, but blank on every screen."""
_MAX_MARKS = 3
"""More combining marks than this on one letter are no language."""


def display_text(text: str, *, max_length: int = 160) -> str:
    """One line of visible text in NFC: no control or format characters, at most `max_length` long."""
    visible = unicodedata.normalize("NFC", "".join(map(_visible, text)))
    kept: list[str] = []
    marks = 0
    for character in visible:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        has_base = bool(kept) or (marks == 0 and character not in _JOINERS + " ")
        if has_base and marks <= _MAX_MARKS:
            kept.append(character)
    line = " ".join("".join(kept).split()).strip(_JOINERS + " ")
    return line if len(line) <= max_length else line[: max_length - 1].rstrip() + "…"


def _visible(character: str) -> str:
    """The character, a space in place of one that shows as blank, or nothing."""
    category = unicodedata.category(character)
    if category in {"Zs", "Zl", "Zp"} or character in "\t\n\r" or character in _LOOKS_EMPTY:
        return " "
    if category in {"Cc", "Cs", "Cn", "Co"} or (category == "Cf" and character not in _JOINERS):
        return ""
    return character
