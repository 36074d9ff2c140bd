"""What a host does: at the door let in and turn away; inside, throw out, appoint others, end it all.

A host's device acts by itself only for those on the invitation whom it has verified, and against those
who were thrown out and ask again; everybody else is a person's decision. Signatures are what its key
store has least of, so nobody gets one twice for the same thing.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from conclaved.identity import Assurance, Verdict, claimed_name
from conclaved.meeting import lobby
from conclaved.meeting.admission import Admission, Role
from conclaved.meeting.appointing import Appointing
from conclaved.meeting.committing import Committing
from conclaved.meeting.desk import Desk, Waiting, role_of
from conclaved.meeting.errors import LocalError
from conclaved.meeting.limits import Bucket, Buckets, Limits
from conclaved.meeting.lobby import DenialReason as _Reason
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.removing import Removing
from conclaved.meeting.roster import Assess, Participant
from conclaved.meeting.rules import line_of
from conclaved.meeting.voice import Voice

T = TypeVar("T")

DENIAL_EVERY_S = 5
"""One who was thrown out and asks again gets a fresh signature once in so many seconds."""
ANSWER_EVERY_S = 1
"""Who repeats a request is answered again once in so many seconds: anybody with the link could repeat it
for it, and the service carries only so much for a host."""
MAX_ADMISSIONS = 1024
MOST_TOLD = 16
"""So many in the lobby are told of the end: each costs a signature, and the end waits for them."""


class Hosting:
    """Used only while this device is a host in the group; `Session` sees to that."""

    def __init__(
        self,
        out: Outbox,
        own: OwnSide,
        member: Membership,
        commits: Committing,
        voice: Voice,
        assess: Assess,
        broke: Callable[[Exception, float], None],
        limits: Limits,
    ) -> None:
        self._out = out
        self._own = own
        self._member = member
        self._assess = assess
        self._broke = broke
        self._desk = Desk(limits.waiting)
        self._requests = Bucket(limits.requests_per_s)
        self._denials = Bucket(limits.denials_per_s)
        self._denials_of_one: Buckets[bytes] = Buckets(1 / DENIAL_EVERY_S, 1)
        self._repeats = Bucket(limits.repeats_per_s)
        self._repeats_of_one: Buckets[tuple[bytes, bytes]] = Buckets(1 / ANSWER_EVERY_S, 1)
        self._admissions: dict[tuple[bytes, Role, str, int], Admission] = {}
        """By key, role, the name that was let in (another is another decision), and the least serial."""
        self._in_work: set[tuple[bytes, bytes]] = set()
        self._is_stale = False
        self._is_ending = False
        self.removing = Removing(own, member, voice.propose)
        self.appointing = Appointing(out, own, member, commits, broke, limits)

    def __repr__(self) -> str:
        return f"Hosting({self._desk!r}, {self.removing!r})"

    def waiting(self) -> tuple[Waiting, ...]:
        """Those in the lobby."""
        return self._desk.waiting()

    def on_request(self, request: lobby.Request, now: float) -> None:
        """Somebody asks. Raises RemoteError for a request without its key."""
        answer = self._desk.answer_to(request)
        if answer is not None and not self._is_over(answer):
            asker = (request.request_id, request.signature_key)
            if not self._repeats_of_one.is_empty(asker, now) and self._repeats.take(now):
                self._repeats_of_one.take(asker, now)
                self._out.say(answer)
            return
        verdict = self._desk.verdict_of(request)
        if verdict is None:
            if not self._requests.take(now):
                return
            lobby.check_request(request, self._own.meeting_id)
            verdict = self._assess(request.chain, request.signature_key)
        self._decide(request, verdict, now)

    def _decide(self, request: lobby.Request, verdict: Verdict, now: float) -> None:
        is_barred = self.removing.bars(verdict, request.signature_key)
        if is_barred or self._is_ending:
            if self._desk.drop(request):
                self._out.changed()
            if not self._denials_of_one.is_empty(request.signature_key, now) and self._denials.take(now):
                self._denials_of_one.take(request.signature_key, now)
                self._deny(request, _Reason.REMOVED if is_barred else _Reason.ENDED)
            return
        if request.signature_key in self._member.context.kicked:
            # It is being allowed back. What is signed before the terms say so lets nobody in.
            return
        role = self._role_of(verdict, is_kicked=not self.removing.knows_all())
        if role is not None:
            self._grant(request, role, verdict)
        elif self._desk.arrive(request, verdict, now):
            self._out.changed()

    def _is_over(self, answer: lobby.Grant | lobby.Denial) -> bool:
        """Whether an admission that was given lets nobody in any more: its bearer was thrown out since."""
        if isinstance(answer, lobby.Denial):
            return False
        least = dict(self._member.context.allowed_back).get(answer.admission.signature_key, 0)
        return answer.admission.serial < least

    def _role_of(self, verdict: Verdict, *, is_kicked: bool) -> Role | None:
        invitation = self._own.invitation
        leaves = self._member.leaves().values()
        # Beside the signer itself nobody is it: a CA that makes an impostor would make a host.
        is_signer_here = any(invitation.signer_key in line_of(leaf) for leaf in leaves)
        signer_name = "" if is_signer_here else claimed_name(invitation.chain[0]).lower()
        return self._desk.role_without_asking(
            invitation.content, verdict, is_kicked=is_kicked, signer_name=signer_name
        )

    def admit(self, name_or_id: str) -> Waiting:
        """Let in one who waits: as what the invitation names it, or as a guest.

        Returns who it is. Raises LocalError.
        """
        waiting = self._desk.find(name_or_id)
        request = waiting.request
        waiting = replace(waiting, verdict=self._assess(request.chain, request.signature_key))
        obstacle = waiting.obstacle(self._own.invitation.content.level)
        if obstacle is not None:
            raise LocalError(
                f"{waiting.name} cannot be admitted: {obstacle}", hint="deny it, or trust its CA"
            )
        content = self._own.invitation.content
        role = self._role_of(waiting.verdict, is_kicked=False)
        # Who is named as a service end can be in as nothing else.
        is_service_end = role_of(content, waiting.name) is Role.SERVICE_END
        self._grant(request, role or (Role.SERVICE_END if is_service_end else Role.GUEST), waiting.verdict)
        return waiting

    def deny(self, name_or_id: str) -> Waiting:
        """Turn away one who waits. Returns who it is. Raises LocalError."""
        waiting = self._desk.find(name_or_id)
        self._deny(waiting.request, _Reason.REFUSED)
        return waiting

    def tell_lobby_of_end(self) -> None:
        """The meeting is about to end for all: say so to those who wait, and to who asks from now on.

        When it has ended nobody is left who could. Those whom somebody vouches for come first.
        """
        self._is_ending = True
        waiting = sorted(self._desk.waiting(), key=lambda w: w.verdict.assurance is Assurance.UNKNOWN)
        for each in waiting[:MOST_TOLD]:
            self._deny(each.request, _Reason.ENDED)

    @property
    def is_answering(self) -> bool:
        """Whether an answer is being signed."""
        return bool(self._in_work)

    def saw_removed(self, participant: Participant, line: frozenset[bytes]) -> None:
        """A member was thrown out by whichever host; `line` are the keys that it has had."""
        self.removing.saw(participant, line)
        self._is_stale = True

    def judge_again(self, now: float) -> None:
        """Look anew at everybody who waits: whom this device trusts, or who was thrown out, has changed."""
        self._is_stale = False
        for waiting in self._desk.waiting():
            request = waiting.request
            self._decide(request, self._assess(request.chain, request.signature_key), now)

    def expire(self, now: float) -> None:
        """Forget requesters who have gone away; propose again what an epoch has passed over."""
        if self._desk.forget(now):
            self._out.changed()
        if self._is_stale:
            self.judge_again(now)
        self.removing.propose_again()
        self.appointing.repeat_if_due(now)

    def close(self) -> None:
        """The group is given up; nobody waits for a signature any more."""
        self._in_work.clear()
        self._is_ending = False
        self.removing.close()
        self.appointing.close()

    def _deny(self, request: lobby.Request, reason: _Reason) -> None:
        signer, own, meeting_id = self._own.identity.signer, self._own.own_admission(), self._own.meeting_id

        def deny() -> lobby.Denial:
            return lobby.deny(signer, own, meeting_id, request.request_id, request.signature_key, reason)

        def signed(denial: lobby.Denial, _now: float) -> None:
            self._answer(request, denial)

        self._sign_for(request, deny, signed)

    def _grant(self, request: lobby.Request, role: Role, verdict: Verdict) -> None:
        if role is Role.HOST and not self._own.may_appoint(request.signature_key):
            role = Role.MEMBER  # A host in name only. One nearer to the invitation can still appoint it.
        serial = self._member.context.serial_for(request.signature_key)
        least = dict(self._member.context.allowed_back).get(request.signature_key, 0)
        known = (request.signature_key, role, verdict.name, least)
        self.removing.let_in(request.signature_key, verdict)

        def signed(admission: Admission, _now: float) -> None:
            while len(self._admissions) >= MAX_ADMISSIONS:
                del self._admissions[next(iter(self._admissions))]
            self._admissions[known] = admission
            self._answer(request, lobby.Grant(request.request_id, admission))

        if known in self._admissions:
            self._answer(request, lobby.Grant(request.request_id, self._admissions[known]))
        else:
            job = self._own.admit_job(request.signature_key, role, serial)
            self._sign_for(request, job, signed)

    def _sign_for(
        self, request: lobby.Request, sign: Callable[[], T], signed: Callable[[T, float], None]
    ) -> None:
        asker = (request.request_id, request.signature_key)
        if asker in self._in_work:
            return
        self._in_work.add(asker)

        def done(result: T, now: float) -> None:
            self._in_work.discard(asker)
            signed(result, now)

        self._out.job(sign, done, self._broke)

    def _answer(self, request: lobby.Request, answer: lobby.Grant | lobby.Denial) -> None:
        self._desk.answered(request, answer)
        self._out.say(answer)
        self._out.changed()
