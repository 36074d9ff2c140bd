"""At most one meeting of the room: from a link to its end, and back after a restart.

    idle, left --- somebody outside asks to join -------> counting down, on the panel ---> running
    idle, left --- people press Join on the panel -----------------------------------------> running
    idle       --- the daemon ended in mid-meeting ------> coming back, on the panel ----> running
    counting down, coming back, running --- Leave, a refusal, an end --------------------> left

A join from outside is counted down where people can see it: a second counts only while the panel has really
drawn it, or where no panel is fitted at all (such a room chimes, if it can, and all the same sends nothing
before somebody in it unmutes). People can refuse it, and have their `peace` then, or join at once. What they
join by a press of their own needs no countdown. Who comes back was let in before, by people who had
seen it: it waits for nobody but the service. All begin muted.
"""

import asyncio
import logging
import math
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import SystemRandom

from conclave_hal.none import NoPanel
from conclave_hal.panel import PanelIncoming
from conclaved.bus.room import MeetingStatus, RoomError, RoomErrorKind
from conclaved.conference.errors import ConferenceError, NotFoundError
from conclaved.conference.hub_client import HubClient, client_context
from conclaved.identity import BelievedClock
from conclaved.media import MediaEngine
from conclaved.meeting import (
    Admission,
    Link,
    MeetingError,
    OwnIdentity,
    OwnRules,
    PolicyError,
    Record,
    Session,
    SignedInvitation,
    State,
)
from conclaved.meeting.events import Ended
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.membership import SFRAME_SUITE
from conclaved.meeting.roster import Assess
from conclaved.service import invitations
from conclaved.service.audit_files import AUDIT_DIRECTORY, AuditFiles, audit_name
from conclaved.service.config import Config
from conclaved.service.hardware import Hardware
from conclaved.service.meeting_runner import FAULT, MeetingRunner
from conclaved.service.meeting_status import meeting_status
from conclaved.service.mutes import Outside
from conclaved.service.panel_view import LEFT, REFUSED_HERE
from conclaved.service.peace import Peace
from conclaved.service.recording import Recording
from conclaved.service.resume_file import ResumeFile, Resumption
from conclaved.service.terms_files import TermsFiles
from conclaved.sframe import MediaKeyring

log = logging.getLogger(__name__)

IDLE = MeetingStatus(state="idle")
OUTSIDE = "an admin"
"""Who asks over D-Bus."""
COMING_BACK = "coming back to the meeting after a restart; press Leave to stay out"
PUT_AWAY_S = 6.0
"""How long a meeting that was left may take to say so; longer than a session waits for its removal."""
LOOK_AGAIN_S = 0.25
"""Between two looks at a panel that has not drawn a countdown yet."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
WORTH_A_RETRY = frozenset({RoomErrorKind.UNREACHABLE, RoomErrorKind.FAILED})
"""The service is out of reach, or there is no believable clock yet."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the room brings along: who it is, whom it trusts, what it demands, and what time it is."""

    identity: Callable[[], Awaitable[OwnIdentity]]
    """Raises RoomError(NOT_ENROLLED)."""
    assess: Assess
    rules: Callable[[], OwnRules]
    clock: BelievedClock


@dataclass(frozen=True, slots=True)
class _Entry:
    """A meeting that can be entered."""

    link: Link = field(repr=False)
    token: str = field(repr=False)
    """The signed invitation."""
    identity: OwnIdentity
    """Under which the session was made."""
    session: Session
    carrier: HubClient
    title: str
    level: str
    not_after: int


_WHERE = {
    "joining": "is joining a meeting already",
    "lobby": "waits in the lobby of a meeting already",
    "left": "is still leaving a meeting",
}
"""What it does where it is not in one."""


class Attending:
    """See the file's head. One event loop owns it."""

    def __init__(
        self,
        config: Config,
        part: Part,
        hardware: Hardware,
        changed: Callable[[], None],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ring: Callable[[], None] = lambda: None,
        peace: Peace | None = None,
    ) -> None:
        """`changed` is called when `status` is new; `pause` waits so many seconds; `ring` chimes.

        `peace` is what people have after a refusal; 60 seconds if not given.
        """
        self._config = config
        self._part = part
        self._hardware = hardware
        self._changed = changed
        self._pause = pause
        self._ring = ring
        self._peace = peace or Peace()
        self._accepted = asyncio.Event()
        self._parting = LEFT
        """Why the present meeting ends, if nothing happens but that people want it."""
        self._is_hushed = False
        self._file = ResumeFile(config.runtime_directory / "meeting.json")
        self._audits = AuditFiles(config.state_directory / AUDIT_DIRECTORY)
        self._terms = TermsFiles(config.state_directory / "terms")
        self._remembered: Resumption | None = None
        self._kept: MeetingContext | None = None
        self._random = SystemRandom()
        self._task: asyncio.Task[None] | None = None
        self._following = 0
        """How many links are being followed by a key that was taken before."""
        self.status = IDLE
        self.runner: MeetingRunner | None = None
        self.engine: MediaEngine | None = None
        self.recording: Recording[Record] | None = None
        """The record of the present meeting."""

    # -- what is asked for ----------------------------------------------------------------------

    async def join(self, link_text: str, token: str = "", *, asked_by: str = OUTSIDE) -> None:
        """Join, as asked from outside the room: announced, refusable, muted. Raises RoomError.

        `token` is the signed invitation, where it is at hand; `asked_by` is what the panel says of who asks.
        """
        if self._task is not None and self.status.state == "left":
            # The last one is still being put away: its farewell goes out, its media stops.
            await asyncio.wait({self._task}, timeout=PUT_AWAY_S)
        if self.is_busy:
            raise RoomError(
                RoomErrorKind.ALREADY_IN_MEETING,
                f"the room {_WHERE.get(self.status.state, 'is in a meeting')}",
                hint="conclavectl meeting leave",
            )
        self._peace.check()
        identity = await self._part.identity()
        link = link_of(link_text)
        self._following += 1
        try:
            entry = await self._follow(link, identity, token)
        finally:
            self._following -= 1
        if self.is_busy:
            raise RoomError(RoomErrorKind.ALREADY_IN_MEETING, "the room has just joined a meeting")
        # People may have refused another one meanwhile.
        self._peace.check()
        announced = replace(IDLE, state="joining", lock="opening", title=entry.title, level=entry.level)
        counted = replace(announced, asked_by=asked_by)
        self._begin(announced, partial(self._wait_for_consent, counted, entry))

    async def look_at(self, link: Link, token: str) -> SignedInvitation:
        """The invitation that a link names, if this room would follow it now. Raises RoomError.

        With the signed invitation in `token` the service is not asked.
        """
        try:
            invitation = (
                invitations.check(link, token) if token else await invitations.follow(link, self._tls())
            )
            self._part.rules().check_invitation(invitation, self._part.assess)
        except MeetingError as error:
            raise RoomError(RoomErrorKind.REFUSED, str(error), hint=error.hint) from error
        except NotFoundError as error:
            raise RoomError(RoomErrorKind.NOT_FOUND, str(error), hint=error.hint) from error
        except ConferenceError as error:
            raise RoomError(RoomErrorKind.UNREACHABLE, str(error), hint=error.hint) from error
        return invitation

    def join_from_within(self, link: Link, token: str, title: str) -> None:
        """Join as people in the room want it: at once, and muted. Raises RoomError(ALREADY_IN_MEETING)."""
        if self.is_busy:
            raise RoomError(
                RoomErrorKind.ALREADY_IN_MEETING,
                f"the room {_WHERE.get(self.status.state, 'is in a meeting')}",
                hint="leave it first",
            )
        announced = replace(IDLE, state="joining", lock="opening", title=title)
        self._begin(announced, partial(self._enter, link, token))

    def accept(self, title: str = "") -> None:
        """People do not wait for the end of the countdown to the meeting that they saw as `title`."""
        if self.status.joining_in_s and title in ("", self.status.title):
            self._accepted.set()

    def configure(self, config: Config) -> None:
        """The settings are others: the next meeting is under them."""
        self._config = config

    def come_back(self) -> None:
        """Come back to the meeting that the daemon was in when it ended unasked, if there is one."""
        resumption = self._file.load()
        if resumption is not None:
            log.info("coming back to a meeting after a restart")
            announced = replace(
                IDLE, state="joining", lock="opening", title=resumption.title, notices=(COMING_BACK,)
            )
            self._begin(announced, partial(self._find_again, announced, resumption))
            self._remembered = resumption

    def leave(self) -> None:
        """Leave, or do not join after all."""
        # Who has left does not come back, however the daemon ends from here on.
        self._file.remove()
        self._parting = LEFT
        self._go()

    def refuse(self) -> None:
        """People in the room leave, or do not want to join: who asked for that hears so."""
        self._file.remove()
        self._parting = LEFT
        if self.status.asked_by:
            self._parting = REFUSED_HERE
            self._peace.begin()
        self._go()

    def _go(self) -> None:
        if self.runner is not None:
            self.runner.leave()
        elif self._task is not None and not self._task.done():
            self._task.cancel()
            # A task that is cancelled before its first step runs no line of its own.
            self._show(replace(IDLE, state="left", title=self.status.title, left_reason=self._parting))

    async def close(self) -> None:
        """Leave in order; an end that takes too long is cut short."""
        if self._task is not None and not self._task.done():
            self.leave()
            await asyncio.wait({self._task}, timeout=PUT_AWAY_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def identity_changed(self, identity: OwnIdentity) -> None:
        """The device has another certificate, perhaps for another key: a meeting goes on with it."""
        if self.runner is not None:
            self.runner.identity_changed(identity)

    @property
    def is_busy(self) -> bool:
        """Whether there is a meeting, or one is being joined or put away."""
        return self._task is not None and not self._task.done()

    @property
    def needs_earlier_keys(self) -> bool:
        """Whether a meeting may still speak by a key that was the device's before."""
        return self.is_busy or self._following > 0

    # -- what leaves the room -------------------------------------------------------------------

    def gate(self) -> None:
        """Mute or unmute as the room is now: of what is muted nothing leaves from this very call on.

        The others in the meeting are told.
        """
        if self.engine is not None:
            self.engine.gate(
                is_camera_muted=self._hardware.is_camera_off,
                is_microphone_muted=self._hardware.is_microphone_off or self._is_hushed,
            )
        if self.runner is not None:
            self.runner.media_is(self._hardware.media_state())

    def hush(self, is_hushed: bool) -> None:
        """Keep the microphone from sending, whatever else holds, while the room itself speaks."""
        self._is_hushed = is_hushed
        self.gate()

    async def apply_gates(self) -> None:
        """Let camera and microphone follow."""
        if self.engine is not None:
            await self.engine.apply_gates()

    def _mute(self) -> None:
        self._hardware.mutes.mute(Outside.MEETING, camera=True, microphone=True)
        self.gate()

    def _make_media(
        self, on_authenticated: Callable[[int, int], None], on_unknown_epoch: Callable[[], None]
    ) -> MediaEngine:
        """Media for one group, muted from its first moment if the room is."""
        devices = self._hardware.devices
        self.engine = MediaEngine(
            MediaKeyring(SFRAME_SUITE),
            camera=devices.video,
            microphone=devices.audio,
            screen=devices.screen,
            speaker=devices.speaker,
            on_authenticated=on_authenticated,
            on_unknown_epoch=on_unknown_epoch,
            on_live=self._changed,
            is_camera_muted=self._hardware.is_camera_off,
            is_microphone_muted=self._hardware.is_microphone_off or self._is_hushed,
        )
        return self.engine

    # -- one meeting ----------------------------------------------------------------------------

    def _begin(self, announced: MeetingStatus, enter: Callable[[], Awaitable[_Entry]]) -> None:
        # Muted and announced before anybody can ask: what was before this meeting is no longer true.
        self._mute()
        self._remembered = None
        self._parting = LEFT
        self._accepted.clear()
        self._show(announced)
        self._task = asyncio.create_task(self._attend(enter))

    async def _attend(self, enter: Callable[[], Awaitable[_Entry]]) -> None:
        """One meeting from its announcement on the panel to its end."""
        reason = refused = ""
        try:
            entry = await enter()
            identity = await self._part.identity()
            self.runner = MeetingRunner(
                entry.session, entry.carrier, self._make_media, changed=partial(self._on_meeting, entry)
            )
            # Both may have changed while the panel counted down, or the way back was sought.
            self.runner.rules_changed(self._part.rules())
            self.runner.media_is(self._hardware.media_state())
            if identity.chain != entry.identity.chain:
                self.runner.identity_changed(identity)
            ended = await self._run(entry, self.runner)
            reason = _why(ended)
            refused = reason if ended.is_own_rule else ""
            log.info("meeting ended: %s", ended.reason)
        except RoomError as error:
            reason = f"{error}; {error.hint}" if error.hint else str(error)
            refused = reason if isinstance(error.__cause__, PolicyError) else ""
            log.warning("the room did not get into its meeting: %s", error)
        except Exception:  # the task's root: a room must not look as if it were still in
            log.exception("the meeting ended by a fault of this device")
            reason = _why(FAULT)
        finally:
            self._file.remove()
            self.runner = self.engine = self.recording = None
            self._mute()
            left = replace(IDLE, state="left", title=self.status.title, left_reason=reason or self._parting)
            self._show(replace(left, refused=refused))

    async def _run(self, entry: _Entry, runner: MeetingRunner) -> Ended:
        """Run the meeting, and keep its record on disk."""
        name = audit_name(self._wall(), entry.session.record.meeting_id)
        self.recording = recording = Recording[Record](self._audits, name, self._sign)
        keeping = asyncio.create_task(recording.run())
        try:
            return await runner.run()
        finally:
            keeping.cancel()
            recording.note(runner.record)
            await asyncio.gather(keeping, return_exceptions=True)
            await recording.write()

    async def _sign(self, record: Record) -> str:
        identity = await self._part.identity()
        return await asyncio.to_thread(record.sign, identity.signer, identity.chain)

    async def _follow(
        self,
        link: Link,
        identity: OwnIdentity,
        token: str,
        admission: Admission | None = None,
        terms: MeetingContext | None = None,
    ) -> _Entry:
        """From a link to a meeting that can be entered. Raises RoomError."""
        try:
            tls = self._tls()
            take = invitations.take(link, token, tls) if token else invitations.follow(link, tls)
            invitation = await take
            if self._part.clock.now() is None:
                raise RoomError(
                    RoomErrorKind.FAILED, self._part.clock.why_not(), hint="see: conclavectl status"
                )
            self._terms.remove_ended(self._wall())
            session = Session(
                invitation,
                link.secret,
                identity,
                self._part.assess,
                self._part.rules(),
                random=os.urandom,
                wall=self._wall,
                now=asyncio.get_running_loop().time(),
                admission=admission,
                terms=terms or self._terms.load(invitation),
                limits=self._config.meeting_limits,
            )
        except MeetingError as error:
            raise RoomError(RoomErrorKind.REFUSED, str(error), hint=error.hint) from error
        except NotFoundError as error:
            raise RoomError(RoomErrorKind.NOT_FOUND, str(error), hint=error.hint) from error
        except ConferenceError as error:
            raise RoomError(RoomErrorKind.UNREACHABLE, str(error), hint=error.hint) from error
        content = invitation.content
        carrier = HubClient(link.service, link.secret.address, tls, limits=self._config.carrier_limits)
        return _Entry(
            link=link,
            token=invitation.token,
            identity=identity,
            session=session,
            carrier=carrier,
            title=content.title,
            level=content.level.value,
            not_after=content.not_after,
        )

    def _wall(self) -> int:
        """The believed time; where belief is lost in mid-meeting, the system's: a meeting needs some end."""
        now = self._part.clock.now()
        return int(time.time()) if now is None else now

    # -- on the way in --------------------------------------------------------------------------

    async def _enter(self, link: Link, token: str) -> _Entry:
        return await self._follow(link, await self._part.identity(), token)

    async def _wait_for_consent(self, announced: MeetingStatus, entry: _Entry) -> _Entry:
        """Until nobody has refused for the whole countdown, or somebody has accepted."""
        counting = asyncio.create_task(self._count_down(announced))
        accepted = asyncio.create_task(self._accepted.wait())
        try:
            await asyncio.wait({counting, accepted}, return_when=asyncio.FIRST_COMPLETED)
            if counting.done():
                counting.result()
        finally:
            counting.cancel()
            accepted.cancel()
            await asyncio.gather(counting, accepted, return_exceptions=True)
        self._show(replace(announced, asked_by=""))
        return entry

    async def _count_down(self, announced: MeetingStatus) -> None:
        has_rung = False
        for left in range(math.ceil(self._config.join_countdown_s), 0, -1):
            self._show(replace(announced, joining_in_s=left))
            told = PanelIncoming(announced.title, announced.asked_by, left)
            is_seen = False
            while not is_seen:
                while not self._is_on_the_glass(told):
                    await self._pause(LOOK_AGAIN_S)
                if not has_rung:
                    has_rung = True
                    self._ring()
                await self._pause(1.0)
                is_seen = self._is_on_the_glass(told)

    def _is_on_the_glass(self, told: PanelIncoming) -> bool:
        """Whether people can read this meeting's seconds now, or never could read anything here."""
        panel = self._hardware.devices.panel
        drawn = panel.drawn()
        return isinstance(panel, NoPanel) or (drawn is not None and drawn.incoming == told)

    async def _find_again(self, announced: MeetingStatus, resumption: Resumption) -> _Entry:
        """Follow the link again, for as long as the service is out of reach and the meeting may last."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self._follow(
                    resumption.link,
                    await self._part.identity(),
                    resumption.token,
                    resumption.admission,
                    resumption.terms,
                )
            except RoomError as error:
                now = self._part.clock.now()
                if error.kind not in WORTH_A_RETRY or (now is not None and now >= resumption.not_after):
                    raise
                self._show(replace(announced, notices=(COMING_BACK, str(error))))
            await self._pause(pause_s * self._random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    # -- while it runs --------------------------------------------------------------------------

    def _on_meeting(self, entry: _Entry) -> None:
        runner = self.runner
        if runner is None:
            return
        view, ended = runner.view(), runner.ended
        if self.recording is not None:
            self.recording.note(runner.record)
        if view.state is not State.ENDED:
            if view.state is State.IN_GROUP and not view.is_leaving:
                self._remember(entry, runner.admission, runner.kept_terms)
                if view.is_host:
                    self._keep(runner.kept_terms)
            self._show(meeting_status(view))
        elif ended is not None:
            # Whoever waits for "left" looks once: the reason must be there with it.
            self._file.remove()
            self._mute()
            reason = _why(ended)
            left = replace(IDLE, state="left", title=view.title, left_reason=reason)
            self._show(replace(left, refused=reason if ended.is_own_rule else ""))

    def _remember(self, entry: _Entry, admission: Admission | None, terms: MeetingContext | None) -> None:
        """From now on a daemon that ends unasked comes back."""
        if admission is None:
            return
        resumption = Resumption(entry.link, entry.token, admission, entry.title, entry.not_after, terms)
        if resumption == self._remembered:
            return
        self._remembered = resumption
        try:
            self._file.save(self._remembered)
        except OSError as error:
            log.warning("after a restart the room will not come back by itself: %s", error.strerror)

    def _keep(self, terms: MeetingContext | None) -> None:
        """For the next use of the same link."""
        if terms is None or terms == self._kept:
            return
        self._kept = terms
        try:
            self._terms.save(terms)
        except OSError as error:
            log.warning("the next use of this link will not know who was thrown out: %s", error.strerror)

    def _show(self, status: MeetingStatus) -> None:
        if status != self.status:
            self.status = status
            self._changed()

    def _tls(self) -> ssl.SSLContext:
        return client_context(self._config.service_ca)


def link_of(text: str) -> Link:
    """Read a link. Raises RoomError(INVALID_ARGUMENT)."""
    try:
        return Link.decode(text)
    except MeetingError as error:
        raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error


def _why(ended: Ended) -> str:
    return f"{ended.reason}; {ended.hint}" if ended.hint else ended.reason
