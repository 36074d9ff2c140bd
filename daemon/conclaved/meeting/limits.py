"""How much of what others send is worked on, and how fast.

Whoever has the link can say anything in the lobby; a member can propose and send without end; the
service can repeat everything. What is beyond these limits is dropped before anything expensive is done
for it: a signature, an opened seal, a look at a certificate chain. Entries of the log alone are never
dropped, since all members have to read the same ones: they wait.

A rate is that of a token bucket that holds two seconds' worth.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
BURST_S = 2
MAX_BUCKETS = 8192


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session takes from others. Rates are a second's; sizes are counts unless they say bytes."""

    lobby_per_s: int = 500
    """Lobby messages opened; one of more than 16 KiB counts for each 16 KiB that it begins."""
    requests_per_s: int = 20
    """Requests to be let in that a host's device examines: a signature and a certificate chain each."""
    denials_per_s: int = 1
    """Signatures of a host's device for those who were thrown out and ask again."""
    repeats_per_s: int = 10
    """Answers that a host's device says again, to all who repeat their requests together."""
    answers_per_s: int = 10
    """Answers to an own request, or appointments, that are examined."""
    offers_per_s: int = 200
    """KeyPackages that a member examines."""
    welcomes_per_s: int = 20
    """Welcomes for the own KeyPackage that are opened."""
    live_per_s: int = 300
    """Application messages that are opened, of all members together."""
    live_of_one_per_s: int = 10
    """The same, of one member: one beacon in two seconds is what an honest one sends."""
    entries_per_s: int = 500
    """Entries of the log that are read; more of them wait."""
    rejoins_at_once: int = 6
    """How often a member that lost its state may come back in a row: each time the code changes."""
    rejoin_every_s: int = 4
    """After that, once in so many seconds."""
    waiting: int = 64
    """Requests in a host's lobby."""
    offers: int = 1024
    """KeyPackages that wait for a commit."""
    proposals_of_one: int = 256
    """Of one member in an epoch. The same for all members, or they would not agree on the kicks in force."""
    welcome_bytes: int = 6 * 1024 * 1024
    """A thousand members with their certificates and admissions take about 3 MiB."""
    leaves: int = 8192
    """In a group's tree, blank ones included."""


DEFAULT_LIMITS = Limits()


class Bucket:
    """A token bucket. Time is handed in, in monotonic seconds."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float | None = None) -> None:
        """`rate` tokens a second; `burst` at most at once, two seconds' worth if not given."""
        self._rate = rate
        self._burst = rate * BURST_S if burst is None else burst
        self._left = self._burst
        self._at: float | None = None

    def is_empty(self, now: float) -> bool:
        """Whether nothing can be taken at this moment."""
        if self._at is not None and now > self._at:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now if self._at is None else max(now, self._at)
        return self._left < 1

    def take(self, now: float, count: int = 1) -> bool:
        """Take some. False, and nothing is taken, when there are not so many."""
        if self.is_empty(now) or self._left < min(count, self._burst):
            return False
        self._left -= min(count, self._burst)
        return True

    def __repr__(self) -> str:
        return f"Bucket({self._left:.1f} of {self._burst:g})"


class Buckets(Generic[K]):
    """A bucket for each key. The oldest are forgotten when there are too many."""

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[K, Bucket] = {}

    def is_empty(self, key: K, now: float) -> bool:
        """Whether nothing can be taken for this key."""
        bucket = self._buckets.get(key)
        return bucket is not None and bucket.is_empty(now)

    def take(self, key: K, now: float) -> bool:
        """Take one for this key. False, and nothing is taken, when there is none."""
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst)
        while len(self._buckets) >= MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = bucket
        return bucket.take(now)

    def clear(self) -> None:
        """Forget all keys."""
        self._buckets.clear()

    def __repr__(self) -> str:
        return f"Buckets({len(self._buckets)})"
