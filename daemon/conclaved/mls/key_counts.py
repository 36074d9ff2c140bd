"""How often each public key occurs in a ratchet tree, as a value that is cheap to change.

A Commit changes a few dozen keys of a tree that may have thousands. Copying them all would make every Commit
linear in the size of the group. So two values share what both have, and differ in what was changed since;
once that is more than a few Commits' worth it is merged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

MOST_CHANGES = 512


class KeyCounts:
    """Never changed once made; `changed` gives another one."""

    __slots__ = ("_base", "_changes")

    def __init__(self, base: dict[bytes, int], changes: dict[bytes, int]) -> None:
        self._base = base
        self._changes = changes

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> "KeyCounts":
        """The counts of these keys."""
        return cls(dict(Counter(keys)), {})

    def __getitem__(self, key: bytes) -> int:
        """How often a key occurs; 0 for one that does not."""
        return self._base.get(key, 0) + self._changes.get(key, 0)

    def __iter__(self) -> Iterator[bytes]:
        """The keys that occur."""
        yield from (key for key in self._base if self[key])
        yield from (key for key in self._changes if key not in self._base and self[key])

    def values(self) -> Iterator[int]:
        """How often each key that occurs does."""
        return (self[key] for key in self)

    def changed(self, differences: Mapping[bytes, int]) -> "KeyCounts":
        """The counts with these added; time grows with the changes, not with the keys."""
        if not differences:
            return self
        changes = dict(self._changes)
        for key, difference in differences.items():
            changes[key] = changes.get(key, 0) + difference
        if len(changes) <= MOST_CHANGES:
            return KeyCounts(self._base, changes)
        base = dict(self._base)
        for key, difference in changes.items():
            base[key] = base.get(key, 0) + difference
            if not base[key]:
                del base[key]
        return KeyCounts(base, {})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyCounts):
            return NotImplemented
        return {key: self[key] for key in self} == {key: other[key] for key in other}

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KeyCounts({len(self._base)} keys, {len(self._changes)} changes)"
