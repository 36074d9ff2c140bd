"""The way in: found, ask or offer, and what to do while nobody answers (the ways: see `session`).

A locked meeting is founded by a host, and a group without one may be that of somebody who was thrown
out. So a room that finds itself in such a group says goodbye to it and waits: it looks again when the
group has changed, or after a while.
"""

from collections.abc import Callable

from conclaved.meeting.admission import Admission
from conclaved.meeting.course import Course
from conclaved.meeting.earlier import Earlier
from conclaved.meeting.events import Replay
from conclaved.meeting.host_orders import RemoveReason
from conclaved.meeting.joining import Joining
from conclaved.meeting.log import Log
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.membership import Membership, leaves_of
from conclaved.meeting.outbox import Outbox, discard
from conclaved.meeting.own_rules import OwnRules
from conclaved.meeting.own_side import GROUP_ID_BYTES, OwnSide
from conclaved.meeting.roster import Assess, roster
from conclaved.meeting.view import State
from conclaved.mls import AuthenticatedContent, Group, PendingCommit, Remove

LOOK_AGAIN_S = 30.0
"""How long a room waits for a host before it looks again whether there is one: each look changes the code
of those who are in."""
SETTLED_S = 10.0
"""By then the group has removed the room that said goodbye: a change after that is another's."""
SOON_S = 1.0


class Entering:
    """Used while this device is in no group."""

    def __init__(
        self,
        course: Course,
        out: Outbox,
        own: OwnSide,
        log: Log,
        member: Membership,
        joining: Joining,
        assess: Assess,
        *,
        publish: Callable[[PendingCommit, float], None],
        in_group: Callable[[], None],
        welcomed: Callable[[float], None],
        broke: Callable[[Exception, float], None],
        terms: MeetingContext | None = None,
    ) -> None:
        """`terms` are those of a session before this one. `publish` takes the founding commit; `in_group` is
        told when this device is in, `welcomed` when that is by a Welcome.
        """
        self._course = course
        self._out = out
        self._own = own
        self._log = log
        self._member = member
        self._joining = joining
        self._assess = assess
        self._publish = publish
        self._in_group = in_group
        self._welcomed = welcomed
        self._broke = broke
        self._outside: Group | None = None
        """One that we said goodbye to, until that is signed."""
        self._log_seen = -1
        self._refused_at = 0.0
        self._look_at = 0.0
        self.earlier = Earlier(terms)
        self.waits_for = ""
        """What this room waits for though the way in is open, in words; empty if nothing."""

    def __repr__(self) -> str:
        return f"Entering({self._course.state.value}, {self.earlier!r})"

    def begin(self) -> None:
        """Found, offer or ask."""
        job = self._own.self_admission_job()
        if self._own.admission is not None:
            self.found_or_offer()
        elif job is not None:
            self._out.job(job, self._admitted, self._broke)
        elif self._course.state is not State.ASKING:
            self._course.set(State.ASKING)
            self._joining.ask()

    def found_or_offer(self) -> None:
        """With an admission: an empty log is ours to begin."""
        is_log_empty = self._log.next_sequence == 0 and self._log.is_drained
        if is_log_empty and self._own.may_found:
            self.found()
        else:
            self.offer()

    def offer(self) -> None:
        """Ask the group that is there to take us in."""
        self._course.set(State.OFFERING)
        self.waits_for = ""
        self._joining.offer()

    def found(self) -> None:
        """Make a group and its first commit; the log decides whether it is *the* group."""
        self._course.set(State.FOUNDING)
        self._joining.close()
        # What a host has decided holds in the next group too: the service can lose a log at will.
        context = self.earlier.to_found(is_host=self._own.is_host) or MeetingContext(self._own.invitation)

        def made(result: tuple[Group, PendingCommit], now: float) -> None:
            if self._course.state is not State.FOUNDING:
                discard(result)
                return
            group, commit = result
            self._member.found(group, MeetingContext.of(group.extensions))
            self._publish(commit, now)

        job = self._own.found_job(context, self._out.random(GROUP_ID_BYTES))
        self._out.exclusive_job(job, made, self._broke)

    def joined(self, group: Group, context: MeetingContext, next_sequence: int, now: float) -> bool:
        """A Welcome has led into this group, which keeps to the group rules. True if we enter it.

        A refusal ends nothing: whoever was in once can make such a group, and a Welcome into it.
        """
        if self._course.state is not State.OFFERING:
            group.close()
            return False
        leaves = leaves_of(group)
        objection = self.earlier.objection_to(context, leaves)
        if objection is not None:
            group.close()
            self._refuse(objection, now)
            return False
        participants = roster(leaves.items(), context, self._assess, own_leaf=group.own_leaf_index)
        reason = OwnRules.reason_not_to_enter(self._own.invitation, participants)
        if reason is not None:
            self._refuse(reason, now)
            self._say_goodbye(group)
            return False
        self.waits_for = ""
        self.earlier.joined(context)
        self._log.skip_to(next_sequence)
        self._out.add(Replay(self._log.ask_from))
        keys = frozenset(leaf.signature_key for leaf in leaves.values())
        self._member.enter(
            group, context, now, added_keys=keys, is_code_epoch=True, code_reason="this room joined"
        )
        self._welcomed(now)
        self._in_group()
        return True

    def log_has(self, sequence: int, now: float) -> None:
        """An entry of the log has come: the group that we wait outside of may have a host now."""
        if sequence > self._log_seen:
            self._log_seen = sequence
            if self.waits_for and now - self._refused_at >= SETTLED_S:
                self._look_at = min(self._look_at, now + SOON_S)

    def look(self, now: float) -> None:
        """While waiting outside: offer again when it is time."""
        if self.waits_for and now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_S
            self._joining.offer()

    def close(self) -> None:
        """Erase the keys of a group that was not entered."""
        if self._outside is not None:
            self._outside.close()
            self._outside = None

    def _refuse(self, reason: str, now: float) -> None:
        self._refused_at, self._look_at = now, now + LOOK_AGAIN_S
        if reason != self.waits_for:
            self.waits_for = reason
            self._out.changed()

    def _say_goodbye(self, group: Group) -> None:
        """Let the group remove us again: they would wait for our sign of life, and drop their lock."""
        self.close()
        self._outside = group

        def signed(goodbye: AuthenticatedContent, _now: float) -> None:
            self._out.publish(group.protect(goodbye))
            self.close()

        own, leave = group.own_leaf_index, bytes([RemoveReason.LEAVE])
        self._out.job(lambda: group.sign_proposal(Remove(own), leave), signed, self._broke)

    def _admitted(self, admission: Admission, _now: float) -> None:
        if admission.signature_key != self._own.key:
            # The device has taken another key meanwhile.
            self.begin()
            return
        self._own.admission = admission
        if self._course.state in (State.CONNECTING, State.ASKING):
            self.found_or_offer()
        elif self._course.state is State.OFFERING:
            # It was on its way in with another key, whose offer is withdrawn.
            self.offer()
