"""A device in a simulated meeting: its session, its media keys, its clock, its worker threads.

Whoever tests may read a session's inside here, and only here: `group`, `keyring_epochs` and the like.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from conclaved.identity import Verdict
from conclaved.meeting import (
    Admission,
    CameraState,
    MediaState,
    MeetingError,
    MeetingView,
    MicrophoneState,
    OwnRules,
    Session,
    State,
)
from conclaved.meeting.events import (
    Announce,
    BadInput,
    CarrierEvent,
    Changed,
    Effect,
    Ended,
    GroupLeft,
    NewEpoch,
    Publish,
    Replay,
    SendLive,
    SendLobby,
    StartJob,
)
from conclaved.mls import Group, MlsError
from conclaved.sframe import EpochKeys, Held, MediaKeyring, Opened, SframeRemoteError
from conclaved.sframe.errors import Refusal
from tests.simulation.network import Path
from tests.simulation.people import RECORDERS, WALL, Paper, Person, Trust, ordinary_trust
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

START = 1000.0
"""The simulated clock when a schedule begins."""
FAST_JOB_S = 0.004
SLOW_JOB_S = 0.6
MUTE_EVERY_S = 12
SAID = (
    MediaState(MicrophoneState.MUTED, CameraState.MUTED),
    MediaState(MicrophoneState.LIVE, CameraState.LIVE),
    MediaState(MicrophoneState.LIVE, CameraState.CLOSED),
)
"""What devices say of themselves, in turn."""
MEDIA_S = 1.0
"""Between two frames of a device. Real ones send fifty a second; one stands for many."""


@dataclass
class Stay:
    """A device's time in one epoch."""

    transcript: bytes
    keys: EpochKeys
    base_key: bytes
    entered: float
    group: Group
    left: float | None = None
    """When it entered the next one, or gave up the group."""
    expires: float | None = None
    """When media keys of this epoch must be gone."""
    closed_leaves: set[int] = field(default_factory=set)
    heard: set[tuple[int, int]] = field(default_factory=set)
    """Whose media the session was told of, and of which epoch."""
    moved: dict[tuple[int, int], float] = field(default_factory=dict)
    """When each stream (leaf, context) was first heard in a newer epoch."""


class Device:
    """See the file's head. One `Device` lives through crashes; each start makes a new session."""

    is_honest = True

    def __init__(self, world: "World", person: Person, paper: Paper) -> None:
        self.world = world
        self.person = person
        self.paper = paper
        self.label = person.name.split(".")[0]
        self.path = Path(world.rng, world.rng.uniform(0.004, 0.04))
        self.connection = 0
        self.is_member = False
        self.trust: Trust = ordinary_trust()
        self.rules = OwnRules()
        self.skew_s = 0
        self.job_s = FAST_JOB_S
        self.is_frozen = False
        self.wants_in = False
        """Whether its people want it to be in the meeting."""
        self.session: Session | None = None
        self.ended: Ended | None = None
        self.saved: Admission | None = None
        """What the device would find after a restart."""
        self.minded: dict[bytes, float] = {}
        """Since when each member, by key, is in the present group and not verified, in truth."""
        self.given_up: set[bytes] = set()
        """New keys that it says it cannot use in this meeting."""
        self.keyring = MediaKeyring()
        self.stays: list[Stay] = []
        """The epochs of the present group, the latest last."""
        self.old_stays: list[Stay] = []
        """Those of groups that were given up: nothing of them may be left."""
        self.history: dict[int, bytes] = {}
        """The transcript of every epoch of the present group that it was in."""
        self.was_in: dict[bytes, float] = {}
        """When it left each epoch, by transcript; infinity for the present one."""
        self.said: list[tuple[float, MediaState]] = []
        """How its microphone and camera were, and since when."""
        self.view: MeetingView | None = None
        self.is_view_new = False
        self.starts = 0
        """How often it was switched on."""
        self.is_leaving = False
        """Whether its people have it leave."""
        self._tick_at = float("inf")
        self._backlog: deque[Callable[[], None]] = deque()

    def __repr__(self) -> str:
        return f"Device({self.label})"

    # -- the session's inside -------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The signature key of the present certificate."""
        return self.paper.truth.key

    def had_key_in(self, keys: frozenset[bytes]) -> bool:
        """Whether one of these was its own at any time."""
        return any(key in keys for key in self.person.keys)

    @property
    def group(self) -> Group | None:
        """The MLS group that the session is in."""
        return None if self.session is None else self.session._member.group

    @property
    def stay(self) -> Stay | None:
        """The present epoch."""
        return self.stays[-1] if self.stays else None

    @property
    def is_in(self) -> bool:
        """Whether the session is in the group."""
        return self.view is not None and self.view.state is State.IN_GROUP

    @property
    def is_service_end(self) -> bool:
        """Whether it is a recorder: such a device only receives."""
        return self.person in RECORDERS

    @property
    def has_good_paper(self) -> bool:
        """Whether its certificate is valid, by the true time and for a while."""
        return self.paper.truth.not_after > WALL + int(self.world.loop.now - START) + 60

    @property
    def is_running(self) -> bool:
        """Whether there is a session that has not ended."""
        return self.session is not None and self.ended is None

    def wall(self) -> int:
        """The device's clock on the wall."""
        return WALL + int(self.world.loop.now - START) + self.skew_s

    # -- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Switch on and follow the invitation."""
        world, self.starts = self.world, self.starts + 1
        wall, paper = self.wall, self._paper_to_start_with()

        def assess(chain: tuple[bytes, ...], key: bytes) -> Verdict:
            return self.trust.assess(chain, key, wall())

        try:
            self.session = Session(
                world.terms.signed,
                world.terms.link,
                paper.identity(is_fast=world.is_fast),
                assess,
                self.rules,
                random=world.session_random,
                wall=wall,
                now=world.loop.now,
                admission=self.saved,
            )
        except MeetingError as error:
            self.ended = Ended(str(error), is_error=True)
            self.say(f"cannot start: {error}")
            return
        self.ended = None
        self.is_leaving = False
        self.is_frozen = False
        self._tick_at = float("inf")
        self._backlog.clear()
        self.keyring = MediaKeyring()
        self.say("starts" + (" with its admission" if self.saved else ""))
        self.view = self.session.view()
        self.is_view_new = True
        world.carrier.connect(self)
        self._plan_tick()
        if paper is not self.paper:
            self.renew(self.paper)
        world.loop.after(world.rng.uniform(0.1, MEDIA_S), partial(self._media, self.starts))
        self._mute()

    def _paper_to_start_with(self) -> Paper:
        """The newest, or what goes with the admission that it has kept: the old key signs for the new one."""
        if self.saved is None or self.saved.signature_key == self.key:
            return self.paper
        papers = (self.person.paper, *self.person.successors)
        return next((p for p in papers if p.truth.key == self.saved.signature_key), self.paper)

    def crash(self, *, keeps_admission: bool) -> None:
        """Gone from one moment to the next; nothing of the meeting is left but perhaps its admission."""
        if self.session is None:
            return
        self.say("crashes" + ("" if keeps_admission else " and forgets its admission"))
        self.saved = self.session.admission or self.saved if keeps_admission else None
        self.starts += 1
        self._tick_at = float("inf")
        self.world.carrier.disconnect(self, is_noticed=False)
        self.session.close(self.world.loop.now)
        self.session = None
        self.view = None
        self._give_up_group()
        self.keyring.close()

    def freeze(self, seconds: float) -> None:
        """Do nothing for so long, then everything at once: a machine under load."""
        starts, self.is_frozen = self.starts, True
        self.say(f"freezes for {seconds:.1f} s")

        def thaw() -> None:
            self.is_frozen = False
            while self._backlog and self.starts == starts and not self.is_frozen:
                self._backlog.popleft()()

        self.world.loop.after(seconds, thaw)

    def say(self, what: str) -> None:
        """A line of the trace."""
        self.world.say(self.label, what)

    # -- what people do -------------------------------------------------------------------------

    def act(self, what: str, action: Callable[[Session, float], list[Effect]]) -> None:
        """People do something. Raises LocalError of the meeting."""
        session = self.session
        assert session is not None
        self.say(what)
        self.perform(action(session, self.world.loop.now))

    def leave(self) -> None:
        """People leave."""
        self.is_leaving = True
        self.act("leaves", lambda session, now: session.leave(now))

    def kick(self, leaf: int, name: str) -> None:
        """A host throws somebody out."""
        self.act(f"throws out {name}", lambda session, now: session.kick(leaf, now))

    def answer(self, request_id: str, who: str, *, admits: bool) -> None:
        """A host lets in or turns away one who waits."""
        if admits:
            self.act(f"admits {who}", lambda session, now: session.admit(request_id, now))
        else:
            self.act(f"turns away {who}", lambda session, now: session.deny(request_id, now))

    def allow_back(self, key_id: str, who: str) -> None:
        """A host lets one who was thrown out ask again."""
        self.act(f"allows back {who}", lambda session, now: session.allow_back(key_id, now))

    def hand_over(self, leaf: int, who: str) -> None:
        """A host makes somebody a host too."""
        self.act(f"makes {who} a host", lambda session, now: session.hand_over(leaf, now))

    def end_for_all(self) -> None:
        """A host ends the meeting."""
        self.act("ends the meeting for all", lambda session, now: session.end_for_all(now))

    def renew(self, paper: Paper) -> None:
        """The device has another certificate."""
        what = "another key" if paper.truth.key != self.paper.truth.key else "the same key"
        self.paper = paper
        if self.session is None or not self.is_running:
            return
        identity = paper.identity(is_fast=self.world.is_fast)
        self.act(f"renews with {what}", lambda session, now: session.identity_changed(identity, now))

    def trusts(self, trust: Trust) -> None:
        """The admin trusts others now."""
        self.trust = trust
        if self.session is not None and self.is_running:
            self.act("has other trust", lambda session, now: session.trust_changed(now))

    def has_rules(self, rules: OwnRules) -> None:
        """The admin has another policy now."""
        self.rules = rules
        if self.session is not None and self.is_running:
            self.act("has another policy", lambda session, now: session.rules_changed(rules, now))

    # -- events ---------------------------------------------------------------------------------

    def hear(self, event: CarrierEvent) -> None:
        """Something from the service."""
        session = self.session
        if session is None:
            return
        if self.is_frozen:
            self._backlog.append(partial(self.hear, event))
            return
        self.perform(session.handle(event, self.world.loop.now))

    def _plan_tick(self) -> None:
        session, loop = self.session, self.world.loop
        if session is None or self.ended is not None:
            return
        due = session.next_deadline(loop.now)
        if due < self._tick_at:
            self._tick_at = due
            loop.at(due, partial(self._tick, self.starts, due))

    def _tick(self, starts: int, due: float) -> None:
        session = self.session
        if session is None or starts != self.starts or due != self._tick_at:
            return
        self._tick_at = float("inf")
        if self.is_frozen:
            self._backlog.append(self._tick_now)
            return
        self._tick_now()

    def _tick_now(self) -> None:
        if self.session is not None and self.is_running:
            self.perform(self.session.tick(self.world.loop.now))

    def perform(self, effects: list[Effect]) -> None:
        """Do what the session asks for."""
        world = self.world
        for effect in effects:
            match effect:
                case StartJob():
                    self._work(effect)
                case NewEpoch(keys):
                    self._enter(keys)
                case GroupLeft():
                    self.say("gives up the group")
                    self._give_up_group()
                    self.keyring.close()
                    self.keyring = MediaKeyring()
                case Ended():
                    self._end(effect)
                case BadInput(error):
                    if not isinstance(error, MlsError | MeetingError):
                        raise Violation("nothing unexpected is raised", f"{self.label}: {error!r}")
                    world.bad_inputs += 1
                    if world.trace.is_on:
                        self.say(f"refuses: {error}")
                case Publish() | SendLobby() | SendLive() | Replay() | Announce():
                    self.send_up(effect)
                case Changed():
                    self.is_view_new = True
        if self.is_view_new:
            self._look()
        self._plan_tick()

    def send_up(self, effect: Publish | SendLobby | SendLive | Replay | Announce) -> None:
        """Hand something to the service."""
        self.world.carrier.send_up(self, effect)

    def _look(self) -> None:
        """See what the session shows now, and let it be judged."""
        self.is_view_new = False
        session = self.session
        if session is None:
            return
        before, self.view = self.view, session.view()
        if before is not None and self.world.trace.is_on:
            self._tell_changes(before, self.view)
        self.saved = session.admission or self.saved
        if any("not used in this meeting" in news for news in self.view.news):
            self.given_up.add(self.key)
        self.world.judge.on_view(self, self.view)

    def _tell_changes(self, before: MeetingView, view: MeetingView) -> None:
        if before.state is not view.state:
            self.say(f"is {view.state.value}")
        if before.behind != view.behind:
            self.say(f"is behind: {view.behind}" if view.behind else "is not behind any more")
        for alarm in view.alarms:
            if alarm not in before.alarms:
                self.say(f"ALARM: {alarm}")
        for news in view.news:
            if news not in before.news:
                self.say(f"news: {news}")

    def _work(self, job: StartJob) -> None:
        """A worker thread does it: it may look at its inputs at once, or only when it is nearly late."""
        loop, rng, starts = self.world.loop, self.world.rng, self.starts
        duration = self.job_s * rng.uniform(0.5, 1.5)
        if rng.random() < 0.5:
            loop.after(duration, lambda: self._done(job, starts, *_run(job)))
        else:
            outcome = _run(job)
            loop.after(duration, lambda: self._done(job, starts, *outcome))

    def _done(self, job: StartJob, starts: int, result: object, error: Exception | None) -> None:
        session, now = self.session, self.world.loop.now
        if session is None or starts != self.starts:
            return
        if self.is_frozen:
            self._backlog.append(lambda: self._done(job, starts, result, error))
        elif error is not None:
            self.perform(session.job_failed(job.job_id, error, now))
        else:
            self.perform(session.job_done(job.job_id, result, now))

    # -- epochs and media -----------------------------------------------------------------------

    def _enter(self, keys: EpochKeys) -> None:
        group, now = self.group, self.world.loop.now
        base_key = bytes(keys.base_key)
        released = self.keyring.advance(keys, now)
        if group is None or group.epoch != keys.epoch:
            return
        stay = Stay(group.confirmed_transcript_hash, keys, base_key, now, group)
        before = self.stay
        if before is not None:
            gone = keys.removed | (before.keys.members - keys.members)
            grace = 2.0 if gone else 10.0
            before.left = self.was_in[before.transcript] = now
            for old in self.stays:
                old.expires = now + grace if old.expires is None else min(old.expires, now + grace)
                old.closed_leaves |= gone
        self.stays.append(stay)
        self.history[keys.epoch] = stay.transcript
        self.was_in[stay.transcript] = float("inf")
        self.world.judge.on_epoch(self, stay, before)
        for opened in released:
            self.world.media.opened(self, opened, None)

    def _give_up_group(self) -> None:
        for stay in self.stays:
            if stay.left is None:
                stay.left = self.was_in[stay.transcript] = self.world.loop.now
        self.history = {}
        self.old_stays, self.stays = self.stays, []
        self.world.judge.on_group_left(self)

    def _end(self, ended: Ended) -> None:
        self.ended = ended
        self.say(f"ENDED: {ended.reason}")
        self._give_up_group()
        self.keyring.close()
        self.world.carrier.disconnect(self, is_noticed=False)
        self.world.judge.on_end(self, ended)

    def _media(self, starts: int) -> None:
        """Send a frame if that may be, and let what is overdue go."""
        if starts != self.starts or not self.is_running:
            return
        loop = self.world.loop
        loop.after(MEDIA_S, partial(self._media, starts))
        if self.is_frozen:
            return
        self.keyring.poll(loop.now)
        self.world.judge.on_media(self)
        if int(loop.now) % MUTE_EVERY_S == 0:
            self._mute()
        if self.is_in and self.view is not None and self.view.may_send and self.stay is not None:
            self.world.media.send(self)

    def _mute(self) -> None:
        """People mute, unmute, and close the shutter, one after the other."""
        assert self.session is not None
        state = SAID[len(self.said) % len(SAID)]
        self.said.append((self.world.loop.now, state))
        self.perform(self.session.media_is(state, self.world.loop.now))

    def hear_frame(self, frame: bytes) -> Opened | None:
        """A frame from the relay."""
        session, now = self.session, self.world.loop.now
        if session is None or not self.is_running or self.is_frozen:
            return None
        try:
            result = self.keyring.unprotect(frame, b"", now)
        except SframeRemoteError as error:
            if error.refusal is Refusal.UNKNOWN_EPOCH:
                self.perform(session.unknown_epoch_heard(now))
            return None
        if isinstance(result, Held):
            self.perform(session.unknown_epoch_heard(now))
            return None
        return result

    def frame_opened(self, opened: Opened) -> None:
        """Tell the session of a frame that was opened, once for each member and epoch as the engine does."""
        stay, heard = self.stay, (opened.leaf_index, opened.epoch)
        if self.session is not None and stay is not None and heard not in stay.heard:
            stay.heard.add(heard)
            self.perform(self.session.media_heard(opened.leaf_index, opened.epoch, self.world.loop.now))


def _run(job: StartJob) -> tuple[object, Exception | None]:
    try:
        return job.run(), None
    except (MlsError, MeetingError) as error:
        return None, error
