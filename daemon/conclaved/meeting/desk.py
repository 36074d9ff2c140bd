"""The host's desk: who asks to come in, and what they were answered.

Only a host has one. An invited name that the host's own device has verified is let in by the
device; everybody else waits here until a person admits or denies. One whom no anchor vouches
for is shown, and cannot be admitted.
"""

import hashlib
from dataclasses import dataclass

from conclaved.identity import Assurance, Verdict
from conclaved.meeting.admission import Role
from conclaved.meeting.errors import LocalError
from conclaved.meeting.invitation import Invitation, Level
from conclaved.meeting.limits import DEFAULT_LIMITS
from conclaved.meeting.lobby import Denial, Grant, Request
from conclaved.meeting.roster import shown_name

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
        """How people and programs name this request: 16 hexadecimal digits.

        It depends on the key too, so that nobody can choose to be called what another is.
        """
        return hashlib.sha256(self.request.request_id + self.request.signature_key).hexdigest()[:16]

    @property
    def name(self) -> str:
        """The name that the certificate claims."""
        return shown_name(self.verdict)

    def obstacle(self, level: Level) -> str | None:
        """Why no host may admit this one, or None."""
        if self.verdict.assurance is Assurance.UNKNOWN:
            return self.verdict.reason or "nobody whom this device trusts vouches for it"
        if level is Level.LOCKED and self.verdict.assurance is not Assurance.VERIFIED:
            return "this meeting is locked: verified names only"
        return None


_Asker = tuple[bytes, bytes]
"""Request id and signature key. Whoever has the link sees an id and can repeat it under its own key: that
is another request, and neither takes the other's place nor gets its answer."""


class Desk:
    """What a host's device keeps about requests. Holds no key."""

    def __init__(self, max_waiting: int = DEFAULT_LIMITS.waiting) -> None:
        self._max_waiting = max_waiting
        self._waiting: dict[_Asker, Waiting] = {}
        self._answers: dict[_Asker, Grant | Denial] = {}

    def __repr__(self) -> str:
        return f"Desk({len(self._waiting)} waiting, {len(self._answers)} answered)"

    def waiting(self) -> tuple[Waiting, ...]:
        """Those in the lobby, in order of arrival; who has asked anew, by the later request alone.

        Whoever gave up and comes again is one, and the earlier request leads nowhere.
        """
        latest = {waiting.request.signature_key: waiting for waiting in self._waiting.values()}
        return tuple(w for w in self._waiting.values() if latest[w.request.signature_key] is w)

    def answer_to(self, request: Request) -> Grant | Denial | None:
        """What this one was already told: an answer may have been lost."""
        return self._answers.get(_asker(request))

    def verdict_of(self, request: Request) -> Verdict | None:
        """What was found about one who waits with this very request; None for any other.

        It repeats itself every few seconds, and the service may do so without end.
        """
        waiting = self._waiting.get(_asker(request))
        return waiting.verdict if waiting is not None and waiting.request == request else None

    def drop(self, request: Request) -> bool:
        """Take one out of the lobby. True if it was there."""
        return self._waiting.pop(_asker(request), None) is not None

    def arrive(self, request: Request, verdict: Verdict, now: float) -> bool:
        """A checked request. True when it is new; a full lobby ignores it."""
        is_new = _asker(request) not in self._waiting
        if is_new and len(self._waiting) >= self._max_waiting and not self._make_place(verdict):
            return False
        self._waiting[_asker(request)] = Waiting(request, verdict, now)
        return is_new

    @staticmethod
    def role_without_asking(
        invitation: Invitation, verdict: Verdict, *, is_kicked: bool, signer_name: str = ""
    ) -> Role | None:
        """The role in which the device itself lets somebody in, or None: a person decides.

        The invitation's signer is a host under another key too: `signer_name` is what its certificate said.
        """
        if is_kicked or verdict.assurance is not Assurance.VERIFIED:
            return None
        if signer_name and verdict.name == signer_name:
            return Role.HOST
        return role_of(invitation, verdict.name)

    def find(self, name_or_id: str) -> Waiting:
        """One who waits, by request id or by name. Raises LocalError if none or several do."""
        waiting = self.waiting()
        found = [w for w in self._waiting.values() if w.request_id == name_or_id]
        # Anybody can claim a name: one whom an authority vouches for is meant before those.
        by_name = [w for w in waiting if w.name == name_or_id]
        found = found or [w for w in by_name if w.verdict.assurance is not Assurance.UNKNOWN] or by_name
        if not found:
            raise LocalError(
                f"nobody called {name_or_id} waits in the lobby", hint="see: conclavectl meeting lobby"
            )
        if len(found) > 1:
            raise LocalError(
                f"several wait as {name_or_id}", hint="use the request id: conclavectl meeting lobby"
            )
        return found[0]

    def _make_place(self, verdict: Verdict) -> bool:
        """Let one whom somebody vouches for displace one for whom nobody does, or who asks twice."""
        if verdict.assurance is Assurance.UNKNOWN:
            return False
        keys = [waiting.request.signature_key for waiting in self._waiting.values()]
        for asker, waiting in self._waiting.items():
            asks_twice = keys.count(waiting.request.signature_key) > 1
            if asks_twice or waiting.verdict.assurance is Assurance.UNKNOWN:
                del self._waiting[asker]
                return True
        return False

    def answered(self, request: Request, answer: Grant | Denial) -> None:
        """Remember an answer, and take the requester out of the lobby."""
        self._waiting.pop(_asker(request), None)
        while len(self._answers) >= MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[_asker(request)] = answer

    def forget(self, now: float) -> bool:
        """Drop those who have gone away. True if anybody was dropped."""
        gone = [key for key, waiting in self._waiting.items() if now - waiting.seen > FORGET_S]
        for key in gone:
            del self._waiting[key]
        return bool(gone)


def role_of(invitation: Invitation, name: str) -> Role | None:
    """The role that an invitation gives to whoever is `name` (lower case), or None if it does not expect it.

    Whom it names as a service end is that and nothing else, whatever other list may have its domain.
    """
    if name in invitation.service_ends:
        return Role.SERVICE_END
    if name in invitation.hosts:
        return Role.HOST
    return Role.MEMBER if invitation.invites(name) else None


def _asker(request: Request) -> _Asker:
    return request.request_id, request.signature_key
