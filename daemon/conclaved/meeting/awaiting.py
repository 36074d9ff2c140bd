"""Whom this device has to hear of before it sends again, though those who should be heard are heard.

Who is taken for gone sends no beacons, and nobody expects any: so one who is to be thrown out could take
those for gone who throw it out, before a member whom the service shows another log, and would be all that
this member hears. Two things speak against it. One who was heard a moment ago is not gone: it is given
time to come back (after that the code is another, and people read who took it for gone; to join anew would
leave the group to the one who did). And a locked meeting whose hosts have all vanished may be one that they
have thrown somebody out of elsewhere: nobody sends in it before a host is heard. Nor does who has just come
in by a Welcome: that a host's leaf is in the tree says only that it once made a KeyPackage for this meeting.
"""

import math

from conclaved.meeting.alive import Watch
from conclaved.meeting.invitation import Level
from conclaved.meeting.membership import Membership
from conclaved.meeting.rules import RemoveReason, line_of
from conclaved.meeting.tree_rules import is_host
from conclaved.mls import LeafNode

LATELY_S = 10.0
"""Who was heard so lately cannot have been missed for the time after which one has vanished."""
COMES_BACK_S = 15.0
"""By then one who is there has come back."""
COMING_IN_S = 5.0
"""For so long after a Welcome it is nothing to speak of that no host has been heard."""


class Awaiting:
    """Used only while this device is in the group; `Session` sees to that. Times are monotonic seconds."""

    def __init__(self, member: Membership, watch: Watch) -> None:
        self._member = member
        self._watch = watch
        self._taken_away: dict[frozenset[bytes], tuple[float, str]] = {}
        """Since when one is gone who was heard just before, and its name; by its line."""
        self._awaits_host = ""
        """Why a host has to be heard first; empty if none has to."""
        self._welcomed_at = -math.inf

    def __repr__(self) -> str:
        return f"Awaiting({len(self._taken_away)}, {self._awaits_host!r})"

    def welcomed(self, now: float) -> None:
        """This device came in by a Welcome. Who is the only host itself has no other to wait for."""
        member, self._welcomed_at = self._member, now
        if self._is_locked and member.group is not None and member.hosts() - {member.group.own_leaf_index}:
            self._awaits_host = "no host of the locked meeting has been heard yet"

    @property
    def _is_locked(self) -> bool:
        return self._member.context.invitation.content.level is Level.LOCKED

    def entered(self, before: dict[int, LeafNode], now: float) -> None:
        """A commit was entered; `before` are the leaves that the group had."""
        member = self._member
        present = frozenset[bytes]().union(*map(line_of, member.leaves().values()))
        has_lost_host = False
        for gone in member.departed:
            if gone.reason is RemoveReason.VANISHED and not gone.is_back:
                leaf = gone.participant.leaf
                has_lost_host |= is_host(before[leaf])
                if self._watch.was_heard_since(leaf, now - LATELY_S):
                    self._taken_away[gone.line] = (now, gone.participant.name)
        self._taken_away = {line: gone for line, gone in self._taken_away.items() if line.isdisjoint(present)}
        if self._is_locked and has_lost_host and not member.hosts():
            self._awaits_host = "all hosts of the locked meeting have vanished"
        elif member.is_last_host():
            self._awaits_host = ""

    def heard(self, leaf: int) -> None:
        """A beacon of `leaf` was opened, in the present epoch."""
        if leaf in self._member.hosts():
            self._awaits_host = ""

    def reason_behind(self, now: float) -> str | None:
        """Why this device may not send, or None."""
        for since, name in self._taken_away.values():
            if now - since < COMES_BACK_S:
                return f"{name} was taken to have vanished, and was heard just before"
        return self._awaits_host or None

    def is_coming_in(self, now: float) -> bool:
        """Whether this device has just come in, and what it waits for is on its way."""
        return bool(self._awaits_host) and now - self._welcomed_at < COMING_IN_S

    def close(self) -> None:
        """The group is given up."""
        self._taken_away.clear()
        self._awaits_host = ""
