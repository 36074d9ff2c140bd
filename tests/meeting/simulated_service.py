"""A conference service and its devices in one thread, with a clock of its own: no socket, no sleep.

`Room` is a device: a session, its keys, its clock. `SimulatedService` carries between rooms what
the hub carries, in order, and can be told to drop, repeat, reorder and lie.
"""

import hashlib
import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from conclaved.identity import Anchor, Assurance, SoftwareSigner, TrustStore, Verdict, parse_anchor_pem
from conclaved.meeting import (
    Admission,
    Invitation,
    Level,
    LinkSecret,
    MeetingError,
    MeetingView,
    OwnIdentity,
    OwnRules,
    Role,
    Session,
    SignedInvitation,
    State,
)
from conclaved.meeting.admission import ADMISSION_EXTENSION, IssuerType, issue
from conclaved.meeting.events import (
    Announce,
    BadInput,
    CarrierEvent,
    Changed,
    Connected,
    Disconnected,
    Effect,
    Ended,
    Entry,
    GroupLeft,
    Leader,
    Live,
    Lobby,
    NewEpoch,
    Publish,
    PublishResult,
    Replay,
    SendLive,
    SendLobby,
    StartJob,
)
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.mls import CipherSuite, MlsError
from conclaved.sframe import EpochKeys, MediaKeyring
from tests.pki import TestAuthority

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
EXTENSION_TYPES = (MEETING_EXTENSION, ADMISSION_EXTENSION)
WALL = 1_800_000_000
PUBLIC_CA = TestAuthority("Public CA", not_before=WALL - 10_000_000, not_after=WALL + 100_000_000)
UNKNOWN_CA = TestAuthority("Nobody's CA", not_before=WALL - 10_000_000, not_after=WALL + 100_000_000)
PROVIDER_CA = TestAuthority("Provider CA", not_before=WALL - 10_000_000, not_after=WALL + 100_000_000)


def trust(*, provider: bool = True) -> TrustStore:
    """The anchors of an ordinary room."""
    anchors: list[Anchor] = list(
        parse_anchor_pem(PUBLIC_CA.root_pem, kind=Assurance.VERIFIED, domains=(), label="public")
    )
    if provider:
        anchors += parse_anchor_pem(
            PROVIDER_CA.root_pem, kind=Assurance.PROVIDER, domains=(), label="provider"
        )
    return TrustStore().with_anchors(anchors)


def identity(name: str, authority: TestAuthority = PUBLIC_CA) -> OwnIdentity:
    """A key and a certificate for `name`, valid around WALL."""
    signer = SoftwareSigner.generate()
    chain = authority.issue(
        signer.certificate_public_key, dns=[name], not_before=WALL - 86400, not_after=WALL + 40 * 86400
    )
    return OwnIdentity(signer, tuple(chain))


@dataclass
class Clock:
    """Monotonic seconds, and the wall clock that goes with them."""

    now: float = 1000.0

    def wall(self) -> int:
        return WALL + int(self.now - 1000)


class Client(Protocol):
    """Who is connected to the service: a `Room`, or somebody who keeps to no rule."""

    is_connected: bool
    is_member: bool

    def hear(self, event: CarrierEvent) -> None:
        """An event from the service."""

    def tick(self, now: float) -> None:
        """Time has passed."""


@dataclass
class Faults:
    """What a bad service does to each event, by probability. Connections and verdicts it leaves alone."""

    rng: random.Random
    drop: float = 0.2
    repeat: float = 0.2
    delay: float = 0.3
    longest_s: float = 1.5

    def schedule(self, event: CarrierEvent) -> list[float]:
        """After how many seconds to deliver it, once for each delivery."""
        if not isinstance(event, Entry | Lobby | Live):
            return [0.0]
        times = 0 if self.rng.random() < self.drop else 2 if self.rng.random() < self.repeat else 1
        return [
            self.rng.uniform(0, self.longest_s) if self.rng.random() < self.delay else 0.0
            for _ in range(times)
        ]


@dataclass(eq=False)
class Room:
    """A device in the simulation."""

    name: str
    session: Session
    service: "SimulatedService"
    is_connected: bool = False
    is_member: bool = False
    ended: Ended | None = None
    keys: list[EpochKeys] = field(default_factory=list)
    changes: int = 0
    """How often the session has said that its view is new."""
    bad_inputs: list[Exception] = field(default_factory=list)
    holds_jobs: bool = False
    """Whether jobs wait in `jobs` until `work` is called: a device with a slow key store."""
    jobs: list[StartJob] = field(default_factory=list)
    anchors: list[TrustStore] = field(default_factory=list)
    """One: what the room's admin trusts. A test may replace it."""
    skew_s: list[int] = field(default_factory=lambda: [0])
    """One: by how much the room's wall clock is wrong. A test may replace it."""
    keyring: MediaKeyring = field(default_factory=MediaKeyring)
    """Real media keys, a ring for each group: it refuses an epoch that is not newer than the present."""
    groups: list[list[int]] = field(default_factory=lambda: [[]])
    """The epochs of each group that the room was in."""

    @property
    def view(self) -> MeetingView:
        return self.session.view()

    def may_send(self) -> bool:
        return self.view.may_send

    def is_in(self) -> bool:
        return self.view.state is State.IN_GROUP

    def has_ended(self) -> bool:
        return self.ended is not None

    def names(self) -> set[str]:
        return {participant.name for participant in self.view.participants}

    def hear(self, event: CarrierEvent) -> None:
        self.perform(self.session.handle(event, self.service.clock.now))

    def tick(self, now: float) -> None:
        self.perform(self.session.tick(now))

    def leaf(self, name: str) -> int:
        """The leaf of the participant with that name."""
        return next(p.leaf for p in self.view.participants if p.name == name)

    def kick(self, name: str) -> None:
        self.perform(self.session.kick(self.leaf(name), self.service.clock.now))

    def hand_over(self, name: str) -> None:
        self.perform(self.session.hand_over(self.leaf(name), self.service.clock.now))

    def end_for_all(self) -> None:
        self.perform(self.session.end_for_all(self.service.clock.now))

    def role(self, name: str) -> Role:
        """The role that this room's roster shows for a name."""
        return next(p.role for p in self.view.participants if p.name == name)

    def allow_back(self, name: str) -> None:
        """Whom the hosts' list shows under that name."""
        key_id = next(removed.key_id for removed in self.view.removed if removed.name == name)
        self.perform(self.session.allow_back(key_id, self.service.clock.now))

    def admit(self, name: str) -> None:
        self.perform(self.session.admit(name, self.service.clock.now))

    def deny(self, name: str) -> None:
        self.perform(self.session.deny(name, self.service.clock.now))

    def leave(self) -> None:
        self.perform(self.session.leave(self.service.clock.now))

    def state(self) -> tuple[object, ...]:
        """What nothing that is refused may change."""
        view = self.view
        return (
            view.state,
            view.epoch,
            view.security_code,
            view.code_epoch,
            view.participants,
            len(self.keys),
        )

    def work(self) -> None:
        """Do the jobs that wait."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            self.work_on(job)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case StartJob() if self.holds_jobs:
                    self.jobs.append(effect)
                case StartJob():
                    self.service.queue.append(partial(self.work_on, effect))
                case NewEpoch(keys):
                    self.keys.append(replace(keys, base_key=bytes(keys.base_key)))
                    self.keyring.advance(keys, self.service.clock.now)
                    self.groups[-1].append(keys.epoch)
                case GroupLeft():
                    self.keyring.close()
                    self.keyring = MediaKeyring()
                    self.groups.append([])
                case Ended():
                    self.ended = effect
                    self.keyring.close()
                    self.service.depart(self)
                case Changed():
                    self.changes += 1
                case BadInput(error):
                    self.bad_inputs.append(error)
                case Publish() | SendLobby() | SendLive() | Replay() | Announce():
                    if self.is_connected:
                        self.service.queue.append(partial(self.service.take, self, effect))

    def work_on(self, job: StartJob) -> None:
        try:
            result = job.run()
        except (MlsError, MeetingError) as error:
            self.perform(self.session.job_failed(job.job_id, error, self.service.clock.now))
        else:
            self.perform(self.session.job_done(job.job_id, result, self.service.clock.now))


class SimulatedService:
    """Carries between rooms; see the file's head."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.log: list[bytes] = []
        self.rooms: list[Client] = []
        self.queue: deque[Callable[[], None]] = deque()
        self.leader: Client | None = None
        self.filter: Callable[[Client, CarrierEvent], list[CarrierEvent]] = lambda room, event: [event]
        self.faults: Faults | None = None
        self.names_leaders = True
        self.sent: list[Publish | SendLobby | SendLive] = []
        self.upstream: Callable[[Client, Effect], bool] = lambda client, effect: True
        self.checks_expected = True
        self._delayed: list[tuple[float, Client, CarrierEvent]] = []

    def connect(self, room: Client) -> None:
        room.is_connected = True
        if room not in self.rooms:
            self.rooms.append(room)
        self.deliver(room, Connected(len(self.log)))

    def disconnect(self, room: Client) -> None:
        self.hand_over(room, Disconnected())
        room.is_connected = False
        self.depart(room)

    def crash(self, room: Client) -> None:
        """The device is gone from one moment to the next: it hears nothing of it."""
        room.is_connected = False
        self.depart(room)
        self.settle()

    def lose_log(self, *first: Client) -> None:
        """Forget the meeting, as after a crash: everybody connects anew, `first` before the others."""
        self.settle()
        clients = [*first, *(room for room in self.rooms if room not in first)]
        self.log.clear()
        self.leader = None
        for room in clients:
            self.hand_over(room, Disconnected())
            self.connect(room)

    def depart(self, room: Client) -> None:
        def gone() -> None:
            if room in self.rooms:
                self.rooms.remove(room)
            room.is_connected = room.is_member = False
            if self.leader is room:
                self.name_leader()

        self.queue.append(gone)

    def deliver(self, room: Client, event: CarrierEvent) -> None:
        for each in self.filter(room, event):
            for delay in (0.0,) if self.faults is None else self.faults.schedule(each):
                if delay:
                    self._delayed.append((self.clock.now + delay, room, each))
                else:
                    self.queue.append(partial(self.hand_over, room, each))

    def hand_over(self, room: Client, event: CarrierEvent) -> None:
        if room.is_connected:
            room.hear(event)

    def take(self, room: Client, effect: Effect) -> None:
        if not self.upstream(room, effect):
            return
        if isinstance(effect, Publish | SendLobby | SendLive):
            self.sent.append(effect)
        match effect:
            case Publish(token, data, expected):
                accepted = not self.checks_expected or expected in (None, len(self.log))
                self.deliver(room, PublishResult(token, accepted))
                if accepted:
                    self.log.append(data)
                    for each in list(self.rooms):
                        self.deliver(each, Entry(len(self.log) - 1, data))
            case SendLobby(data) | SendLive(data):
                event = Lobby(data) if isinstance(effect, SendLobby) else Live(data)
                for each in list(self.rooms):
                    if each is not room:
                        self.deliver(each, event)
            case Replay(sequence):
                for at in range(sequence, len(self.log)):
                    self.deliver(room, Entry(at, self.log[at]))
            case Announce(is_member):
                room.is_member = is_member
                if self.leader is None or (self.leader is room and not is_member):
                    self.name_leader()
            case _:
                raise AssertionError(effect)

    def name_leader(self) -> None:
        if not self.names_leaders:
            return
        self.leader = next((room for room in self.rooms if room.is_member), None)
        for room in self.rooms:
            self.deliver(room, Leader(room is self.leader))

    def settle(self) -> None:
        """Deliver and work until nothing is left to do at this moment."""
        steps = 0
        while self.queue:
            self.queue.popleft()()
            steps += 1
            assert steps < 200_000, "the simulation does not come to rest"

    def run(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass."""
        until = self.clock.now + seconds
        self.settle()
        while self.clock.now < until:
            self.clock.now += step
            due = [(room, event) for at, room, event in self._delayed if at <= self.clock.now]
            self._delayed = [each for each in self._delayed if each[0] > self.clock.now]
            for room, event in due:
                self.hand_over(room, event)
            for room in list(self.rooms):
                room.tick(self.clock.now)
            self.settle()


@dataclass
class Meeting:
    """An invitation by `host`, and what is needed to follow it."""

    host: OwnIdentity
    link: LinkSecret
    invitation: SignedInvitation
    service: SimulatedService

    @classmethod
    def invite(
        cls,
        invited: tuple[str, ...],
        *,
        level: Level = Level.STANDARD,
        is_open: bool = False,
        valid_s: int = 3600,
        host: OwnIdentity | None = None,
        service: SimulatedService | None = None,
        link: LinkSecret | None = None,
        service_ends: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
    ) -> "Meeting":
        host = host or identity("host.example.com")
        link = link or LinkSecret(os.urandom(32))
        content = Invitation(
            meeting_id=hashlib.sha256(link.secret).digest()[:16],
            serial=1,
            title="Board",
            service="wss://hub.example.com:443",
            level=level,
            invited=invited,
            service_ends=service_ends,
            is_open=is_open,
            link_public_key=link.link_key().public_key,
            not_before=WALL - valid_s,
            not_after=WALL + valid_s,
            hosts=hosts,
        )
        token = content.sign(host.signer, host.chain)
        return cls(host, link, SignedInvitation.verify(token), service or SimulatedService())

    def admission(self, who: OwnIdentity, role: Role = Role.MEMBER) -> Admission:
        """An admission by the invitation's signer."""
        content = self.invitation.content
        return issue(self.host.signer, content.meeting_id, who.signer.public_key, role)

    def link_admission(self, who: OwnIdentity) -> Admission:
        """An admission by the link alone."""
        content = self.invitation.content
        key = who.signer.public_key
        return issue(self.link.link_key(), content.meeting_id, key, Role.GUEST, issuer_type=IssuerType.LINK)

    def room(
        self,
        who: OwnIdentity,
        *,
        name: str = "",
        store: TrustStore | None = None,
        rules: OwnRules | None = None,
        service: SimulatedService | None = None,
        connect: bool = True,
        admission: Admission | None = None,
        terms: MeetingContext | None = None,
    ) -> Room:
        """A room that follows the invitation."""
        service = service or self.service
        anchors, skew_s = [store or trust()], [0]

        def wall() -> int:
            return service.clock.wall() + skew_s[0]

        def assess(chain: tuple[bytes, ...], key: bytes) -> Verdict:
            return anchors[0].assess(chain, key, now=wall())

        session = Session(
            self.invitation,
            self.link,
            who,
            assess,
            rules or OwnRules(),
            random=os.urandom,
            wall=wall,
            now=service.clock.now,
            admission=admission,
            terms=terms,
        )
        room = Room(name, session, service, anchors=anchors, skew_s=skew_s)
        if connect:
            service.connect(room)
            service.settle()
        return room


def agree(*rooms: Room) -> None:
    """All are in one epoch of one group, with one roster, one key and one code."""
    assert in_group(*rooms), [room.view.state for room in rooms]
    assert len({room.view.epoch for room in rooms}) == 1, [room.view.epoch for room in rooms]
    assert len({bytes(room.keys[-1].base_key) for room in rooms}) == 1
    assert len({room.view.security_code for room in rooms}) == 1
    assert len({frozenset(room.names()) for room in rooms}) == 1


def in_group(*rooms: Room) -> bool:
    """Whether all of these are in the group."""
    return all(room.view.state is State.IN_GROUP for room in rooms)
