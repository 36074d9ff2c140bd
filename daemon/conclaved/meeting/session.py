"""One meeting, seen from one device: the sans-IO state machine.

    CONNECTING --- the service is reached, the log is empty, we may found ------> FOUNDING
    CONNECTING --- the log has entries, or we may not found, no admission ------> ASKING
    CONNECTING --- the same, and we hold an admission --------------------------> OFFERING
    FOUNDING   --- our founding commit is the log's first entry ----------------> IN_GROUP
    FOUNDING   --- somebody else's is -----------------------------------------> OFFERING
    ASKING     --- a host's Grant ----------------------------------------------> OFFERING
    OFFERING   --- a Welcome into the meeting we were invited to ---------------> IN_GROUP
    OFFERING   --- the service forgot the log, and we may found ----------------> FOUNDING
    OFFERING   --- nobody is there to take the offer, and we may found ---------> FOUNDING
    OFFERING   --- a Welcome into a locked meeting that no host is in ----------> OFFERING
    IN_GROUP   --- the service lost the log, or we cannot follow it ------------> CONNECTING
    IN_GROUP   --- we leave and the others have removed us, or five seconds ----> ENDED
    IN_GROUP   --- a host has ended the meeting for all ------------------------> ENDED
    any        --- we leave, are denied, are kicked, or an own rule is broken --> ENDED

Bytes, values and `now` (monotonic seconds) go in; effects come out, a list from every public
method. Three things can never happen here: two commits applied for one epoch; a commit applied
before the log has it; a message that fails a check changing the state.

What moves the group is one job at a time, and entries wait for it. Signing is a job too, and touches no
ratchet: a message is protected here, when its signature is there, if its epoch is still the present one. So
is the making of an own commit, which is three signatures.

The parts: `own_side` speaks for this device, `entering` gets it in, `membership` is the group,
`committing` moves it from epoch to epoch, `voice` speaks in it, `telling` says whether this device is
muted, `hosting` is the host's side,
`renewing` changes this device's certificate and key, `leaving` gets it out, `alive.Watch` and
`awaiting` notice when the service hides something, `gathering` when it has split the meeting,
`minding` when an own rule is broken; `outbox` is what they all write to.
"""

from collections.abc import Callable

from conclaved.meeting import lobby
from conclaved.meeting.admission import Admission
from conclaved.meeting.alive import Watch
from conclaved.meeting.audit import Event, Record
from conclaved.meeting.awaiting import Awaiting
from conclaved.meeting.committing import Committing, Outcome
from conclaved.meeting.course import Course
from conclaved.meeting.departures import end_in_words
from conclaved.meeting.entering import Entering
from conclaved.meeting.errors import LocalError, RemoteError
from conclaved.meeting.events import (
    Announce,
    CarrierEvent,
    Connected,
    Disconnected,
    Effect,
    Ended,
    Entry,
    GroupLeft,
    Leader,
    Live,
    Lobby,
    PublishResult,
    Replay,
)
from conclaved.meeting.gathering import Gathering
from conclaved.meeting.hearing import Hearing
from conclaved.meeting.hosting import Hosting
from conclaved.meeting.invitation import SignedInvitation
from conclaved.meeting.joining import ASK_THE_HOST, REMOVED, Joining
from conclaved.meeting.leaving import LEFT, Leaving
from conclaved.meeting.limits import DEFAULT_LIMITS, Limits
from conclaved.meeting.link import LinkSecret
from conclaved.meeting.log import Log
from conclaved.meeting.media_state import MediaState
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.membership import Membership
from conclaved.meeting.minding import Minding
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_rules import HINT, OwnRules
from conclaved.meeting.own_side import OwnIdentity, OwnSide
from conclaved.meeting.recorder import Recorder
from conclaved.meeting.renewing import Renewing
from conclaved.meeting.roster import Assess
from conclaved.meeting.rules import RemoveReason
from conclaved.meeting.telling import Telling
from conclaved.meeting.vanishing import Vanishing
from conclaved.meeting.view import MeetingView, State
from conclaved.meeting.viewing import view_of
from conclaved.meeting.voice import Voice
from conclaved.meeting.welcoming import is_founding_commit
from conclaved.mls import LeafNode, MlsError, StagedCommit

LOST_LOG = "the conference service lost the meeting's log"
ON_THE_WAY_IN = (State.ASKING, State.OFFERING)
TICK_S = 0.5  # The grain of everything that has no exact date.


class Session:
    """See the file's head. Not thread-safe: one owner calls it."""

    def __init__(
        self,
        invitation: SignedInvitation,
        link: LinkSecret,
        identity: OwnIdentity,
        assess: Assess,
        rules: OwnRules,
        *,
        random: Callable[[int], bytes],
        wall: Callable[[], int],
        now: float,
        admission: Admission | None = None,
        terms: MeetingContext | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """`random` gives that many random bytes, `wall` seconds since 1970, `now` is monotonic.

        `admission` is one that this device was given before, in the same meeting: with it the
        device comes back without the lobby. One that does not hold is ignored.
        `terms` are what `kept_terms` was then: who was thrown out stays out. Those of another invitation are
        ignored. Raises InvitationError when the invitation is not valid now, or breaks an own rule.
        """
        invitation.check_time(wall())
        rules.check_invitation(invitation, assess)
        self._assess = assess
        self._rules = rules
        self._log = Log(limits)
        self._watch = Watch(now)
        self._out = out = Outbox(link.sealer(), random)
        self._course = Course(out)
        self._own = own = OwnSide(invitation, identity, link.link_key(), wall)
        own.take_admission(admission)
        self._recorder = Recorder(own, assess, wall)
        self._recorder.policy(rules)
        self._member = member = Membership(out, self._watch, self._recorder, assess, wall)
        self._joining = Joining(out, own, assess, self._broke, limits)
        outcome = Outcome(self._entered, self._removed, self._watch.unknown_epoch, self._rejoin)
        self._commits = Committing(self._out, self._log, self._member, wall, outcome, limits)
        self._voice = Voice(self._out, self._member, self._commits, now, self._broke)
        self._telling = Telling(self._out, self._member, self._commits, self._voice)
        self._vanishing = Vanishing(self._member, self._commits, self._voice)
        self._hosting = Hosting(out, own, member, self._commits, self._voice, assess, self._broke, limits)
        self._leaving = Leaving(self._out, self._member, self._voice, self._hosting)
        self._awaiting = Awaiting(member, self._watch)
        self._hearing = Hearing(member, self._watch, self._awaiting, out, limits)
        self._gathering = Gathering(out, own, member, self._watch, self._broke, limits)
        self._entering = Entering(
            self._course,
            out,
            own,
            self._log,
            member,
            self._joining,
            assess,
            publish=self._commits.publish,
            in_group=self._in_group,
            welcomed=self._awaiting.welcomed,
            broke=self._broke,
            terms=terms if terms is not None and terms.invitation.token == invitation.token else None,
        )
        self._is_connected = False
        self._minding = Minding(self._out, self._own, self._member)
        self._renewing = Renewing(self._out, self._own, self._member, self._commits, assess)
        self._behind = ""

    def __repr__(self) -> str:
        return f"Session({self._state.value}, {self._member!r}, {self._commits!r}, {self._hosting!r})"

    # -- what the device asks for ---------------------------------------------------------------

    def view(self) -> MeetingView:
        """What panel and D-Bus show."""
        way_in = (self._joining, self._entering)
        parts = (self._own, self._member, *way_in, self._hosting, self._minding, self._out)
        return view_of(self._state, *parts, is_leaving=self._leaving.is_going, behind=self._behind)

    @property
    def admission(self) -> Admission | None:
        """What this device, with its newest key, may come back with; None before it was admitted."""
        return self._renewing.admission

    @property
    def kept_terms(self) -> MeetingContext | None:
        """What the next session of this meeting has to know of a host's decisions; None if there are none."""
        return self._entering.earlier.to_keep

    @property
    def record(self) -> Record:
        """What this device has seen and decided so far; it stays when the session has ended."""
        return self._recorder.record

    def leave(self, now: float) -> list[Effect]:
        """Leave. Where others remain, they get a proposal to remove us (RFC 9420 §12.1.3).

        The last host hands over to a member first.
        """
        self._take_leave(LEFT, now, hands_over=True)
        return self._drain(now)

    def end_for_all(self, now: float) -> list[Effect]:
        """End the meeting for everybody. Raises LocalError when we may not."""
        self._require_host()
        self._leaving.end_for_all(now)
        return self._drain(now)

    def hand_over(self, leaf: int, now: float) -> list[Effect]:
        """Make a member a host too. Raises LocalError when we may not, or it cannot be one."""
        self._require_host()
        self._hosting.appointing.appoint(leaf)
        return self._drain(now)

    def close(self, now: float) -> None:
        """End without a word to anybody: every key of the meeting is dropped. Safe to call twice.

        For an owner that cannot go on; who can, calls `leave`.
        """
        self._end("the meeting was broken off")
        self._out.drain()

    def admit(self, name_or_id: str, now: float) -> list[Effect]:
        """Let in one who waits, as a guest. Raises LocalError when that cannot be."""
        self._require_host()
        self._recorder.decided(self._hosting.admit(name_or_id), Event.ADMITTED)
        return self._drain(now)

    def deny(self, name_or_id: str, now: float) -> list[Effect]:
        """Turn away one who waits. Raises LocalError when nobody of that name does."""
        self._require_host()
        self._recorder.decided(self._hosting.deny(name_or_id), Event.DENIED)
        return self._drain(now)

    def kick(self, leaf: int, now: float) -> list[Effect]:
        """Throw out a member: its keys go on the kicked list. Raises LocalError when we may not."""
        self._require_host()
        self._hosting.removing.kick(leaf)
        self._hosting.judge_again(now)
        return self._drain(now)

    def allow_back(self, key_id: str, now: float) -> list[Effect]:
        """Let one who was thrown out ask again: `view().removed` has its id. Raises LocalError."""
        self._require_host()
        self._hosting.removing.allow_back(key_id)
        return self._drain(now)

    def compare(self, leaf: int, is_compared: bool, now: float) -> list[Effect]:
        """People have compared the code with those at `leaf`, or take that back; until the next code.

        Raises LocalError where there is no such other member.
        """
        self._member.compare(leaf, is_compared)
        return self._drain(now)

    def media_is(self, state: MediaState, now: float) -> list[Effect]:
        """What this device's camera and microphone do now; the others are told."""
        self._telling.set(state)
        return self._drain(now)

    def media_heard(self, leaf: int, epoch: int, now: float) -> list[Effect]:
        """A frame of `leaf` under `epoch`'s keys was authenticated."""
        group = self._member.group
        if group is not None and epoch == group.epoch:
            self._member.hear(leaf)
        return self._drain(now)

    def unknown_epoch_heard(self, now: float) -> list[Effect]:
        """A frame of an epoch that we do not have arrived."""
        self._watch.unknown_epoch(now)
        return self._drain(now)

    def rules_changed(self, rules: OwnRules, now: float) -> list[Effect]:
        """The device's policy is another now."""
        if rules != self._rules:
            self._recorder.policy(rules)
        self._rules = rules
        return self.trust_changed(now)

    def trust_changed(self, now: float) -> list[Effect]:
        """The device's anchors are others now: judge everybody anew."""
        self._minding.look_again()
        if self._is_host():
            self._hosting.judge_again(now)
        self._out.changed()
        return self._drain(now)

    def identity_changed(self, identity: OwnIdentity, now: float) -> list[Effect]:
        """The device has another certificate, and perhaps another key. The old key must still sign."""
        if self._state is not State.ENDED and self._renewing.change(identity):
            if self._state is State.ASKING:
                self._joining.ask()
            elif self._state is State.OFFERING:
                self._joining.offer_anew(now)
        return self._drain(now)

    # -- what comes in --------------------------------------------------------------------------

    def handle(self, event: CarrierEvent, now: float) -> list[Effect]:
        """Something from the carrier."""
        if self._state is State.ENDED:
            return []
        match event:
            case Connected(head=head):
                self._on_connected(head, now)
            case Disconnected():
                self._is_connected = False
                self._watch.connection(False, now)
            case Entry(sequence=sequence) if self._log.is_no_news(sequence):
                return []
            case Entry(sequence=sequence, data=data):
                self._entering.log_has(sequence, now)
                if not self._log.has(sequence) and is_founding_commit(data):
                    self._joining.others_heard = now
                if self._log.is_another(sequence, data) and self._state is State.IN_GROUP:
                    self._lose_log()
                elif self._log.arrive(sequence, data, now):
                    self._out.add(Replay(self._log.next_sequence))
            case Lobby(data=data):
                if not self._on_lobby(data, now):
                    return self._out.drain()
            case Live(data=data):
                self._on_live(data, now)
            case PublishResult(token=token, accepted=False):
                # Something else stands there: it is on its way, or is fetched now.
                self._commits.refused(token, now)
                if self._state is State.FOUNDING and self._member.group and not self._commits.is_publishing:
                    # The log is not what we took it for, and perhaps shorter: read it from its beginning.
                    self._drop_group()
                    self._log.start(0)
                    self._entering.offer()
                elif self._state is State.IN_GROUP:
                    self._log.doubt(now)
                self._out.add(Replay(self._log.ask_from))
            case Leader(is_self=is_self):
                self._commits.is_leader = is_self
        return self._drain(now)

    def job_done(self, job_id: int, result: object, now: float) -> list[Effect]:
        """A job's result."""
        self._out.job_done(job_id, result, now)
        return self._drain(now)

    def job_failed(self, job_id: int, error: Exception, now: float) -> list[Effect]:
        """A job raised. Errors of MLS and of the meeting are expected; others are raised again."""
        self._out.job_failed(job_id, error, now)
        return self._drain(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed; call it at `next_deadline()`, or more often."""
        return self._drain(now)

    def next_deadline(self, now: float) -> float:
        """When `tick` is to be called at the latest."""
        # What was due already waits for an event, a job's end or the log's next entry: each drains.
        dates = [self._commits.due_at, self._voice.beacon_at, self._leaving.by, self._log.paced_until]
        dates += [self._minding.look_at, self._telling.due_at]
        return min([now + TICK_S, *(at for at in dates if at is not None and at > now)])

    # -- on the way in --------------------------------------------------------------------------

    def _on_connected(self, head: int, now: float) -> None:
        self._is_connected = True
        self._watch.connection(True, now)
        # Whom the service named before says nothing now, and it tells only those who are there when it names.
        self._commits.is_leader = False
        if self._state is State.IN_GROUP:
            if head < self._log.next_sequence:
                self._restart(LOST_LOG)
            else:
                self._log.reconnected(now)
                self._out.add(Replay(self._log.ask_from))
        may_found_now = head == 0 and self._own.may_found
        if self._state is State.CONNECTING or (self._state is State.OFFERING and may_found_now):
            self._log.start(head)
            self._entering.begin()
        elif self._state in (State.ASKING, State.OFFERING) and head < self._log.next_sequence:
            self._log.start(head)
        self._out.add(Announce(self._state is State.IN_GROUP))

    def _in_group(self) -> None:
        context, leaves = self._member.context, self._member.leaves()
        back = self._entering.earlier.entered(context, leaves)
        self._own.invitation = context.invitation
        self._own.admission = self._member.own_admission()
        self._joining.came_in()
        if self._state is not State.IN_GROUP:
            self._course.set(State.IN_GROUP)
            self._commits.came_in()
            self._out.add(Announce(True))
        self._minding.look_again()
        if back:
            why = f"{self._member.name_of(back[0])} is in the meeting, whom a host had thrown out before"
            self._end(f"{why} it was begun anew", is_error=True, hint=ASK_THE_HOST)
        elif self._entering.earlier.is_carrying and self._is_host():
            self._hosting.removing.carry(self._entering.earlier)

    # -- lobby, live, log -----------------------------------------------------------------------

    def _on_lobby(self, data: bytes, now: float) -> bool:
        """False for what is not for this device: most of what is said in the lobby."""
        try:
            match self._hearing.lobby(data, now, is_in=self._state is State.IN_GROUP):
                case lobby.Request() as request if self._is_host():
                    self._watch.somebody_outside(now)
                    self._hosting.on_request(request, now)
                case lobby.Grant() | lobby.Denial() as answer if self._state in ON_THE_WAY_IN:
                    self._joining.on_answer(answer, self._entering.found_or_offer, now)
                case lobby.Offer() as offer if self._state is State.IN_GROUP:
                    self._watch.somebody_outside(now)
                    self._commits.on_offer(offer, now)
                case lobby.Appointment() as appointment if self._state is State.IN_GROUP:
                    self._hosting.appointing.on_appointment(appointment, now)
                case lobby.Gathering() as gathering if self._state is State.IN_GROUP:
                    self._gathering.on_gathering(gathering, now)
                case lobby.WelcomeMessage() as welcome if self._state is State.OFFERING:
                    self._joining.on_welcome(welcome, self._entering.joined, self._joining.offer, now)
                case _:
                    return False
        except (RemoteError, MlsError) as error:
            self._out.bad_input(error)
            return False
        return True

    def _on_live(self, data: bytes, now: float) -> None:
        if self._state is not State.FOUNDING:
            self._hearing.live(data, now)
        if self._state is not State.IN_GROUP:
            self._joining.others_heard = now

    def _pump(self, now: float) -> None:
        """Take entries in order until one needs a job."""
        while not self._out.is_busy and self._state in (State.IN_GROUP, State.FOUNDING):
            data = self._log.take_paced(now) if self._member.group is not None else None
            if data is None:
                return
            if self._commits.is_own(data):
                self._commits.enter_own(now)
            elif self._state is State.FOUNDING:
                # Somebody else founded the meeting.
                self._drop_group()
                self._course.set(State.CONNECTING)
                self._entering.found_or_offer()
            else:
                self._commits.on_entry(data, now)

    # -- what committing tells ------------------------------------------------------------------

    def _entered(self, staged: StagedCommit, before: dict[int, LeafNode], now: float) -> None:
        self._joining.close()
        self._awaiting.entered(before, now)
        for gone in self._member.departed:
            if gone.reason is RemoveReason.KICK:
                self._hosting.saw_removed(gone.participant, gone.line)
        for _, old, new in staged.updated:
            self._hosting.removing.followed(old, new)
        if self._member.context.is_ended:
            self._end(end_in_words(staged.proposals, before, self._member.context, self._assess))
            return
        self._in_group()
        if staged.added and self._is_host():
            self._voice.beacon_at_once(now)
        if self._leaving.is_going and self._state is State.IN_GROUP:
            self._close(self._leaving.farewell) if self._member.is_alone else self._leaving.new_epoch()

    def _removed(self, is_kick: bool) -> None:
        if self._leaving.is_going:
            self._close(self._leaving.farewell)
        elif is_kick:
            self._end(REMOVED, is_error=True, hint=ASK_THE_HOST)
        else:
            self._rejoin("the others took this room to have vanished")

    def _rejoin(self, why: str) -> None:
        """Our state is of no use any more: come back without the lobby, by the admission we have."""
        self._restart(why)
        if self._state is State.CONNECTING:
            self._entering.found_or_offer()

    def _lose_log(self) -> None:
        self._log.start(self._log.next_sequence)
        self._rejoin(LOST_LOG)

    def _restart(self, why: str) -> None:
        self._out.tell(f"{why}; joining anew")
        self._out.add(GroupLeft())
        self._recorder.left_group(why)
        if self._leaving.is_going:
            self._close(self._leaving.farewell)
            return
        self._drop_group()
        self._course.set(State.CONNECTING)

    # -- time -----------------------------------------------------------------------------------

    def _drain(self, now: float) -> list[Effect]:
        """Do what is due, then hand out the effects."""
        if self._state is not State.ENDED:
            self._pump(now)
            if self._log.asks_again(now):
                if self._behind or self._watch.has_heard_strangers(now):
                    self._log.doubt(now, is_deep=self._watch.are_strangers_there(now))
                self._out.add(Replay(self._log.ask_from))
            self._watch.gap(self._log.gap_since)
            self._member.expire(now)
            self._out.expire(now)
            if self._is_connected:
                self._commits.publish_again_if_due(now)
            if self._state in ON_THE_WAY_IN and self._is_connected:
                self._joining.repeat_if_due(now)
                ended = self._joining.denied(now)
                if ended is not None:
                    self._close(ended)
                elif self._joining.is_nobody_there(now):
                    # What the log holds is nobody's group: its members are gone, or it is junk.
                    self._log.take_all()
                    self._entering.found()
                elif self._state is State.OFFERING:
                    self._entering.look(now)
                    if self._renewing.knock_with_another(self._joining, now):
                        self._entering.begin()
                    self._joining.try_another(self._entering.found_or_offer, now)
                    if self._joining.asks_too:
                        self._joining.also_ask()
            if self._state is State.IN_GROUP:
                self._drain_in_group(now)
            noted = "" if self._awaiting.is_coming_in(now) else self._behind
            self._recorder.look(noted, self._minding.reason)
        return self._out.drain()

    def _drain_in_group(self, now: float) -> None:
        going = self._minding.due(self._rules, now)
        if going is not None:
            farewell = Ended(going.reason, is_error=True, hint=HINT, is_own_rule=True)
            if going.is_at_once:
                self._close(farewell)
                return
            self._take_leave(farewell, now)
            if self._state is not State.IN_GROUP:
                return
        self._renewing.look()
        self._hearing.early(now)
        if self._is_connected and not self._watch.is_in_doubt(now):
            self._commits.commit_if_due(now)
        self._voice.beacon_if_due(now, is_anybody_outside=self._watch.is_anybody_outside(now))
        self._telling.look(now)
        if self._is_host():
            self._hosting.expire(now)
        self._vanishing.look(self._watch.vanished(now), now)
        # One bad commit and a forged later epoch are not enough: nobody who goes on with us is heard.
        is_left_behind = self._watch.is_in_doubt(now) and bool(self._commits.unopened_by)
        if self._gathering.goes(now):
            self._rejoin("others of this meeting are in another group")
            return
        if self._watch.is_lost(now) or is_left_behind:
            why = self._watch.reason_behind(now) or self._behind or "the others have gone on without it"
            self._rejoin(self._commits.why_lost or f"this room could not follow: {why}")
            return
        if self._is_connected and self._log.is_gone(now):
            self._lose_log()
            return
        if self._leaving.is_over(now):
            self._close(self._leaving.farewell)
            return
        behind = self._watch.reason_behind(now) or self._awaiting.reason_behind(now) or ""
        if not behind and self._is_host():
            behind = self._hosting.removing.why_overdue(now) or ""
        if behind != self._behind:
            self._behind = behind
            self._out.changed()
        if self._own.wall() >= self._own.invitation.content.not_after:
            self._end("the meeting's time is over")

    def _take_leave(self, farewell: Ended, now: float, *, hands_over: bool = False) -> None:
        """Let the others remove us, where there are any; then it is over, with these words.

        Only people make another one a host: what makes a device leave by itself may be somebody's doing.
        """
        if self._state is not State.IN_GROUP or self._member.is_alone:
            self._close(farewell)
        else:
            self._leaving.leave(farewell, now, hands_over=hands_over)

    @property
    def _state(self) -> State:
        return self._course.state

    def _is_host(self) -> bool:
        return self._state is State.IN_GROUP and self._own.is_host

    def _require_host(self) -> None:
        if not self._is_host():
            raise LocalError("only a host in the meeting can do that", hint="ask the host")

    def _broke(self, error: Exception, _now: float) -> None:
        hint = getattr(error, "hint", "")
        self._end(f"this device could not do its part: {error}", is_error=True, hint=hint)

    def _drop_group(self) -> None:
        for part in (
            *(self._commits, self._joining, self._entering, self._member, self._hosting),
            *(self._voice, self._vanishing, self._awaiting, self._gathering, self._renewing),
            self._telling,
        ):
            part.close()
        self._out.forget_jobs()
        self._minding.forget()
        self._behind = ""

    def _end(self, reason: str, *, is_error: bool = False, hint: str = "") -> None:
        self._close(Ended(reason, is_error, hint))

    def _close(self, ended: Ended) -> None:
        if self._state is not State.ENDED:
            self._recorder.note(Event.ENDED, ended.reason)
            self._drop_group()
            self._course.set(State.ENDED)
            self._out.add(Announce(False))
            self._out.add(ended)
