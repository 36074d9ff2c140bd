"""Verdicts on certificate chains, kept for a minute: chains are judged often and change rarely.

What follows from time does not wait for the minute: a verdict ends with its certificate, and all of
them when the clock begins or ceases to be believed.
"""

import hashlib
import time
from collections.abc import Callable, Iterable

from conclaved.identity import Assurance, Verdict

LIFETIME_S = 60.0
MAX_VERDICTS = 8192
"""More than a meeting has members. Beyond it the oldest is judged anew."""

Judge = Callable[[tuple[bytes, ...], bytes], Verdict]
"""From (chain, DER, leaf first; signature key) to a verdict."""


class Verdicts:
    """A judge that remembers. Strangers choose the chains: they are remembered by a hash of 32 bytes."""

    def __init__(
        self,
        judge: Judge,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int | None],
    ) -> None:
        """`clock` gives seconds and never goes back; `wall` the believed Unix time, or None for none."""
        self._judge = judge
        self._clock = clock
        self._wall = wall
        self._known: dict[bytes, Verdict] = {}
        self._until = 0.0
        self._is_time_believed = False

    def __call__(self, chain: tuple[bytes, ...], signature_key: bytes) -> Verdict:
        """The verdict on a chain, at most a minute old, and not older than its certificate's end."""
        now, wall = self._clock(), self._wall()
        is_time_believed = wall is not None
        if now >= self._until or is_time_believed is not self._is_time_believed:
            self.forget()
            self._until, self._is_time_believed = now + LIFETIME_S, is_time_believed
        key = _digest((signature_key, *chain))
        found = self._known.get(key)
        if found is None or _has_ended(found, wall):
            while len(self._known) >= MAX_VERDICTS:
                del self._known[next(iter(self._known))]
            found = self._known[key] = self._judge(chain, signature_key)
        return found

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """What verdicts depend on is different now."""
        self._known.clear()


def _has_ended(verdict: Verdict, wall: int | None) -> bool:
    """Whether a good verdict is on a certificate that has ended since."""
    return wall is not None and verdict.assurance is not Assurance.UNKNOWN and wall > verdict.not_after


def _digest(parts: Iterable[bytes]) -> bytes:
    """SHA-256 over the parts, each with its length before it: no two lists of parts are the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
