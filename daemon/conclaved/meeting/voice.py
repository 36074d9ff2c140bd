"""What this device says to the group: that it is alive, what leaves the room, what it proposes, and goodbye.

Signing is a job, because a key store takes its time; protecting takes a ratchet's key and happens
here, when the signature is there, and only if its epoch is still the present one.
"""

from collections.abc import Callable

from conclaved.meeting.alive import BEACON_INTERVAL_S, SESSION_BYTES, Beacon
from conclaved.meeting.committing import Committing
from conclaved.meeting.events import Lane, SendLive
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.rules import RemoveReason
from conclaved.mls import AuthenticatedContent, Group, Proposal, Remove

Sign = Callable[[Group], AuthenticatedContent]
Send = Callable[[Group, AuthenticatedContent], None]


class Voice:
    """Used only while this device is in the group; `Session` sees to that."""

    def __init__(
        self,
        out: Outbox,
        member: Membership,
        commits: Committing,
        now: float,
        broke: Callable[[Exception, float], None],
    ) -> None:
        """`now` is when the session began; `broke` is told when this device cannot sign."""
        self._out = out
        self._member = member
        self._commits = commits
        self._broke = broke
        self._session_id = out.random(SESSION_BYTES)
        self._begun = now
        self.beacon_at = now
        """When the next beacon is due, if this device is one of those who send any."""
        self._is_signing_beacon = False

    def __repr__(self) -> str:
        return f"Voice(signing={self._is_signing_beacon})"

    def beacon_if_due(self, now: float, *, is_anybody_outside: bool = False) -> None:
        """Say that we are alive, if it is time and we are one of those who do.

        One that is alone says so too while there is somebody outside, who would take the group for gone.
        """
        if now < self.beacon_at or self._is_signing_beacon:
            return
        self.beacon_at = now + BEACON_INTERVAL_S
        is_heard = not self._member.is_alone or is_anybody_outside
        if not is_heard or not self._member.sends_beacons():
            return
        self._is_signing_beacon = True
        content = Beacon(*self.clock(now)).encode()

        def send(group: Group, signed: AuthenticatedContent) -> None:
            self._is_signing_beacon = False
            self._out.add(SendLive(group.protect(signed)))

        self._sign(lambda group: group.sign_application(content), send)

    def clock(self, now: float) -> tuple[bytes, int]:
        """This session's own clock, for those who judge how old a message is: its name, and milliseconds."""
        return self._session_id, int((now - self._begun) * 1000)

    def beacon_at_once(self, now: float) -> None:
        """Do not keep those who have just come in waiting for the next beacon."""
        self.beacon_at = min(self.beacon_at, now)

    def say(self, content: Callable[[], bytes], said: Callable[[bytes], None], lane: Lane) -> None:
        """Say something else to the group: what `content` gives when its turn at the key has come.

        `content` is called in the thread that signs; `said` is told what it was when it is on its way.
        """

        def send(group: Group, signed: AuthenticatedContent) -> None:
            said(signed.body if isinstance(signed.body, bytes) else b"")
            self._out.add(SendLive(group.protect(signed)))

        self._sign(lambda group: group.sign_application(content()), send, lane=lane)

    def goodbye(self) -> None:
        """Propose our own removal; to be said anew in each epoch that comes before it is carried out."""
        reason = bytes([RemoveReason.LEAVE])
        self._sign(
            lambda group: group.sign_proposal(Remove(group.own_leaf_index), reason),
            self._commits.publish_proposal,
        )

    def propose(self, make: Callable[[], Proposal], authenticated_data: bytes) -> None:
        """Propose to the group what `make` returns, which may be slow itself.

        Not said again in a later epoch: it may undo what that epoch has done.
        """
        self._sign(
            lambda group: group.sign_proposal(make(), authenticated_data),
            self._commits.publish_proposal,
            anew=False,
        )

    def close(self) -> None:
        """The group is given up; nobody waits for a signature any more."""
        self._is_signing_beacon = False

    def _sign(self, sign: Sign, send: Send, *, anew: bool = True, lane: Lane = Lane.VOICE) -> None:
        """Sign elsewhere, send here; `anew` if the epoch has moved on meanwhile."""
        group = self._member.group
        if group is None:
            return

        def done(content: AuthenticatedContent, _now: float) -> None:
            if self._member.group is group:
                send(group, content)
            elif anew:
                self._sign(sign, send, lane=lane)

        def failed(error: Exception, now: float) -> None:
            if self._member.group is group:
                self._broke(error, now)
            elif anew:
                self._sign(sign, send, lane=lane)

        self._out.job(lambda: sign(group), done, failed, lane)
