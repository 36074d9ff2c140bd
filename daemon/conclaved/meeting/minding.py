"""Whom this device minds, and for how long it stays among them all the same.

Somebody who comes in against an own rule is no company for a moment: the device leaves at once. When
the meeting as such has become one that its policy forbids it stops sending at once, and goes as one who
leaves, so that nobody takes it to have vanished. Whoever was in before without
breaking a rule, and breaks one now, because a certificate has ended or changed, or because this
device's trust or policy has, gives people time: the device says what it minds and counts down, a host
may throw the one concerned out, a certificate may be renewed. A rejoin and a new key buy no time.
"""

import math
from dataclasses import dataclass

from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_rules import OwnRules
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.roster import Participant
from conclaved.meeting.rules import line_of

MIND_S = 30.0
"""How long a device stays with one that was in before it broke a rule."""
LOOK_S = 4.0
"""How often everybody in the group is judged anew: a certificate that ends shows within five seconds."""


@dataclass(frozen=True, slots=True)
class Going:
    """Why this device does not stay in the group."""

    reason: str
    is_at_once: bool
    """Without a word to the others; otherwise as one who leaves."""


@dataclass(frozen=True, slots=True)
class _Minded:
    since: float
    reason: str


class Minding:
    """Used only while this device is in the group; `Session` sees to that."""

    def __init__(self, out: Outbox, own: OwnSide, member: Membership) -> None:
        self._out = out
        self._own = own
        self._member = member
        self._seen: tuple[Participant, ...] = ()
        self._minded: dict[bytes, _Minded] = {}
        self.look_at = -math.inf
        """When everybody is to be judged anew (monotonic seconds)."""
        self.reason = ""
        """What this device minds, in words; empty if nothing."""
        self.leaving_in_s = 0
        """Whole seconds until it leaves for that reason."""

    def __repr__(self) -> str:
        return f"Minding({len(self._minded)} of {len(self._seen)})"

    def look_again(self) -> None:
        """The roster, a rule or an anchor may be another: judge everybody at the next `due`."""
        self.look_at = -math.inf

    def due(self, rules: OwnRules, now: float) -> Going | None:
        """Judge everybody if it is time, and count down. Returns why this device goes now, or None."""
        if now >= self.look_at:
            self.look_at = now + LOOK_S
            as_such = rules.objection(self._own.invitation, ())
            if as_such is not None:
                return Going(as_such.reason, is_at_once=False)
            reason = self._look(rules, now)
            if reason is not None:
                return Going(reason, is_at_once=True)
        first = min(self._minded.values(), key=lambda minded: minded.since, default=None)
        before = (self.reason, self.leaving_in_s)
        if first is None:
            self.reason, self.leaving_in_s = "", 0
        else:
            self.reason = first.reason
            self.leaving_in_s = max(0, math.ceil(first.since + MIND_S - now))
        if (self.reason, self.leaving_in_s) != before:
            self._out.changed()
        if first is None or now < first.since + MIND_S:
            return None
        return Going(first.reason, is_at_once=False)

    def forget(self) -> None:
        """The group is given up: whoever is in the next one is a stranger at first."""
        self._seen = ()
        self._minded.clear()
        self.reason, self.leaving_in_s = "", 0

    def _look(self, rules: OwnRules, now: float) -> str | None:
        """Judge everybody. Returns why this device goes at once, or None."""
        invitation, leaves = self._own.invitation, self._member.leaves()
        before = {participant.signature_key for participant in self._seen}
        seen = self._member.participants()
        if seen != self._seen:
            self._seen = seen
            self._out.changed()
        minded: dict[bytes, _Minded] = {}
        for participant in seen:
            objection = rules.objection(invitation, (participant,))
            if objection is None:
                continue
            keys = line_of(leaves[participant.leaf])
            if keys.isdisjoint(before):
                return objection.reason
            since = min((self._minded[key].since for key in keys & self._minded.keys()), default=now)
            minded[participant.signature_key] = _Minded(since, objection.reason)
        self._minded = minded
        return None
