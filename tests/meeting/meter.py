"""What everybody in a simulated meeting spends on cryptography, counted in expensive operations.

A signature made or verified, an HPKE seal or opening, a certificate chain looked at: one each. What a
room does while it handles an event, a tick or a job is its own; everything else is the attacker's, whose
messages count too: to encrypt and send one takes a fifth of a verification (37 and 125 microseconds, in
the lobby and in the group, where a verification takes 213).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conclaved.identity import SoftwareSigner, TrustStore
from conclaved.mls.crypto import Crypto, HpkeContext
from tests.meeting.simulated_service import Room

MESSAGE = 0.2


class Meter:
    """Counts by who has spent: a room, or None for the attacker."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.spent: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self._who = 0
        self._patch = patch
        for owner, name in (
            (Crypto, "is_signed"),
            (HpkeContext, "seal"),
            (HpkeContext, "open"),
            (SoftwareSigner, "sign"),
            (TrustStore, "assess"),
        ):
            self._count(owner, name)
        for name in ("hear", "tick", "work_on"):
            self._attribute(name)

    def of(self, room: Room) -> int:
        """What a room has spent."""
        return self.spent[id(room)]

    @property
    def of_attacker(self) -> int:
        """What everybody else has spent."""
        return self.spent[0]

    def clear(self) -> None:
        """Count anew."""
        self.spent.clear()
        self.kinds.clear()

    def _count(self, owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            self.spent[self._who] += 1
            self.kinds[name] += self._who != 0
            return inner(*args, **options)

        self._patch.setattr(owner, name, counted)

    def _attribute(self, name: str) -> None:
        inner: Callable[..., Any] = getattr(Room, name)

        def attributed(room: Room, *args: Any) -> Any:
            with self._as(room):
                return inner(room, *args)

        self._patch.setattr(Room, name, attributed)

    @contextmanager
    def _as(self, room: Room) -> Iterator[None]:
        before, self._who = self._who, id(room)
        try:
            yield
        finally:
            self._who = before
