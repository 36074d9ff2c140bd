"""Versions of firmware, by which an older one is told from a newer one."""

import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,9}){0,3})(?:\+[0-9A-Za-z.-]{1,64})?", re.ASCII)


class VersionError(ValueError):
    """Text that is no version."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Numbers between dots, compared from the left; what follows a + names a build, and is not compared."""

    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `1.2.0` or `1.2.0+4f1c`. Raises VersionError."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise VersionError(f"{text[:80]!r} is no version, such as 1.2.0")
        numbers = [int(number) for number in found[1].split(".")]
        # 1.2 and 1.2.0 are the same.
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        return cls(tuple(numbers))
