"""Verdicts on certificate chains, kept for a minute: chains are judged often and change rarely."""

import hashlib
import time
from collections.abc import Callable, Iterable

from conclaved.identity import Verdict

LIFETIME_S = 60.0
MAX_VERDICTS = 8192
"""More than a meeting has members. Beyond it the oldest is judged anew."""

Judge = Callable[[tuple[bytes, ...], bytes], Verdict]
"""From (chain, DER, leaf first; signature key) to a verdict."""


class Verdicts:
    """A judge that remembers. Strangers choose the chains: they are remembered by a hash of 32 bytes."""

    def __init__(self, judge: Judge, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never goes back."""
        self._judge = judge
        self._clock = clock
        self._known: dict[bytes, Verdict] = {}
        self._until = 0.0

    def __call__(self, chain: tuple[bytes, ...], signature_key: bytes) -> Verdict:
        """The verdict on a chain, at most a minute old."""
        now = self._clock()
        if now >= self._until:
            self.forget()
            self._until = now + LIFETIME_S
        key = _digest((signature_key, *chain))
        found = self._known.get(key)
        if found is None:
            while len(self._known) >= MAX_VERDICTS:
                del self._known[next(iter(self._known))]
            found = self._known[key] = self._judge(chain, signature_key)
        return found

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """What verdicts depend on is different now."""
        self._known.clear()


def _digest(parts: Iterable[bytes]) -> bytes:
    """SHA-256 over the parts, each with its length before it: no two lists of parts are the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
