"""The order of letters on one line: a small part of the Unicode bidirectional algorithm (UAX #9).

A line is a text of ours in one direction with names of strangers in it, each between U+2068 and U+2069.
An isolate has the direction of its first letter and stands in the line as one piece: nothing in a name
can turn the words around it. Within a piece there are two levels, which is all that names and sentences
need: runs of the other direction, and numbers, which are read from left to right everywhere. Explicit
embeddings and overrides do not come here: `display_text` takes them out of what strangers say.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

ISOLATE = "\u2068"
END_OF_ISOLATE = "\u2069"


class Direction(Enum):
    """Of reading."""

    LTR = "ltr"
    RTL = "rtl"


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one direction, in the order in which they are read."""

    text: str
    direction: Direction


def isolated(text: str) -> str:
    """`text` as one piece of a sentence, whatever direction it has."""
    return f"{ISOLATE}{text}{END_OF_ISOLATE}"


def visual_runs(text: str, direction: Direction) -> list[Run]:
    """The runs of a line as they stand from left to right."""
    return _piece(_Reader(text), direction, is_isolate=False)


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0


_Item = str | list[Run]
"""A character, or an isolate that is laid out already."""


def _piece(reader: _Reader, direction: Direction | None, *, is_isolate: bool) -> list[Run]:
    items: list[_Item] = []
    while reader.at < len(reader.text):
        character = reader.text[reader.at]
        reader.at += 1
        if character == ISOLATE:
            items.append(_piece(reader, None, is_isolate=True))
        elif character == END_OF_ISOLATE:
            if is_isolate:
                break
        else:
            items.append(character)
    base = direction or _first_strong(items)
    return _ordered(items, _levels(items, base), base)


def _first_strong(items: list[_Item]) -> Direction:
    for item in items:
        if isinstance(item, str) and (found := _STRONG.get(unicodedata.bidirectional(item))):
            return found
    return Direction.LTR


_STRONG = {"L": Direction.LTR, "R": Direction.RTL, "AL": Direction.RTL}


def _levels(items: list[_Item], base: Direction) -> list[int]:
    """A level for each item (rules W1 to I2, for what comes here): odd is read from right to left."""
    paragraph = 1 if base is Direction.RTL else 0
    kinds = _kinds(items)
    _arabic_numbers(kinds)
    _numbers(kinds)
    _numbers_after_letters(kinds, "R" if paragraph else "L")
    _brackets(items, kinds, "R" if paragraph else "L")
    resolved = [_level_of(kind, paragraph) for kind in kinds]
    _neutrals(kinds, resolved, paragraph)
    return [paragraph if level is None else level for level in resolved]


def _kinds(items: list[_Item]) -> list[str]:
    """Classes of the characters; an isolate is a neutral, a mark is what it stands on (W1)."""
    kinds: list[str] = []
    for item in items:
        kind = unicodedata.bidirectional(item) if isinstance(item, str) else "ON"
        if kind == "NSM":
            kind = kinds[-1] if kinds else "ON"
        kinds.append(kind)
    return kinds


def _arabic_numbers(kinds: list[str]) -> None:
    """W2 and W3: a number after Arabic letters is an Arabic one, whatever its digits."""
    strong = ""
    for at, kind in enumerate(kinds):
        if kind in _STRONG:
            strong = kind
        if kind == "EN" and strong == "AL":
            kinds[at] = "AN"
        elif kind == "AL":
            kinds[at] = "R"


def _numbers(kinds: list[str]) -> None:
    """W4 and W5: what stands within a number, or beside it, is part of it."""
    for at in range(1, len(kinds) - 1):
        around = kinds[at - 1]
        if around == kinds[at + 1] and (
            (kinds[at] == "CS" and around in ("EN", "AN")) or (kinds[at] == "ES" and around == "EN")
        ):
            kinds[at] = around
    at = 0
    while at < len(kinds):
        end = at
        while end < len(kinds) and kinds[end] == "ET":
            end += 1
        beside = (kinds[at - 1] if at else "", kinds[end] if end < len(kinds) else "")
        if end > at and "EN" in beside:
            kinds[at:end] = ["EN"] * (end - at)
        at = max(end, at + 1)


def _numbers_after_letters(kinds: list[str], strong: str) -> None:
    """W7: a number after Latin letters belongs to them."""
    for at, kind in enumerate(kinds):
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[at] = "L"


_CLOSING = {"(": ")", "[": "]", "{": "}"}


def _brackets(items: list[_Item], kinds: list[str], base: str) -> None:
    """N0: a pair of brackets goes together, with what is in them or with what stands before them."""
    for begin, end in sorted(_pairs(items)):
        inside = {_side(kind) for kind in kinds[begin + 1 : end] if kind in ("L", "R", "EN", "AN")}
        if not inside:
            continue
        direction = base
        if base not in inside:
            before = (_side(kind) for kind in reversed(kinds[:begin]) if kind in ("L", "R", "EN", "AN"))
            direction = next(before, base)
        kinds[begin] = kinds[end] = direction


def _pairs(items: list[_Item]) -> Iterator[tuple[int, int]]:
    """BD16."""
    waiting: list[tuple[str, int]] = []
    for at, item in enumerate(items):
        if not isinstance(item, str):
            continue
        if item in _CLOSING:
            waiting.append((_CLOSING[item], at))
        elif item in _CLOSING.values():
            for depth in range(len(waiting) - 1, -1, -1):
                if waiting[depth][0] == item:
                    yield waiting[depth][1], at
                    del waiting[depth:]
                    break


def _level_of(kind: str, paragraph: int) -> int | None:
    if kind == "L":
        return 2 * paragraph
    if kind == "R":
        return 1
    if kind in ("EN", "AN"):
        return 2
    return None


def _neutrals(kinds: list[str], levels: list[int | None], paragraph: int) -> None:
    """N1 and N2: between two of one direction they follow them, elsewhere the line."""
    at = 0
    while at < len(levels):
        if levels[at] is not None:
            at += 1
            continue
        end = next((i for i in range(at, len(levels)) if levels[i] is not None), len(levels))
        before = _side(kinds[at - 1]) if at else None
        after = _side(kinds[end]) if end < len(levels) else None
        level = paragraph
        if before is not None and before == after:
            level = 1 if before == "R" else 2 * paragraph
        levels[at:end] = [level] * (end - at)
        at = end


def _side(kind: str) -> str:
    """Numbers count as right-to-left here (N1)."""
    return "L" if kind == "L" else "R"


def _ordered(items: list[_Item], levels: list[int], base: Direction) -> list[Run]:
    runs = list(_runs(items, levels))
    # L2: from the highest level down, what is at it or above is turned round.
    for level in range(max(levels, default=0), 0, -1):
        turned: list[tuple[int, list[Run]]] = []
        stretch: list[tuple[int, list[Run]]] = []
        for run in runs:
            if run[0] >= level:
                stretch.append(run)
            else:
                turned += [*reversed(stretch), run]
                stretch = []
        runs = [*turned, *reversed(stretch)]
    return [run for _, made in runs for run in made]


def _runs(items: list[_Item], levels: list[int]) -> Iterator[tuple[int, list[Run]]]:
    text = ""
    for at, item in enumerate(items):
        if isinstance(item, str):
            text += item
            goes_on = at + 1 < len(items) and levels[at + 1] == levels[at] and isinstance(items[at + 1], str)
            if not goes_on:
                yield levels[at], [Run(text, Direction.RTL if levels[at] % 2 else Direction.LTR)]
                text = ""
        else:
            yield levels[at], item
