"""The room as D-Bus and panel see it: snapshots of all its parts, and what may be asked of it.

Two voices ask: D-Bus (from outside the room) and the panel (from within). What from outside
would make the room listen, look or speak is announced on the panel, can be refused there, and
begins muted; only a press on the panel unmutes (DESIGN §4, HAL).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from importlib.metadata import version

from conclave_hal.indicator import Shown
from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclaved.bus.change_report import ChangeReport
from conclaved.bus.record import Recorder
from conclaved.bus.room import (
    CheckStatus,
    ConfigStatus,
    CreatedMeeting,
    DeviceStatus,
    EnrollmentRequest,
    HardwareStatus,
    IdentityStatus,
    LogQuery,
    LogView,
    MeetingRequest,
    MeetingStatus,
    PolicyChange,
    PolicyStatus,
    RoomError,
    RoomErrorKind,
    ScheduledStatus,
    Topic,
    TrustStatus,
)
from conclaved.conference.errors import ConferenceError
from conclaved.conference.hub_client import client_context
from conclaved.identity import BelievedClock, IdentityError, KeyStore, Verdict
from conclaved.meeting import LocalError, MeetingError, OwnIdentity
from conclaved.service import button_presses, controlling, invitations, system_units
from conclaved.service.about import versions
from conclaved.service.access import AccessFiles, EndedSessions
from conclaved.service.access.files import FOLDER as ACCESS_FOLDER
from conclaved.service.acme_desk import AcmeDesk
from conclaved.service.announcing import Announcing
from conclaved.service.attending import Attending, Part, link_of
from conclaved.service.audit_files import AUDIT_DIRECTORY, AuditFiles
from conclaved.service.audits import Audits
from conclaved.service.changes import press_record
from conclaved.service.clock_status import clock_status
from conclaved.service.config import Config
from conclaved.service.configuring import Configuring
from conclaved.service.crl_files import CRL_DIRECTORY, CrlFiles
from conclaved.service.disk_space import DiskSpace
from conclaved.service.doctor import Surroundings, examine
from conclaved.service.enrolling import Enrolling
from conclaved.service.factory_reset import FactoryReset
from conclaved.service.hardware import Hardware
from conclaved.service.hardware_status import hardware_problems, hardware_status
from conclaved.service.importing import Importing
from conclaved.service.journal import Journal
from conclaved.service.lamps import Lamps, shown
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.service.mutes import Hand, Outside
from conclaved.service.panel_view import Beside, panel_view
from conclaved.service.pressing import Presses
from conclaved.service.provisioning import FirstBoot, Provisioning, SerialsFile
from conclaved.service.rebooting import Rebooting
from conclaved.service.reloading import Reloading
from conclaved.service.renewing import Renewing
from conclaved.service.schedule import FOLDER as SCHEDULE_FOLDER
from conclaved.service.schedule import Schedule
from conclaved.service.self_test import SelfTest
from conclaved.service.serial_number import serial_number
from conclaved.service.settings import Settings, SettingsFile
from conclaved.service.tampering import TAMPER_FILE, Tampering
from conclaved.service.trusting import Trusting
from conclaved.service.updating import Updating
from conclaved.service.verdicts import Verdicts

log = logging.getLogger(__name__)

FAREWELL_S = 0.5
"""Between a factory reset and the end of the daemon."""


class ConclaveRoom:
    """Implements `conclaved.bus.room.Room`. One event loop owns it."""

    def __init__(
        self,
        config: Config,
        keys: KeyStore,
        settings: SettingsFile,
        clock: BelievedClock,
        hardware: Callable[[Callable[[], None], Callable[[], None]], Hardware],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        record: Recorder = lambda record: None,
    ) -> None:
        """`config` is the device maker's, over which the admin's settings have the last word.

        `hardware` makes the hardware, given whom to tell of changes and of drawn views.

        `pause` waits so many seconds: between a countdown's steps, and between tries to come back.
        """
        self._configuring = Configuring(config, settings, self._settings_changed)
        self.reloading = Reloading(config, self._configuring, lambda: self._changed(Topic.DEVICE))
        self._trusting = Trusting(
            self._configuring, CrlFiles(config.state_directory / CRL_DIRECTORY), self._trust_changed
        )
        self._access = AccessFiles(config.state_directory / ACCESS_FOLDER)
        if not self._configuring.problem:
            # Else those who could log in last still can: somebody has to mend the settings.
            self._access.write(self._configuring.config.access)
        self._ended_sessions = EndedSessions()
        self._ended_sessions.changed(self._configuring.previous.access, self._config.access)
        self._keys = keys
        self._reset = FactoryReset(config.state_directory, config.runtime_directory)
        self._serial = serial_number()
        serials = SerialsFile(config.state_directory)
        self._provisioning = Provisioning(self._configuring, clock, serials, self._serial)
        self._record = record
        self._first_boot = FirstBoot(self._provisioning, self.enroll, record, pause)
        self.was_reset = asyncio.Event()
        """Set when nothing is left of this room: the daemon has to end, and may start as a new one."""
        self.key_was_looked_at = asyncio.Event()
        """Set when it is known whether the room's key can be used, or why not."""
        self._audits = Audits(AuditFiles(config.state_directory / AUDIT_DIRECTORY))
        self._policy = self._configuring.settings.rules()
        self._clock = clock
        self._subscribers: list[tuple[set[Topic], asyncio.Event]] = []
        self._panel_wake = asyncio.Event()
        self._presses = Presses(self._panel_wake.set)
        self._hardware = hardware(self._switched, lambda: self._tell({Topic.HARDWARE}))
        devices = self._hardware.devices
        self._tampering = Tampering(
            devices.tamper, config.state_directory / TAMPER_FILE, lambda: self._changed(Topic.HARDWARE)
        )
        self._disk = DiskSpace(config.state_directory, lambda: self._changed(Topic.DEVICE))
        self._lamps = Lamps(devices.indicator)
        self._asked_in = ""
        """The language in which people are asked whether they want to join: whoever asked does not change it
        under their eyes. Empty while nobody asks."""
        self._self_test = SelfTest(
            devices, lambda: self._attending.is_busy, lambda: self._changed(Topic.HARDWARE), pause=pause
        )
        self._rebooting = Rebooting(
            partial(system_units.start, address=config.bus_address),
            lambda: self._attending.is_busy,
            lambda: self._changed(Topic.DEVICE),
            pause=pause,
        )
        self.updates = Updating(
            partial(system_units.start, address=config.bus_address),
            partial(system_units.is_active, address=config.bus_address),
            lambda: self._changed(Topic.UPDATE, Topic.DEVICE),
        )
        self._announcing = Announcing(devices.speaker, self._hush, self._presses.say)
        self._enrolling = Enrolling(
            self._configuring.config, keys, self._identity_changed, self._identity_renewed
        )
        self._renewing = Renewing(
            self._enrolling, clock, wall=time.time, changed=lambda: self._changed(Topic.IDENTITY)
        )
        self.acme = AcmeDesk(self._enrolling, lambda: self._config.identity_domain)
        self._importing = Importing(
            keys,
            config.state_directory / "requested-domain",
            configured=lambda: self._configuring.config.identity_domain,
            now=clock.now,
            install=self._enrolling.bring_in,
        )
        self._assess = Verdicts(self._judge, wall=clock.now)
        self._schedule = Schedule(
            config.state_directory / SCHEDULE_FOLDER, self._assess, clock.now, self._panel_wake.set
        )
        part = Part(self._own_identity, self._assess, lambda: self._policy, clock)
        self._attending = Attending(
            self._configuring.config,
            part,
            self._hardware,
            self._meeting_changed,
            pause=pause,
            ring=self._announcing.ring,
        )

    # -- snapshots ------------------------------------------------------------------------------

    def device(self) -> DeviceStatus:
        """See `Room`."""
        problems = self._enrolling.problems()
        if self._clock.now() is None:
            problems.append(f"{self._clock.why_not()}: nobody is shown as verified")
        problems += self._trusting.problems(self._clock.now() or 0)
        problems += [*self._enrolling.own.problems, *filter(None, [self._renewing.warning])]
        problems += filter(None, [self._access.problem, self._disk.problem, self._configuring.problem])
        problems += [*self.reloading.problems, *self._tampering.problems()]
        problems += filter(None, [self.updates.problem])
        problems += hardware_problems(self._hardware, self._attending.engine)
        return DeviceStatus(
            version("conclave"),
            "degraded" if problems else "ready",
            tuple(problems),
            serial=self._serial,
            clock=clock_status(self._clock),
        )

    def identity(self) -> IdentityStatus:
        """See `Room`."""
        return replace(
            self._enrolling.status(),
            renew_at=self._renewing.renew_at,
            renew_reason=self._renewing.reason,
        )

    def trust(self) -> TrustStatus:
        """See `Room`."""
        return self._trusting.status()

    def policy(self) -> PolicyStatus:
        """See `Room`."""
        rules = self._policy
        return PolicyStatus(rules.minimum_level.value, rules.requires_verified, rules.allows_service_ends)

    def config(self) -> ConfigStatus:
        """See `Room`."""
        return self._configuring.status()

    def has_ended(self, origin: str) -> bool:
        """See `Room`."""
        return self._ended_sessions.includes(origin)

    def meeting(self) -> MeetingStatus:
        """See `Room`."""
        return self._attending.status

    def hardware(self) -> HardwareStatus:
        """See `Room`."""
        return hardware_status(
            self._hardware, self._tampering, self._attending.runner, self._attending.engine
        )

    def panel(self, serial: int) -> PanelView:
        """What the panel shows now."""
        beside = Beside(
            room=self._enrolling.domain,
            notices=tuple(
                filter(
                    None,
                    [
                        self._rebooting.notice,
                        self._presses.not_done,
                        self._self_test.notice,
                        self._no_key,
                    ],
                )
            ),
            invitations=self._schedule.today(),
            certificate_days=self._renewing.days_left,
            language=self._asked_in or self._config.panel_language,
        )
        return panel_view(serial, beside, self.meeting(), self.hardware())

    @property
    def key_trouble(self) -> str:
        """Why the room's key cannot be used; empty if it can as far as is known."""
        return str(self._enrolling.own.error or "")

    @property
    def _no_key(self) -> str:
        """Why the room cannot meet as it should, for the people in it; empty if nothing is known."""
        settings = "this room's settings are damaged" if self._configuring.problem else ""
        disk = "this device can store nothing" if self._disk.problem else ""
        why = self.key_trouble or settings or disk
        return f"{why}: tell this room's admin" if why else ""

    async def changes(self) -> AsyncGenerator[frozenset[Topic], None]:
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
        self._enrolling.start(request, is_kept=True)
        # What it is renewed for, and what the room is asked to have again after a reset of its keys.
        self._configuring.set({"identity.domain": request.domain})

    async def renew(self, *, is_forced: bool = False) -> bool:
        """See `Room`."""
        return self._renewing.ask(is_forced=is_forced)

    async def revoke(self, reason: str = "") -> ChangeReport:
        """See `Room`."""
        return await self._enrolling.revoke(reason, is_in_use=self._attending.is_busy)

    async def request_certificate(self, domain: str, *, is_new_key: bool = False) -> str:
        """See `Room`."""
        return await self._importing.request(domain, is_new_key=is_new_key)

    async def import_chain(self, pem: str, domain: str = "", *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return await self._importing.import_chain(pem, domain, dry_run=dry_run)

    async def import_key(
        self, content: bytes, secret: bytes, domain: str = "", *, dry_run: bool = False
    ) -> ChangeReport:
        """See `Room`."""
        return await self._importing.import_key(content, secret, domain, dry_run=dry_run)

    async def add_anchor(
        self, pem: str, label: str, kind: str, domains: tuple[str, ...], *, dry_run: bool = False
    ) -> ChangeReport:
        """See `Room`."""
        return self._trusting.add_anchor(pem, label, kind, domains, dry_run=dry_run)

    async def remove_anchor(self, label: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._trusting.remove_anchor(label, dry_run=dry_run)

    async def doctor(self) -> tuple[CheckStatus, ...]:
        """See `Room`."""
        return await examine(
            Surroundings(
                config=self._config,
                clock=self._clock,
                identity=self.identity(),
                keys=self._keys,
                anchors=tuple((anchor.label, anchor.not_after) for anchor in self.trust().anchors),
                stale_crls=self._trusting.stale(self._clock.now() or 0),
                devices=self._hardware.states(),
                wall=lambda: self._clock.reading,
            )
        )

    async def logs(self, query: LogQuery) -> LogView:
        """See `Room`."""
        return await Journal(self._config.journal_directory).read(query)

    async def versions(self) -> Mapping[str, str]:
        """See `Room`."""
        return await asyncio.to_thread(versions)

    async def factory_reset(self, confirmation: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        report = await self._reset.run(
            confirmation,
            (self.identity().domain, self._config.identity_domain, self._serial),
            self._keys,
            (self._attending.close, self._enrolling.close),
            dry_run=dry_run,
        )
        if not dry_run:
            # The answer goes out first.
            asyncio.get_running_loop().call_later(FAREWELL_S, self.was_reset.set)
        return report

    async def reboot(self, *, is_forced: bool = False, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return await self._rebooting.reboot(is_forced=is_forced, dry_run=dry_run)

    async def block(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._trusting.block(what, dry_run=dry_run)

    async def unblock(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._trusting.unblock(what, dry_run=dry_run)

    async def add_crl(self, crl: bytes, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return await self._trusting.add_crl(crl, dry_run=dry_run)

    async def remove_crl(self, anchor: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._trusting.remove_crl(anchor, dry_run=dry_run)

    async def set_policy(self, change: PolicyChange, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        words: dict[str, str] = {}
        for spec in fields(change):
            value = getattr(change, spec.name)
            if value is not None:
                words[f"policy.{spec.name}"] = value if isinstance(value, str) else str(value).lower()
        return self._configuring.set(words, dry_run=dry_run)

    async def set_config(self, values: Mapping[str, str], *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._configuring.set(values, dry_run=dry_run)

    async def unset_config(self, keys: tuple[str, ...], *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._configuring.unset(keys, dry_run=dry_run)

    async def apply_config(
        self,
        document: str,
        *,
        replace: bool = False,
        dry_run: bool = False,
        generation: int | None = None,
        may_lock_out: bool = False,
    ) -> ChangeReport:
        """See `Room`."""
        return self._configuring.apply(
            document,
            replace=replace,
            dry_run=dry_run,
            generation=generation,
            may_lock_out=may_lock_out,
        )

    async def roll_back_config(self, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._configuring.roll_back(dry_run=dry_run)

    async def provision(self, file: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._provisioning.apply(file, dry_run=dry_run)

    # -- the meeting ----------------------------------------------------------------------------

    async def create_meeting(self, request: MeetingRequest) -> CreatedMeeting:
        """See `Room`."""
        if not request.service:
            request = replace(request, service=self._default_service())
        own = await self._own_identity()
        try:
            return await invitations.create(request, own.signer, own.chain, self._now(), self._tls())
        except MeetingError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        except ConferenceError as error:
            raise RoomError(RoomErrorKind.UNREACHABLE, str(error), hint=error.hint) from error
        except IdentityError as error:
            raise self._enrolling.own.refused(error) from error

    async def join_meeting(self, link: str, invitation: str = "") -> None:
        """See `Room`. Asked from outside: announced, refusable, muted."""
        await self._attending.join(link, invitation)

    async def invitations(self) -> tuple[ScheduledStatus, ...]:
        """See `Room`."""
        return self._schedule.statuses()

    async def add_invitation(self, link: str, invitation: str = "", *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        way = link_of(link)
        return self._schedule.add(way, await self._attending.look_at(way, invitation), dry_run=dry_run)

    async def remove_invitation(self, which: str, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return self._schedule.remove(which, dry_run=dry_run)

    async def leave_meeting(self) -> None:
        """See `Room`."""
        if not self._attending.is_busy:
            raise RoomError(RoomErrorKind.NOT_IN_MEETING, "the room is in no meeting")
        self._attending.leave()

    async def admit(self, request_id: str) -> None:
        """See `Room`."""
        self._ask_runner(lambda runner: runner.admit(request_id))

    async def deny(self, request_id: str) -> None:
        """See `Room`."""
        self._ask_runner(lambda runner: runner.deny(request_id))

    async def kick(self, leaf: int, key_id: str) -> None:
        """See `Room`."""
        self._require_member(leaf, key_id)
        self._ask_runner(lambda runner: runner.kick(leaf))

    async def allow_back(self, key_id: str) -> None:
        """See `Room`."""
        meeting = self.meeting()
        if meeting.is_host and key_id not in {removed.key_id for removed in meeting.removed}:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                "nobody with this id was removed from the meeting",
                hint="see: conclavectl meeting removed",
            )
        self._ask_runner(lambda runner: runner.allow_back(key_id))

    async def end_for_all(self) -> None:
        """See `Room`."""
        self._ask_runner(lambda runner: runner.end_for_all())

    async def hand_over(self, leaf: int, key_id: str) -> None:
        """See `Room`."""
        self._require_member(leaf, key_id)
        self._ask_runner(lambda runner: runner.hand_over(leaf))

    async def list_audits(self) -> tuple[str, ...]:
        """See `Room`."""
        return await self._audits.names()

    async def audit(self, which: str) -> str:
        """See `Room`."""
        return await self._audits.read(which, self._attending.recording)

    async def mute(self, *, camera: bool, microphone: bool, by: Outside = Outside.ADMIN) -> None:
        """See `Room`."""
        self._hardware.mutes.mute(by, camera=camera, microphone=microphone)
        self._switched()

    async def clear_tamper(self, *, dry_run: bool = False) -> ChangeReport:
        """See `Room`."""
        return await self._tampering.clear(dry_run=dry_run)

    async def test_hardware(self, slot: str, *, in_meeting: bool = False) -> tuple[CheckStatus, ...]:
        """See `Room`."""
        return await self._self_test.run(slot, in_meeting=in_meeting)

    # -- within the room ------------------------------------------------------------------------

    def act(self, action: PanelAction, by: Hand = Hand.PANEL) -> None:
        """A press in the room: the people there may do what nobody outside may."""
        self._record(press_record(action, by))
        match action.kind:
            case ActionKind.LEAVE | ActionKind.REFUSE_JOIN:
                self._attending.refuse()
            case ActionKind.ACCEPT_JOIN:
                self._attending.accept(action.name)
            case ActionKind.JOIN:
                self._join_by_a_press(action.invitation_id)
            case ActionKind.SPEAK_CODE:
                self._speak_code(action.code_epoch)
            case ActionKind.MUTE_CAMERA:
                self._hardware.mutes.mute(by, camera=True)
            case ActionKind.UNMUTE_CAMERA:
                self._hardware.mutes.unmute(by, camera=True)
            case ActionKind.MUTE_MICROPHONE:
                self._hardware.mutes.mute(by, microphone=True)
            case ActionKind.UNMUTE_MICROPHONE:
                self._hardware.mutes.unmute(by, microphone=True)
            case _ if self._attending.runner is not None:
                self._presses.press(action, self._attending.runner, self.meeting())
        self._switched()

    def _join_by_a_press(self, invitation_id: str) -> None:
        scheduled = self._schedule.find(invitation_id)
        if scheduled is None:
            log.info("a press came too late: the invitation has ended, or was taken away")
            return
        invitation = scheduled.invitation
        try:
            self._attending.join_from_within(scheduled.link, invitation.token, invitation.content.title)
        except RoomError as error:
            self._presses.say(f"not done: {error}")

    async def _listen_to_buttons(self) -> None:
        hardware, devices = self._hardware, self._hardware.devices
        await button_presses.listen(
            devices.buttons,
            devices.panel,
            lambda action: self.act(action, Hand.BUTTON),
            lambda: button_presses.Muted(hardware.camera_muted, hardware.microphone_muted),
            lambda: self.panel(0),
        )

    async def _listen_to_controller(self) -> None:
        asked = controlling.Asked(
            join=partial(self._attending.join, asked_by=controlling.ASKED_BY),
            leave=self.leave_meeting,
            mute_microphone=partial(self.mute, camera=False, microphone=True, by=Outside.CONTROLLER),
            mute_camera=partial(self.mute, camera=True, microphone=False, by=Outside.CONTROLLER),
        )
        await controlling.serve(self._hardware.devices, asked, self._record)

    def _for_controller(self) -> dict[str, str]:
        return controlling.room_status(self.meeting(), self.hardware())

    def _speak_code(self, code_epoch: int) -> None:
        """Read the code aloud, if it is still the one that people see."""
        meeting = self.meeting()
        if meeting.lock == "locked" and meeting.security_code and meeting.code_epoch == code_epoch:
            self._announcing.say_code(meeting.security_code, self._config.panel_language)

    def _hush(self, is_hushed: bool) -> None:
        self._attending.hush(is_hushed)
        self._switched()

    def _meeting_changed(self) -> None:
        meeting = self.meeting()
        if self._attending.is_busy:
            self._self_test.meeting_began()
        if not meeting.joining_in_s:
            self._asked_in = ""
        elif not self._asked_in:
            self._asked_in = self._config.panel_language
        self._announcing.code_is(meeting.security_code if meeting.lock == "locked" else "")
        self._changed(Topic.MEETING, Topic.HARDWARE)

    async def run(self) -> None:
        """Run hardware and panel until cancelled; a meeting is left in an orderly way then.

        A meeting that the daemon was in when it ended unasked is come back to.
        """
        await self._enrolling.own.check()
        self.key_was_looked_at.set()
        # No meeting of this process needs an earlier key: one is come back to with the present one.
        await self._enrolling.forget_old_keys()
        self._attending.come_back()
        devices = self._hardware.devices
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hardware.run(self.panel, self._panel_wake, self.act))
                tasks.create_task(self._listen_to_buttons())
                tasks.create_task(self._listen_to_controller())
                tasks.create_task(controlling.report(devices, self.changes(), self._for_controller))
                tasks.create_task(self._follow_switches())
                tasks.create_task(self._schedule.run())
                tasks.create_task(self._tampering.run())
                tasks.create_task(self._disk.run())
                tasks.create_task(self.updates.run())
                tasks.create_task(self._light_lamps())
                tasks.create_task(self._trusting.fetching.run())
                tasks.create_task(self._renewing.run())
                tasks.create_task(self._first_boot.run())
        finally:
            await self._enrolling.close()
            await self._attending.close()
            await self._announcing.close()

    async def give_sign_of_life(self) -> None:
        """Return when the panel's loop has had a turn, and the meeting's, where there is one."""
        self._panel_wake.set()
        await self._hardware.drawing.next()
        if self._attending.runner is not None:
            await self._attending.runner.give_sign_of_life()

    def _ask_runner(self, ask: Callable[[MeetingRunner], None]) -> None:
        runner = self._attending.runner
        if runner is None:
            raise RoomError(
                RoomErrorKind.NOT_IN_MEETING,
                "the room is in no meeting",
                hint="conclavectl meeting join LINK",
            )
        try:
            ask(runner)
        except LocalError as error:
            is_missing = "nobody called" in str(error)
            kind = RoomErrorKind.NOT_FOUND if is_missing else RoomErrorKind.NOT_PERMITTED
            raise RoomError(kind, str(error), hint=error.hint) from error

    def _require_member(self, leaf: int, key_id: str) -> None:
        """A host that means nobody who is in gets a clear answer; who is no host hears so first.

        Between look and word a leaf may have gone to another: then its key is not the one that was meant.
        """
        status = self.meeting()
        if status.is_host and (leaf, key_id) not in {(p.leaf, p.key_id) for p in status.participants}:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                f"nobody in the meeting has the number {leaf} and the key {key_id}",
                hint="look again who is in: conclavectl meeting roster",
            )

    def _judge(self, chain: tuple[bytes, ...], signature_key: bytes) -> Verdict:
        return self._trusting.store.assess(chain, signature_key, now=self._clock.now())

    # -- small things ---------------------------------------------------------------------------

    async def _own_identity(self) -> OwnIdentity:
        return await self._enrolling.own.identity()

    def _identity_changed(self) -> None:
        """What is known or tried is another: an attempt that failed may wait for the next."""
        self._renewing.look_again()
        self._changed(Topic.IDENTITY)

    async def _identity_renewed(self) -> None:
        """A new certificate is in force: the meeting goes on with it."""
        self._renewing.look_again()
        self._attending.identity_changed(await self._own_identity())
        if not self._attending.needs_earlier_keys:
            # Nobody has to see the new key by the old one's word.
            await self._enrolling.forget_old_keys()

    def _now(self) -> int:
        now = self._clock.now()
        if now is None:
            raise RoomError(RoomErrorKind.FAILED, self._clock.why_not(), hint="see: conclavectl status")
        return now

    def _tls(self) -> ssl.SSLContext:
        return client_context(self._config.service_ca)

    def _default_service(self) -> str:
        if not self._config.conference_service:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "no conference service is named, and none is configured on this room",
                hint="name one with --conference, or: conclavectl config set conference.service wss://HOST",
            )
        return self._config.conference_service

    @property
    def _config(self) -> Config:
        return self._configuring.config

    def _settings_changed(self, before: Settings, after: Settings) -> None:
        """Other settings are stored: whatever follows them does so from here on."""
        topics = {Topic.CONFIG}
        self._enrolling.configure(self._config)
        self._renewing.look_again()
        self._attending.configure(self._config)
        self._access.write(self._config.access)
        self._ended_sessions.changed(self._configuring.previous.access, self._config.access)
        runner = self._attending.runner
        if self._trusting.settings_changed(before, after):
            self._trust_changed()
        if after.rules() != before.rules():
            topics.add(Topic.POLICY)
            self._policy = after.rules()
            if runner is not None:
                runner.rules_changed(self._policy)
        self._changed(*topics)

    def _trust_changed(self) -> None:
        """Whom the room believes is another matter now: everybody is judged anew."""
        self._assess.forget()
        if self._attending.runner is not None:
            self._attending.runner.trust_changed()
        self._changed(Topic.TRUST)

    def _switched(self) -> None:
        """A mute or a switch may be another: the gates stand before anybody hears of it."""
        self._hardware.note_switches()
        self._attending.gate()
        self._changed(Topic.HARDWARE)

    async def _follow_switches(self) -> None:
        """Whatever mutes, in software or hardware, reaches camera and microphone."""
        async for topics in self.changes():
            if Topic.HARDWARE in topics:
                await self._attending.apply_gates()

    async def _light_lamps(self) -> None:
        def wanted() -> Shown:
            return self._self_test.lamps(shown(self.meeting(), self.hardware()))

        await self._lamps.follow(wanted, self.changes())

    def _changed(self, *topics: Topic) -> None:
        self._panel_wake.set()
        self._tell({*topics, Topic.DEVICE})

    def _tell(self, topics: set[Topic]) -> None:
        for waiting, event in self._subscribers:
            waiting |= topics
            event.set()
