"""The room as D-Bus and panel see it: snapshots of all its parts, and what may be asked of it.

Two voices ask: D-Bus (from outside the room) and the panel (from within). What from outside
would make the room listen, look or speak is announced on the panel, can be refused there, and
begins muted; only a press on the panel unmutes (DESIGN §4, HAL).
"""

import asyncio
import logging
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from importlib.metadata import version

from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclaved.bus.room import (
    AnchorStatus,
    DeviceStatus,
    EnrollmentRequest,
    HardwareStatus,
    IdentityStatus,
    MeetingRequest,
    MeetingStatus,
    PolicyStatus,
    RoomError,
    RoomErrorKind,
    StreamStatus,
    Topic,
)
from conclaved.conference.errors import ConferenceError, NotFoundError
from conclaved.conference.hub_client import HubClient, client_context
from conclaved.identity import (
    AnchorError,
    Assurance,
    BelievedClock,
    KeyStore,
    TrustFile,
    TrustStore,
    Verdict,
    parse_anchor_pem,
)
from conclaved.media import MediaEngine
from conclaved.meeting import (
    Level,
    Link,
    LocalError,
    MeetingError,
    OwnIdentity,
    OwnRules,
    Session,
    SignedInvitation,
    State,
)
from conclaved.meeting.events import Ended
from conclaved.meeting.membership import SFRAME_SUITE
from conclaved.service import invitations
from conclaved.service.config import Config
from conclaved.service.enrolling import Enrolling
from conclaved.service.hardware import Hardware
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.service.meeting_status import frames_refused, meeting_status, stream_statuses
from conclaved.service.panel_view import panel_view
from conclaved.service.policy_file import PolicyFile
from conclaved.service.verdicts import Verdicts
from conclaved.sframe import MediaKeyring

log = logging.getLogger(__name__)

IDLE = MeetingStatus(state="idle")
PUT_AWAY_S = 5.0


class ConclaveRoom:
    """Implements `conclaved.bus.room.Room`. One event loop owns it."""

    def __init__(
        self,
        config: Config,
        keys: KeyStore,
        trust: TrustFile,
        policy: PolicyFile,
        clock: BelievedClock,
        hardware: Callable[[Callable[[], None], Callable[[], None]], Hardware],
    ) -> None:
        """`hardware` makes the hardware, given whom to tell of changes and of drawn views."""
        self._config = config
        self._keys = keys
        self._trust_file = trust
        self._trust = trust.load()
        self._policy_file = policy
        self._policy = policy.load()
        self._clock = clock
        self._subscribers: list[tuple[set[Topic], asyncio.Event]] = []
        self._panel_wake = asyncio.Event()
        self._hardware = hardware(lambda: self._changed(Topic.HARDWARE), lambda: self._tell({Topic.HARDWARE}))
        self._enrolling = Enrolling(config, keys, lambda: self._changed(Topic.IDENTITY))
        self._assess = Verdicts(self._judge)
        self._runner: MeetingRunner | None = None
        self._engine: MediaEngine | None = None
        self._meeting_task: asyncio.Task[None] | None = None
        self._meeting = IDLE
        self._panel_serial = 0

    # -- snapshots ------------------------------------------------------------------------------

    def device(self) -> DeviceStatus:
        """See `Room`."""
        problems = []
        if not self._enrolling.chain:
            problems.append("no certificate yet: conclavectl identity enroll DOMAIN")
        if self._clock.now() is None:
            problems.append(f"{self._clock.why_not()}: nobody is shown as verified")
        if not self._trust.anchors:
            problems.append("no trust anchor: conclavectl trust add FILE --kind verified")
        if self._enrolling.status().key_protection == "plain":
            problems.append("the device's key lies unprotected on the disk: give the unit a wrapping key")
        states = self._hardware.states()
        problems += [f"{slot}: {reason or health}" for slot, health, reason in states if health == "failed"]
        return DeviceStatus(version("conclave"), "degraded" if problems else "ready", tuple(problems))

    def identity(self) -> IdentityStatus:
        """See `Room`."""
        return self._enrolling.status()

    def anchors(self) -> tuple[AnchorStatus, ...]:
        """See `Room`."""
        return tuple(
            AnchorStatus(
                label=anchor.label,
                kind=anchor.kind.value,
                domains=anchor.domains,
                fingerprint=anchor.fingerprint,
                not_after=int(anchor.certificate.not_valid_after_utc.timestamp()),
            )
            for anchor in self._trust.anchors
        )

    def policy(self) -> PolicyStatus:
        """See `Room`."""
        return PolicyStatus(self._policy.minimum_level.value)

    def meeting(self) -> MeetingStatus:
        """See `Room`."""
        return self._meeting

    def hardware(self) -> HardwareStatus:
        """See `Room`."""
        drawn = self._hardware.devices.panel.drawn()
        streams: tuple[StreamStatus, ...] = ()
        refused = 0
        if self._runner is not None and self._engine is not None:
            stats = self._engine.stats()
            streams = stream_statuses(self._runner.view(), stats)
            refused = frames_refused(stats)
        return HardwareStatus(
            camera_muted=self._hardware.camera_muted,
            microphone_muted=self._hardware.microphone_muted,
            shutter=self._hardware.shutter.value,
            mute_switch=self._hardware.mute_switch.value,
            panel_serial=0 if drawn is None else drawn.serial,
            panel_epoch=0 if drawn is None else drawn.epoch,
            devices=self._hardware.states(),
            frames_refused=refused,
            streams=streams,
        )

    def panel(self, serial: int) -> PanelView:
        """What the panel shows now."""
        return panel_view(serial, self._enrolling.domain, self._meeting, self.hardware())

    async def changes(self) -> AsyncIterator[frozenset[Topic]]:
        """See `Room`."""
        topics: set[Topic] = set()
        event = asyncio.Event()
        entry = (topics, event)
        self._subscribers.append(entry)
        try:
            while True:
                await event.wait()
                event.clear()
                news = frozenset(topics)
                topics.clear()
                yield news
        finally:
            self._subscribers.remove(entry)

    # -- identity, trust, policy ----------------------------------------------------------------

    async def enroll(self, request: EnrollmentRequest) -> None:
        """See `Room`."""
        self._enrolling.start(request)

    async def add_anchor(self, pem: str, label: str, kind: str, domains: tuple[str, ...]) -> None:
        """See `Room`."""
        if kind not in ("verified", "provider"):
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "an anchor is for verified identities or the provider's",
                hint="use --kind verified or --kind provider",
            )
        try:
            anchors = parse_anchor_pem(pem, kind=Assurance(kind), domains=domains, label=label)
        except AnchorError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        self._set_trust(self._trust.with_anchors(anchors))

    async def remove_anchor(self, label: str) -> None:
        """See `Room`."""
        store = self._trust.without_anchor(label)
        if store is self._trust:
            raise RoomError(
                RoomErrorKind.NOT_FOUND, "there is no such anchor", hint="see: conclavectl trust list"
            )
        self._set_trust(store)

    async def set_minimum_level(self, level: str) -> None:
        """See `Room`."""
        try:
            self._policy = OwnRules(Level(level))
        except ValueError as error:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT, "the level is neither standard nor locked"
            ) from error
        self._policy_file.save(self._policy)
        self._changed(Topic.POLICY)

    # -- the meeting ----------------------------------------------------------------------------

    async def create_meeting(self, request: MeetingRequest) -> str:
        """See `Room`."""
        own = await self._own_identity()
        try:
            return await invitations.create(request, own.signer, own.chain, self._now(), self._tls())
        except MeetingError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except ConferenceError as error:
            raise RoomError(RoomErrorKind.UNREACHABLE, str(error), hint=error.hint) from error

    async def join_meeting(self, link: str) -> None:
        """See `Room`. Asked from outside: announced, refusable, muted."""
        if self._meeting_task is not None and self._meeting.state == "left":
            # The last one is still being put away: its farewell goes out, its media stops.
            await asyncio.wait({self._meeting_task}, timeout=PUT_AWAY_S)
        if self._is_busy():
            raise RoomError(
                RoomErrorKind.ALREADY_IN_MEETING, "the room is in a meeting", hint="conclavectl meeting leave"
            )
        own = await self._own_identity()
        try:
            parsed = Link.decode(link)
        except MeetingError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        try:
            tls = self._tls()
            invitation = await invitations.follow(parsed, tls)
            self._now()
            session = self._new_session(parsed, invitation, own)
        except MeetingError as error:
            raise RoomError(RoomErrorKind.REFUSED, str(error), hint=error.hint) from error
        except NotFoundError as error:
            raise RoomError(RoomErrorKind.NOT_FOUND, str(error), hint=error.hint) from error
        except ConferenceError as error:
            raise RoomError(RoomErrorKind.UNREACHABLE, str(error), hint=error.hint) from error
        if self._is_busy():
            raise RoomError(RoomErrorKind.ALREADY_IN_MEETING, "the room has just joined a meeting")
        carrier = HubClient(parsed.service, parsed.secret.address, tls)
        content = invitation.content
        announced = replace(
            IDLE, state="joining", lock="opening", title=content.title, level=content.level.value
        )
        # Muted and announced before anybody can ask: what was before this join is no longer true.
        self._hardware.camera_muted = self._hardware.microphone_muted = True
        self._set_meeting(announced)
        self._meeting_task = asyncio.create_task(self._attend(session, carrier, announced))

    async def leave_meeting(self) -> None:
        """See `Room`."""
        if not self._is_busy():
            raise RoomError(RoomErrorKind.NOT_IN_MEETING, "the room is in no meeting")
        self._leave()

    async def admit(self, request_id: str) -> None:
        """See `Room`."""
        self._ask_runner(lambda runner: runner.admit(request_id))

    async def deny(self, request_id: str) -> None:
        """See `Room`."""
        self._ask_runner(lambda runner: runner.deny(request_id))

    async def mute(self, *, camera: bool, microphone: bool) -> None:
        """See `Room`."""
        self._hardware.camera_muted |= camera
        self._hardware.microphone_muted |= microphone
        self._changed(Topic.HARDWARE)

    # -- within the room ------------------------------------------------------------------------

    def act(self, action: PanelAction) -> None:
        """A press on the panel: the people in the room may do what nobody outside may."""
        match action.kind:
            case ActionKind.LEAVE:
                self._leave()
            case ActionKind.MUTE_CAMERA | ActionKind.UNMUTE_CAMERA:
                self._hardware.camera_muted = action.kind is ActionKind.MUTE_CAMERA
            case ActionKind.MUTE_MICROPHONE | ActionKind.UNMUTE_MICROPHONE:
                self._hardware.microphone_muted = action.kind is ActionKind.MUTE_MICROPHONE
            case ActionKind.ADMIT | ActionKind.DENY if self._runner is not None:
                try:
                    if action.kind is ActionKind.ADMIT:
                        self._runner.admit(action.request_id)
                    else:
                        self._runner.deny(action.request_id)
                except MeetingError as error:
                    log.warning("the panel asked in vain: %s", error)
            case _:
                pass
        self._changed(Topic.HARDWARE)

    async def run(self) -> None:
        """Run hardware and panel until cancelled; a meeting is left in an orderly way then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hardware.run(self.panel, self._panel_wake, self.act))
                tasks.create_task(self._follow_switches())
        finally:
            await self._enrolling.close()
            if self._meeting_task is not None and not self._meeting_task.done():
                self._leave()
                await asyncio.wait({self._meeting_task}, timeout=3.0)
                self._meeting_task.cancel()
                await asyncio.gather(self._meeting_task, return_exceptions=True)

    async def _attend(self, session: Session, carrier: HubClient, announced: MeetingStatus) -> None:
        """One meeting from its announcement on the panel to its end."""
        reason = "left the meeting"
        try:
            for left in range(round(self._config.join_countdown_s), 0, -1):
                notice = f"joining in {left} s, as asked from outside the room; press Leave to refuse"
                self._set_meeting(replace(announced, notices=(notice,)))
                await asyncio.sleep(1.0)
            runner = MeetingRunner(session, carrier, self._make_media, changed=self._on_meeting)
            self._runner = runner
            ended = await runner.run()
            reason = _why(ended)
            log.info("meeting ended: %s", ended.reason)
        except Exception:  # the task's root: a room must not look as if it were still in
            log.exception("the meeting ended by a fault of this device")
            reason = "this device could not go on; join again, and see: journalctl -u conclaved"
        finally:
            self._runner = self._engine = None
            self._hardware.camera_muted = self._hardware.microphone_muted = True
            self._set_meeting(replace(IDLE, state="left", title=announced.title, left_reason=reason))

    def _make_media(
        self, on_authenticated: Callable[[int, int], None], on_unknown_epoch: Callable[[], None]
    ) -> MediaEngine:
        """Media for one group, muted from its first moment if the room is."""
        devices = self._hardware.devices
        self._engine = MediaEngine(
            MediaKeyring(SFRAME_SUITE),
            camera=devices.camera,
            microphone=devices.microphone,
            screen=devices.screen,
            speaker=devices.speaker,
            on_authenticated=on_authenticated,
            on_unknown_epoch=on_unknown_epoch,
            is_camera_muted=self._hardware.is_camera_off,
            is_microphone_muted=self._hardware.is_microphone_off,
        )
        return self._engine

    def _leave(self) -> None:
        if self._runner is not None:
            self._runner.leave()
        elif self._meeting_task is not None and not self._meeting_task.done():
            self._meeting_task.cancel()
            # A task that is cancelled before its first step runs no line of its own.
            self._set_meeting(
                replace(IDLE, state="left", title=self._meeting.title, left_reason="left the meeting")
            )

    def _ask_runner(self, ask: Callable[[MeetingRunner], None]) -> None:
        if self._runner is None:
            raise RoomError(
                RoomErrorKind.NOT_IN_MEETING,
                "the room is in no meeting",
                hint="conclavectl meeting join LINK",
            )
        try:
            ask(self._runner)
        except LocalError as error:
            is_missing = "nobody called" in str(error)
            kind = RoomErrorKind.NOT_FOUND if is_missing else RoomErrorKind.NOT_PERMITTED
            raise RoomError(kind, str(error), hint=error.hint) from error

    def _on_meeting(self) -> None:
        runner = self._runner
        if runner is None:
            return
        view, ended = runner.view(), runner.ended
        if view.state is not State.ENDED:
            self._set_meeting(meeting_status(view))
        elif ended is not None:
            # Whoever waits for "left" looks once: the reason must be there with it.
            self._hardware.camera_muted = self._hardware.microphone_muted = True
            self._set_meeting(replace(IDLE, state="left", title=view.title, left_reason=_why(ended)))

    def _set_meeting(self, status: MeetingStatus) -> None:
        if status != self._meeting:
            self._meeting = status
            self._changed(Topic.MEETING)

    def _new_session(self, link: Link, invitation: SignedInvitation, own: OwnIdentity) -> Session:
        return Session(
            invitation,
            link.secret,
            own,
            self._assess,
            self._policy,
            random=os.urandom,
            wall=lambda: int(time.time()),
            now=asyncio.get_running_loop().time(),
        )

    def _judge(self, chain: tuple[bytes, ...], signature_key: bytes) -> Verdict:
        return self._trust.assess(chain, signature_key, now=self._clock.now())

    # -- small things ---------------------------------------------------------------------------

    def _is_busy(self) -> bool:
        return self._meeting_task is not None and not self._meeting_task.done()

    async def _own_identity(self) -> OwnIdentity:
        if not self._enrolling.chain:
            raise RoomError(
                RoomErrorKind.NOT_ENROLLED,
                "this room has no certificate yet",
                hint="conclavectl identity enroll DOMAIN",
            )
        return OwnIdentity(await asyncio.to_thread(self._keys.signer), self._enrolling.chain)

    def _now(self) -> int:
        now = self._clock.now()
        if now is None:
            raise RoomError(RoomErrorKind.FAILED, self._clock.why_not(), hint="see: conclavectl status")
        return now

    def _tls(self) -> ssl.SSLContext:
        return client_context(self._config.service_ca)

    def _set_trust(self, store: TrustStore) -> None:
        self._trust_file.save(store)
        self._trust = store
        self._assess.forget()
        if self._runner is not None:
            self._runner.trust_changed()
        self._changed(Topic.TRUST)

    async def _follow_switches(self) -> None:
        """Whatever mutes, in software or hardware, reaches the media engine at once."""
        async for topics in self.changes():
            if Topic.HARDWARE in topics:
                await self._apply_switches()

    async def _apply_switches(self) -> None:
        if self._engine is not None:
            await self._engine.set_camera_muted(self._hardware.is_camera_off)
            await self._engine.set_microphone_muted(self._hardware.is_microphone_off)

    def _changed(self, topic: Topic) -> None:
        self._panel_wake.set()
        self._tell({topic, Topic.DEVICE})

    def _tell(self, topics: set[Topic]) -> None:
        for waiting, event in self._subscribers:
            waiting |= topics
            event.set()


def _why(ended: Ended) -> str:
    return f"{ended.reason}; {ended.hint}" if ended.hint else ended.reason
