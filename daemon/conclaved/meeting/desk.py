"""The host's desk: who asks to come in, and what they were answered.

Only a host has one. An invited name that the host's own device has verified is let in by the
device; everybody else waits here until a person admits or denies. One whom no anchor vouches
for is shown, and cannot be admitted.
"""

from dataclasses import dataclass

from conclaved.identity import Assurance, Verdict
from conclaved.meeting.admission import Role
from conclaved.meeting.errors import LocalError
from conclaved.meeting.invitation import Invitation, Level
from conclaved.meeting.lobby import Denial, Grant, Request
from conclaved.meeting.roster import shown_name

MAX_WAITING = 64
MAX_ANSWERS = 1024
FORGET_S = 15.0
"""A requester repeats itself every few seconds; one that does not has gone away."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody in the lobby."""

    request: Request
    verdict: Verdict
    seen: float
    """When the request was last repeated (monotonic seconds)."""

    @property
    def request_id(self) -> str:
        """How people and programs name this request."""
        return self.request.request_id.hex()[:8]

    @property
    def name(self) -> str:
        """The name that the certificate claims."""
        return shown_name(self.verdict)

    def obstacle(self, level: Level) -> str | None:
        """Why no host may admit this one, or None."""
        if self.verdict.assurance is Assurance.UNKNOWN:
            return f"nobody this room trusts vouches for it: {self.verdict.reason}"
        if level is Level.LOCKED and self.verdict.assurance is not Assurance.VERIFIED:
            return "this meeting is locked: verified names only"
        return None


class Desk:
    """What a host's device keeps about requests. Holds no key."""

    def __init__(self, invitation: Invitation) -> None:
        self._invitation = invitation
        self._waiting: dict[bytes, Waiting] = {}
        self._answers: dict[bytes, Grant | Denial] = {}

    def __repr__(self) -> str:
        return f"Desk({len(self._waiting)} waiting, {len(self._answers)} answered)"

    def waiting(self) -> tuple[Waiting, ...]:
        """Those in the lobby, in order of arrival."""
        return tuple(self._waiting.values())

    def answer_to(self, request: Request) -> Grant | Denial | None:
        """What this one was already told: an answer may have been lost.

        Whoever has the link can see a request's id and repeat it under a key of its own: a Grant is
        for one key only.
        """
        answer = self._answers.get(request.request_id)
        if isinstance(answer, Grant) and answer.admission.signature_key != request.signature_key:
            return None
        return answer

    def arrive(self, request: Request, verdict: Verdict, now: float) -> bool:
        """A checked request. True when it is new; a full lobby ignores it.

        Another key under the id of one who waits is ignored: the host would admit somebody else than
        the one it was shown, or turn away both.
        """
        known = self._waiting.get(request.request_id)
        is_new = known is None
        if is_new and len(self._waiting) >= MAX_WAITING:
            return False
        if known is not None and known.request.signature_key != request.signature_key:
            return False
        self._waiting[request.request_id] = Waiting(request, verdict, now)
        return is_new

    def role_without_asking(self, verdict: Verdict, kicked: bool) -> Role | None:
        """The role in which the device itself lets somebody in, or None: a person decides."""
        if kicked or verdict.assurance is not Assurance.VERIFIED:
            return None
        return Role.MEMBER if self._invitation.invites(verdict.name) else None

    def find(self, name_or_id: str) -> Waiting:
        """One who waits, by request id or by name. Raises LocalError if none or several do."""
        found = [w for w in self._waiting.values() if name_or_id in (w.request_id, w.name)]
        if not found:
            raise LocalError(
                f"nobody called {name_or_id} waits in the lobby", hint="see: conclavectl meeting lobby"
            )
        if len(found) > 1:
            raise LocalError(
                f"several wait as {name_or_id}", hint="use the request id: conclavectl meeting lobby"
            )
        return found[0]

    def answered(self, request_id: bytes, answer: Grant | Denial) -> None:
        """Remember an answer, and take the requester out of the lobby."""
        self._waiting.pop(request_id, None)
        while len(self._answers) >= MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[request_id] = answer

    def forget(self, now: float) -> bool:
        """Drop those who have gone away. True if anybody was dropped."""
        gone = [key for key, waiting in self._waiting.items() if now - waiting.seen > FORGET_S]
        for key in gone:
            del self._waiting[key]
        return bool(gone)
