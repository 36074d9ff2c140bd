"""Who has gone without a word, and how the others clear it away.

A member's own observation is not enough: one that took everybody else for gone would have the meeting
to itself, and take nobody in again. So it takes two, one who proposes and one who commits; a host, who
could throw anybody out, does it alone. Each asks nobody but itself whether it still hears the one
concerned.
"""

from functools import partial

from conclaved.meeting.committing import Committing
from conclaved.meeting.membership import Membership
from conclaved.meeting.rules import RemoveReason
from conclaved.meeting.voice import Voice
from conclaved.mls import Remove

STEP_S = 0.5
"""The members propose one after the other, in leaf order, until one has: a proposal is enough."""
LEADER_WAITS_S = 2.0
"""Who is to commit leaves the proposal to others."""


class Vanishing:
    """Used only while this device is in the group; `Session` sees to that."""

    def __init__(self, member: Membership, commits: Committing, voice: Voice) -> None:
        self._member = member
        self._commits = commits
        self._voice = voice
        self._since: dict[int, float] = {}
        self._proposed: set[int] = set()
        self._epoch = -1

    def __repr__(self) -> str:
        return f"Vanishing({sorted(self._since)})"

    def look(self, vanished: frozenset[int], now: float) -> None:
        """`vanished` are the leaves that this device has not heard for long."""
        self._commits.vanish(vanished, now)
        self._since = {leaf: self._since.get(leaf, now) for leaf in vanished}
        group = self._member.group
        if not vanished or group is None:
            return
        if group.epoch != self._epoch:
            self._epoch = group.epoch
            self._proposed.clear()
        staying = sorted(self._member.leaves().keys() - vanished)
        wait = STEP_S * sum(1 for leaf in staying if leaf < group.own_leaf_index)
        wait += LEADER_WAITS_S if self._commits.is_leader else 0.0
        for leaf, since in self._since.items():
            if leaf in self._proposed or now < since + wait or self._commits.is_taken_for_gone(leaf):
                continue
            self._proposed.add(leaf)
            self._voice.propose(partial(Remove, leaf), bytes([RemoveReason.VANISHED]))

    def close(self) -> None:
        """The group is given up."""
        self._since.clear()
        self._proposed.clear()
        self._epoch = -1
