"""Alive and behind: how a member notices that the service hides something (DESIGN §4).

Some members, the *beacons*, send a signed application message every two seconds: the hosts, or
the three lowest leaves where there is no host. Everybody else knows what to expect. A member
that misses more than half of it for five seconds, or has seen frames of an epoch that it does
not have for two, is *behind*: it stops sending and drops the lock. Frames alone prove nothing
(a kicked member can forge media of an old epoch), beacons are signed by members.
"""

from collections import deque

BEACON_INTERVAL_S = 2.0
WINDOW_S = 5.0
UNKNOWN_EPOCH_S = 2.0
OFFLINE_S = 2.0
BEACONS_WITHOUT_HOST = 3
BEACONS_A_WINDOW = int(WINDOW_S / BEACON_INTERVAL_S)
"""How many of one sender's beacons fall into a window at least."""


def beacons(hosts: frozenset[int], leaves: frozenset[int]) -> frozenset[int]:
    """The leaves that send beacons."""
    return hosts or frozenset(sorted(leaves)[:BEACONS_WITHOUT_HOST])


class Watch:
    """One member's view of whether it is behind. Times are monotonic seconds, handed in."""

    def __init__(self, now: float) -> None:
        self._expected_since: dict[int, float] = {}
        self._heard: dict[int, deque[float]] = {}
        self._unknown_since: float | None = None
        self._unknown_last = now
        self._offline_since: float | None = None
        self._gap_since: float | None = None

    def __repr__(self) -> str:
        return f"Watch(beacons={sorted(self._heard)})"

    def expect(self, others: frozenset[int], now: float) -> None:
        """From now on beacons of any of `others` are expected; empty where nobody else sends any."""
        self._expected_since = {leaf: self._expected_since.get(leaf, now) for leaf in others}
        self._heard = {leaf: self._heard.get(leaf, deque(maxlen=BEACONS_A_WINDOW)) for leaf in others}

    def advanced(self) -> None:
        """A new epoch was reached: frames of an unknown one before it mean nothing any more."""
        self._unknown_since = None

    def heard(self, leaf: int, now: float) -> None:
        """A beacon was opened and its signature held."""
        if leaf in self._heard:
            self._heard[leaf].append(now)

    def unknown_epoch(self, now: float) -> None:
        """A frame of an epoch that we do not have was seen."""
        if self._unknown_since is None or now - self._unknown_last > UNKNOWN_EPOCH_S:
            self._unknown_since = now
        self._unknown_last = now

    def connection(self, is_online: bool, now: float) -> None:
        """The carrier lost or found the service."""
        if is_online:
            self._offline_since = None
        elif self._offline_since is None:
            self._offline_since = now

    def gap(self, since: float | None) -> None:
        """Since when an entry of the log is missing, or None."""
        self._gap_since = since

    def reason_behind(self, now: float) -> str | None:
        """Why this member must take itself to be behind, or None."""
        if self._offline_since is not None and now - self._offline_since >= OFFLINE_S:
            return "the conference service is out of reach"
        if self._gap_since is not None and now - self._gap_since >= UNKNOWN_EPOCH_S:
            return "the conference service holds back part of the meeting's log"
        if self._unknown_since is not None and self._unknown_last - self._unknown_since >= UNKNOWN_EPOCH_S:
            return "others send under a key that this device was not given"
        # Of all who send, and each for itself: what the service may hold back of several senders it
        # could hand out later, and one sender could speak for all the others.
        expected = [leaf for leaf, since in self._expected_since.items() if now - since >= WINDOW_S]
        heard = sum(1 for leaf in expected for at in self._heard[leaf] if now - at <= WINDOW_S)
        if 2 * heard < BEACONS_A_WINDOW * len(expected):
            return "the hosts have not been heard for five seconds"
        return None
