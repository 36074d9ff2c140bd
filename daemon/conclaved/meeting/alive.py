"""Alive and behind: how a member notices that the service hides something (DESIGN §4).

Some members, the *beacons*, send a signed application message every two seconds. Everybody else
knows whom to expect. A member that has had no fresh beacon of each of them for five seconds is
*behind*: it stops sending and drops the lock, because the service may be hiding a Remove.

What is fresh? A beacon says how long its sender's session has lasted. The least difference to our
own clock that was ever seen is the way that messages take at best; a beacon that comes later than
that is as old as it is late. So a service cannot store beacons and hand them out one by one after
it has begun to hide the log. (A delay that was there from the very first beacon cannot be told
from a slow network; people notice it, they hear each other that much later.)

Frames of an unknown epoch prove nothing, a kicked member or a stranger can forge them: they only
make a member that has no fresh beacons notice sooner. Who has sent no beacon for twenty seconds has
*vanished*, and is cleared away so that its silence does not stop the others.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, uint8, uint64
from conclaved.mls.errors import DecodeError

BEACON_INTERVAL_S = 2.0
WINDOW_S = 5.0
MOST_NAMES = 3
"""So many of those who are silent are named."""
FRESH_S = 2.5
"""A beacon younger than this outweighs frames of an unknown epoch."""
UNKNOWN_EPOCH_S = 2.0
UNKNOWN_PAUSE_S = 5.0
"""Frames of an unknown epoch that are further apart are no sign of one: a beacon comes every two."""
OFFLINE_S = 2.0
GAP_S = 2.0
LOST_S = 15.0
"""How long a gap in the log, or an unknown epoch, is waited out before joining anew."""
VANISHED_S = 20.0
LOWEST_LEAVES = 3
ANOTHER_GROUP_S = 10.0
"""For so long another group is heard before one that is alone in its own goes there. A host waits twice as
long: of two groups of one, that of the host stays, which can let in whom the other cannot."""
OUTSIDE_S = 15.0
"""Somebody outside was heard within this time."""
DRIFT = 2e-4
"""How much two clocks may run apart, and so how fast the least difference may grow."""
SESSION_BYTES = 8
_KIND = 1


@dataclass(frozen=True, slots=True)
class Beacon:
    """The content of an application message that says: alive."""

    session: bytes
    """8 random bytes: the clock starts anew with each session of the sender's."""
    elapsed_ms: int
    """How long the sender's session has lasted."""

    def encode(self) -> bytes:
        """17 bytes."""
        return uint8(_KIND) + self.session + uint64(self.elapsed_ms)

    @classmethod
    def decode(cls, data: bytes) -> "Beacon | None":
        """Parse an application message; None if it is no beacon."""

        def read(reader: Reader) -> "Beacon | None":
            kind = reader.uint8()
            beacon = cls(reader.fixed(SESSION_BYTES), reader.uint64())
            return beacon if kind == _KIND else None

        try:
            return decode_whole(data, read)
        except DecodeError:
            return None


def beacons(hosts: frozenset[int], leaves: frozenset[int]) -> frozenset[int]:
    """The leaves that send beacons: the hosts and the three lowest leaves.

    One host alone would hear nobody; of two, each could be kept from noticing that the other is out.
    """
    return hosts | frozenset(sorted(leaves)[:LOWEST_LEAVES])


@dataclass(slots=True)
class _Sender:
    """What is known of one beacon's beacons."""

    expected_since: float
    last_arrival: float
    session: bytes = b""
    least: float = 0.0
    """The least difference of our clock to its elapsed time."""
    least_at: float = 0.0
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=8))
    """When its last beacons would have come at best, by our clock."""


class Watch:
    """One member's view of whether it is behind. Times are monotonic seconds, handed in."""

    def __init__(self, now: float) -> None:
        self._senders: dict[int, _Sender] = {}
        self.name_of: Callable[[int], str] = "member {}".format
        """The name of the member at a leaf, for a sentence: the group knows it."""
        self._heard_before: dict[int, float] = {}
        self._unknown_since: float | None = None
        self._unknown_last = now
        self._offline_since: float | None = None
        self._online_since = now
        self._gap_since: float | None = None
        self._stranger_at: float | None = None
        self._strangers_since = now
        self._another_since: float | None = None
        self._another_last = self._outside_at = -math.inf

    def __repr__(self) -> str:
        return f"Watch(beacons={sorted(self._senders)})"

    def expect(self, others: frozenset[int], now: float, *, fresh: frozenset[int] = frozenset()) -> None:
        """From now on beacons of each of `others` are expected; empty where nobody else sends any.

        Leaves that are `fresh` hold somebody else than before, who has all the time there is.
        """
        self._heard_before = {leaf: max(each.sent) for leaf, each in self._senders.items() if each.sent}
        known = {leaf: sender for leaf, sender in self._senders.items() if leaf not in fresh}
        self._senders = {leaf: known.get(leaf, _Sender(now, now)) for leaf in others}

    def was_heard_since(self, leaf: int, since: float) -> bool:
        """Whether one that was expected before the last change has sent a beacon after `since`."""
        return self._heard_before.get(leaf, -math.inf) > since

    def is_heard(self, leaf: int, now: float) -> bool:
        """Whether one that is expected has sent a beacon within the last five seconds."""
        sender = self._senders.get(leaf)
        return sender is not None and any(now - at <= WINDOW_S for at in sender.sent)

    def advanced(self) -> None:
        """A new epoch was reached: frames of an unknown one before it mean nothing any more."""
        self._unknown_since = self._another_since = None

    def heard(self, leaf: int, beacon: Beacon, now: float) -> None:
        """A beacon was opened and its signature held."""
        sender = self._senders.get(leaf)
        if sender is None:
            return
        difference = now - beacon.elapsed_ms / 1000
        if sender.session != beacon.session:
            sender.session, sender.least, sender.least_at = beacon.session, difference, now
        else:
            grown = sender.least + (now - sender.least_at) * DRIFT
            sender.least, sender.least_at = min(difference, grown), now
        sender.last_arrival = now
        sender.sent.append(beacon.elapsed_ms / 1000 + sender.least)
        if now - sender.sent[-1] <= FRESH_S:
            # Frames of an unknown epoch beside fresh beacons are a stranger's: they do not add up.
            self._unknown_since = None

    def unknown_epoch(self, now: float) -> None:
        """A frame of an epoch that we do not have was seen."""
        if self._unknown_since is None or now - self._unknown_last > UNKNOWN_PAUSE_S:
            self._unknown_since = now
        self._unknown_last = now

    def stranger(self, now: float) -> None:
        """A live message could not be opened: junk, an old one, or of a group that has another log."""
        if self._stranger_at is None or now - self._stranger_at > UNKNOWN_PAUSE_S:
            self._strangers_since = now
        self._stranger_at = now

    def are_strangers_there(self, now: float) -> bool:
        """Whether such messages have been coming for some time: worth a long look at the log."""
        return self.has_heard_strangers(now) and now - self._strangers_since >= ANOTHER_GROUP_S

    def has_heard_strangers(self, now: float) -> bool:
        """Whether that was lately: worth a look at the log, and no more than that."""
        return self._stranger_at is not None and now - self._stranger_at <= UNKNOWN_PAUSE_S

    def another_group(self, now: float) -> None:
        """A live message of another group came: what it says nobody here can open, or believe."""
        if self._another_since is None or now - self._another_last > OUTSIDE_S:
            self._another_since = now
        self._another_last = now

    def is_another_group_there(self, now: float, *, is_host: bool = False) -> bool:
        """Whether another group has been heard for some time, and lately."""
        wait_s = 2 * ANOTHER_GROUP_S if is_host else ANOTHER_GROUP_S
        since = self._another_since
        is_lately = now - self._another_last <= OUTSIDE_S
        return since is not None and is_lately and self._another_last - since >= wait_s

    def somebody_outside(self, now: float) -> None:
        """Somebody asks or offers to come in."""
        self._outside_at = now

    def is_anybody_outside(self, now: float) -> bool:
        """Whether anybody outside of the group listens for it: in the lobby, or in another group."""
        last = max(self._outside_at, self._another_last)
        return now - last <= OUTSIDE_S

    def connection(self, is_online: bool, now: float) -> None:
        """The carrier lost or found the service."""
        if is_online and self._offline_since is not None:
            self._offline_since, self._online_since = None, now
        elif not is_online and self._offline_since is None:
            self._offline_since = now

    def gap(self, since: float | None) -> None:
        """Since when an entry of the log is missing, or None."""
        self._gap_since = since

    def reason_behind(self, now: float) -> str | None:
        """Why this member must take itself to be behind, or None."""
        if self._offline_since is not None and now - self._offline_since >= OFFLINE_S:
            return "the conference service is out of reach"
        if self._gap_since is not None and now - self._gap_since >= GAP_S:
            return "the conference service holds back part of the meeting's log"
        if self._unknown_for(now) >= UNKNOWN_EPOCH_S:
            return "others send under a key that this device was not given"
        silent = [
            leaf
            for leaf, sender in sorted(self._senders.items())
            if now - sender.expected_since >= WINDOW_S and not any(now - at <= WINDOW_S for at in sender.sent)
        ]
        if silent:
            names = ", ".join(self.name_of(leaf) for leaf in silent[:MOST_NAMES])
            others = " and others" if len(silent) > MOST_NAMES else ""
            return f"not heard for five seconds: {names}{others}"
        return None

    def is_lost(self, now: float) -> bool:
        """Whether waiting will not mend it: time to join anew."""
        gap = 0.0 if self._gap_since is None else now - self._gap_since
        return self._offline_since is None and max(gap, self._unknown_for(now)) >= LOST_S

    def vanished(self, now: float) -> frozenset[int]:
        """The leaves that should send beacons, and have not for long, while we were online."""
        if self._offline_since is not None or now - self._online_since < VANISHED_S:
            return frozenset()
        return frozenset(
            leaf for leaf, sender in self._senders.items() if now - sender.last_arrival >= VANISHED_S
        )

    def is_in_doubt(self, now: float) -> bool:
        """Whether others seem to be in another epoch: what this member would commit is late."""
        if self._unknown_since is None or now - self._unknown_last > UNKNOWN_PAUSE_S:
            return False
        # Who is alone cannot be left behind; a stranger's frames are no reason to give up the group.
        newest = max((at for sender in self._senders.values() for at in sender.sent), default=None)
        return bool(self._senders) and (newest is None or now - newest > FRESH_S)

    def _unknown_for(self, now: float) -> float:
        """For how long frames of an unknown epoch have come and no fresh beacon."""
        if self._unknown_since is None or not self.is_in_doubt(now):
            return 0.0
        return self._unknown_last - self._unknown_since
