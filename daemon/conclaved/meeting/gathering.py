"""Two groups of one meeting, or two histories of one group, become one again.

A service that was cut in two, or that played two sides for a while, leaves members that hear each other
and can open nothing: each side has gone on by a log that both now share. Nobody can tell from inside which
side is the meeting. So a host that hears strangers for some time says in the lobby, signed, in which group
and history it is; and who hears strangers too, and is not there, goes there. Of two hosts on two sides the
invitation's signer counts, or else the lower hash of their keys: all find the same.

It proves no more than that this host was somewhere else once. So nobody follows one that it hears here, one
that was thrown out, or that stands on the word of such a one; and nobody goes more than three times in five
minutes: who has the link can keep what was said, and make noise, and so make a member come back to where it
was. Whoever goes looks at the group before it enters (`earlier`).
"""

import hashlib
from collections import deque
from collections.abc import Callable

from conclaved.meeting import lobby
from conclaved.meeting.admission import Admission, chain, check, line
from conclaved.meeting.alive import Watch
from conclaved.meeting.events import SendLobby
from conclaved.meeting.limits import Bucket, Limits
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.rules import admission_of, line_of

SAY_EVERY_S = 10.0
GOES_AFTER_S = 4.0
"""By then this member has entered the epoch that a host of its own group spoke of."""
MOST_GOES = 3
WITHIN_S = 300.0
"""So often one goes in that time. Once may not do: those who have not gone yet take it in again."""
MAX_HISTORY = 64


class Gathering:
    """Used only while this device is in the group; `Session` sees to that. Times are monotonic seconds."""

    def __init__(
        self,
        out: Outbox,
        own: OwnSide,
        member: Membership,
        watch: Watch,
        broke: Callable[[Exception, float], None],
        limits: Limits,
    ) -> None:
        """`broke` is told when this device cannot sign."""
        self._out = out
        self._own = own
        self._member = member
        self._watch = watch
        self._broke = broke
        self._say_at = 0.0
        self._went: deque[float] = deque(maxlen=MOST_GOES)
        self._examined = Bucket(limits.answers_per_s)
        self._history: deque[bytes] = deque(maxlen=MAX_HISTORY)
        self._elsewhere: tuple[float, bytes, Admission] | None = None
        """Since when a host is known to be in another history, and in which."""
        self._followed: deque[bytes] = deque(maxlen=MAX_HISTORY)
        """Where this device has gone for that: said again, by whoever has kept it, it counts for nothing."""

    def __repr__(self) -> str:
        return f"Gathering({self._elsewhere is not None})"

    def close(self) -> None:
        """The group is given up."""
        self._elsewhere = None

    def on_gathering(self, message: lobby.Gathering, now: float) -> None:
        """A host says where it is. Raises errors of the meeting for one that is none."""
        if not self._watch.has_heard_strangers(now) or not self._examined.take(now):
            return
        if message.history in self._history or message.history in self._followed:
            return
        check(message.host, message.host.signature_key, self._own.invitation)
        lobby.check_gathering(message, self._own.meeting_id)
        if self._is_out(message.host) or self._is_heard_here(message.host, now):
            return
        if not self._outranks(message.host):
            return
        if self._elsewhere is None:
            self._elsewhere = now, message.history, message.host

    def goes(self, now: float) -> bool:
        """Whether to leave this group for that of the others. Says where this device is, if it is time."""
        group = self._member.group
        if group is None:
            return False
        transcript = _history_of(group.group_id, group.confirmed_transcript_hash)
        if transcript not in self._history:
            self._history.append(transcript)
        if self._own.is_host and now >= self._say_at and self._watch.are_strangers_there(now):
            self._say_at = now + SAY_EVERY_S
            self._say(transcript)
        if self._member.is_alone and self._watch.is_another_group_there(now, is_host=self._own.is_host):
            return True
        if self._elsewhere is None:
            return False
        since, there, _ = self._elsewhere
        if there in self._history or not self._watch.has_heard_strangers(now):
            self._elsewhere = None
            return False
        has_gone_enough = len(self._went) == MOST_GOES and now - self._went[0] < WITHIN_S
        if now - since < GOES_AFTER_S or has_gone_enough or not self._watch.are_strangers_there(now):
            return False
        self._went.append(now)
        self._followed.append(there)
        return True

    def _is_out(self, host: Admission) -> bool:
        """Whether it, or one on whose word it stands, was thrown out; also if that one may ask again."""
        context, steps = self._member.context, chain(host)
        least = dict(context.allowed_back)
        return any(
            {step.signature_key, step.issuer_key} & context.kicked
            or step.serial < least.get(step.signature_key, 0)
            for step in steps
        )

    def _is_heard_here(self, host: Admission, now: float) -> bool:
        """Whether this very host sends beacons in this group: then it is here, whatever is repeated of it."""
        leaves = self._member.leaves()
        here = (index for index, leaf in leaves.items() if line_of(leaf) & line(host))
        own = None if self._member.group is None else self._member.group.own_leaf_index
        return any(index == own or self._watch.is_heard(index, now) for index in here)

    def _outranks(self, host: Admission) -> bool:
        """Whether that host counts before every host that is here and is not the same."""
        leaves = self._member.leaves()
        here = [admission_of(leaves[index]) for index in self._member.hosts()]
        others = [each for each in here if line(each).isdisjoint(line(host))]
        return all(self._rank(host) < self._rank(each) for each in others)

    def _rank(self, host: Admission) -> tuple[bool, bytes]:
        is_signer = self._own.invitation.signer_key in line(host)
        return not is_signer, hashlib.sha256(min(line(host))).digest()

    def _say(self, history: bytes) -> None:
        signer, own, meeting_id = self._own.identity.signer, self._own.own_admission(), self._own.meeting_id
        group = self._member.group

        def signed(message: lobby.Gathering, _now: float) -> None:
            if self._member.group is group:
                self._out.add(SendLobby(self._out.seal(message)))

        self._out.job(lambda: lobby.gather(signer, own, meeting_id, history), signed, self._broke)


def _history_of(group_id: bytes, confirmed_transcript_hash: bytes) -> bytes:
    """32 bytes that name a history, and tell nothing of it."""
    return hashlib.sha256(b"Conclave 1.0 History" + group_id + confirmed_transcript_hash).digest()
