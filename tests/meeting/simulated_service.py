"""A conference service and its devices in one thread, with a clock of its own: no socket, no sleep.

`Room` is a device: a session, its keys, its clock. `SimulatedService` carries between rooms what
the hub carries, in order, and can be told to drop, repeat, reorder and lie.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from conclaved.identity import Anchor, Assurance, SoftwareSigner, TrustStore, Verdict, parse_anchor_pem
from conclaved.meeting import (
    Invitation,
    Level,
    LinkSecret,
    MeetingError,
    MeetingView,
    OwnIdentity,
    OwnRules,
    Session,
    SignedInvitation,
    State,
)
from conclaved.meeting.admission import ADMISSION_EXTENSION
from conclaved.meeting.events import (
    Announce,
    BadInput,
    CarrierEvent,
    Connected,
    Effect,
    Ended,
    Entry,
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
from conclaved.meeting.meeting_context import MEETING_EXTENSION
from conclaved.mls import CipherSuite, MlsError
from conclaved.sframe import EpochKeys
from tests.pki import TestAuthority

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
EXTENSION_TYPES = (MEETING_EXTENSION, ADMISSION_EXTENSION)
WALL = 1_800_000_000
PUBLIC_CA = TestAuthority("Public CA", not_before=WALL - 10_000_000, not_after=WALL + 100_000_000)
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
    bad_inputs: list[Exception] = field(default_factory=list)

    @property
    def view(self) -> MeetingView:
        return self.session.view()

    def names(self) -> set[str]:
        return {participant.name for participant in self.view.participants}

    def hear(self, event: CarrierEvent) -> None:
        self.perform(self.session.handle(event, self.service.clock.now))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case StartJob():
                    self.service.queue.append(partial(self._work, effect))
                case NewEpoch(keys):
                    self.keys.append(keys)
                case Ended():
                    self.ended = effect
                    self.service.depart(self)
                case BadInput(error):
                    self.bad_inputs.append(error)
                case Publish() | SendLobby() | SendLive() | Replay() | Announce():
                    if self.is_connected:
                        self.service.queue.append(partial(self.service.take, self, effect))
                case _:
                    pass

    def _work(self, job: StartJob) -> None:
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
        self.rooms: list[Room] = []
        self.queue: deque[Callable[[], None]] = deque()
        self.leader: Room | None = None
        self.seen: list[bytes] = []
        self.filter: Callable[[Room, CarrierEvent], list[CarrierEvent]] = lambda room, event: [event]
        self.checks_expected = True

    def connect(self, room: Room) -> None:
        room.is_connected = True
        if room not in self.rooms:
            self.rooms.append(room)
        self.deliver(room, Connected(len(self.log)))

    def depart(self, room: Room) -> None:
        def gone() -> None:
            if room in self.rooms:
                self.rooms.remove(room)
            room.is_connected = room.is_member = False
            if self.leader is room:
                self.name_leader()

        self.queue.append(gone)

    def deliver(self, room: Room, event: CarrierEvent) -> None:
        for each in self.filter(room, event):
            self.queue.append(partial(self.hand_over, room, each))

    def hand_over(self, room: Room, event: CarrierEvent) -> None:
        if room.is_connected:
            room.hear(event)

    def take(self, room: Room, effect: Effect) -> None:
        match effect:
            case Publish(token, data, expected):
                self.seen.append(data)
                accepted = not self.checks_expected or expected in (None, len(self.log))
                self.deliver(room, PublishResult(token, accepted))
                if accepted:
                    self.log.append(data)
                    for each in list(self.rooms):
                        self.deliver(each, Entry(len(self.log) - 1, data))
            case SendLobby(data) | SendLive(data):
                self.seen.append(data)
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
            for room in list(self.rooms):
                room.perform(room.session.tick(self.clock.now))
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
        host: OwnIdentity | None = None,
        service: SimulatedService | None = None,
        link: LinkSecret | None = None,
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
            service_ends=(),
            is_open=is_open,
            link_public_key=link.link_key().public_key,
            not_before=WALL - 3600,
            not_after=WALL + 3600,
        )
        token = content.sign(host.signer, host.chain)
        return cls(host, link, SignedInvitation.verify(token), service or SimulatedService())

    def room(
        self,
        who: OwnIdentity,
        *,
        name: str = "",
        store: TrustStore | None = None,
        rules: OwnRules | None = None,
        service: SimulatedService | None = None,
        connect: bool = True,
    ) -> Room:
        """A room that follows the invitation."""
        service = service or self.service
        anchors = store or trust()

        def assess(chain: tuple[bytes, ...], key: bytes) -> Verdict:
            return anchors.assess(chain, key, now=service.clock.wall())

        session = Session(
            self.invitation,
            self.link,
            who,
            assess,
            rules or OwnRules(),
            random=os.urandom,
            wall=service.clock.wall,
            now=service.clock.now,
        )
        room = Room(name, session, service)
        if connect:
            service.connect(room)
            service.settle()
        return room


def in_group(*rooms: Room) -> bool:
    """Whether all of these are in the group."""
    return all(room.view.state is State.IN_GROUP for room in rooms)
