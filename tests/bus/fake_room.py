"""A room without hardware, network or keys: settable snapshots, and verbs that are only written down."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from conclaved.bus.acme_verbs import AccountStatus, RecordStatus, RehearsalStatus
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import (
    AnchorStatus,
    CheckStatus,
    ClockStatus,
    ConfigStatus,
    CreatedMeeting,
    CrlStatus,
    DeviceStatus,
    EnrollmentRequest,
    HardwareStatus,
    IdentityStatus,
    LogEntry,
    LogQuery,
    LogView,
    MeetingRequest,
    MeetingStatus,
    ParticipantStatus,
    PolicyChange,
    PolicyStatus,
    RemovedStatus,
    RequestStatus,
    ScheduledStatus,
    SettingStatus,
    SlotStatus,
    StreamStatus,
    Topic,
    TrustStatus,
)
from conclaved.bus.update_verbs import UpdateStatus
from conclaved.identity import SoftwareSigner
from conclaved.meeting import Invitation, Level, Link, LinkSecret
from tests.pki import TestAuthority

NOT_BEFORE = 1_700_000_000
NOT_AFTER = 4_000_000_000

HOST = SoftwareSigner.generate()
HOST_CA = TestAuthority("Example CA", not_before=NOT_BEFORE)
HOST_CHAIN = HOST_CA.issue(HOST.public_key, dns=["room.example.com"])
SECRET = LinkSecret(bytes(range(32)))
LINK = Link("hub.example.com", 8443, bytes(32), SECRET).encode()
CONTENT = Invitation(
    meeting_id=bytes(range(16)),
    serial=1,
    title="Weekly",
    service="wss://hub.example.com:8443",
    level=Level.STANDARD,
    invited=("@example.com",),
    service_ends=(),
    is_open=False,
    link_public_key=SECRET.link_key().public_key,
    not_before=NOT_BEFORE,
    not_after=NOT_AFTER,
)
INVITATION = CONTENT.sign(HOST, HOST_CHAIN)
AUDIT = "audit-header.payload.signature"
AUDITS = ("20310501T090000Z-4711aaaa", "20310430T090000Z-4711bbbb")
CODE = "01234 56789 01234 56789 01234 56789"

ENROLLED = IdentityStatus(
    state="enrolled",
    domain="room.example.com",
    not_before=NOT_BEFORE,
    not_after=NOT_AFTER,
    issuer="Example CA",
    fingerprint="ab" * 32,
    key_protection="sealed",
    certificates=(b"\x30\x03leaf", b"\x30\x03root"),
)
ALICE = ParticipantStatus(
    leaf=0,
    name="room.example.com",
    assurance="verified",
    role="host",
    is_self=True,
    is_heard=True,
    reason="",
    issuer="Example CA",
    admitted_by="",
    is_expected=True,
    microphone="live",
    camera="live",
)
GUEST = ParticipantStatus(
    leaf=1,
    name="guest.provider.example",
    assurance="provider",
    role="guest",
    is_self=False,
    is_heard=True,
    reason="the provider's own CA vouches for it",
    issuer="Provider CA",
    admitted_by="room.example.com",
    key_id="8899aabbccddeeff",
    microphone="muted",
    camera="closed",
)
SCHEDULED = ScheduledStatus(
    "0011aabb2233ccdd",
    "Weekly",
    "room.example.com",
    "verified",
    "standard",
    "wss://hub.example.com:8443",
    NOT_BEFORE,
    NOT_AFTER,
)
REMOVED = RemovedStatus("00112233445566aa", "rude.example.com")
WAITING = RequestStatus("r-1", "late.example.com", "verified", "")
IN_MEETING = MeetingStatus(
    state="in_meeting",
    lock="locked",
    meeting_id="4711",
    title="Weekly",
    level="standard",
    service="wss://hub.example.com:8443",
    epoch=7,
    code_epoch=6,
    code_reason="guest.provider.example (guest) joined",
    code_time=NOT_BEFORE,
    security_code=CODE,
    suite="MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    is_host=True,
    participants=(ALICE, GUEST),
    lobby=(WAITING,),
    missing=("boss.example.com",),
    removed=(REMOVED,),
)
STREAM = StreamStatus(
    leaf=1,
    name="guest.provider.example",
    kind="video",
    is_self=False,
    frames_sent=0,
    frames_decrypted=89,
    frames_undecodable=1,
    frames_decoded=88,
    detail={"counter": 1234, "room": "guest", "level_db": -12.5, "moving": True},
)
HARDWARE = HardwareStatus(
    camera_muted=False,
    microphone_muted=True,
    shutter="passing",
    mute_switch="passing",
    panel_serial=12,
    panel_epoch=7,
    devices=(
        SlotStatus("camera", "ready", driver="simulated", details={"width": 640, "is_capturing": True}),
        SlotStatus("camera_control", "ready", "", "visca", {"model": "EVI-H100S", "pan": 12}),
        SlotStatus("tamper", "ready", "not fitted", "none"),
        SlotStatus("panel", "ready", "", "simulated"),
    ),
    frames_refused=4,
    streams=(STREAM,),
    microphone_off=True,
    camera_live=True,
    microphone_changed_at=NOT_BEFORE,
    microphone_changed_by="the panel",
    tamper="intact",
)
ANCHOR = AnchorStatus("office", "verified", ("example.com",), "cd" * 32, NOT_AFTER)
CRL = CrlStatus("office", "CN=Office CA", "cd" * 32, "7", NOT_BEFORE, NOT_AFTER, 2)
TRUST = TrustStatus((ANCHOR,), ("ab" * 32,), ("bad.example.com",), (CRL,))

CHECKS = (
    CheckStatus("clock", "ok", "the clock is believed"),
    CheckStatus("acme", "failed", "the CA cannot be reached", "conclavectl config get acme"),
    CheckStatus("dns", "unknown", "no domain is set yet", ""),
)
LOGS = (
    LogEntry(NOT_BEFORE + 0.5, "conclaved.service", 6, "enrolled room.example.com"),
    LogEntry(NOT_BEFORE + 1.5, "conclaved.service", 3, "a name: \x1b[2J"),
)
CLOCK = ClockStatus(time=NOT_BEFORE, is_believed=True, is_synchronised=True, floor=NOT_BEFORE - 60)
CHANGE = Change("join_countdown_s", "10.0", "20.0", "at once")
REPORT = ChangeReport(True, (CHANGE,))
UNCHANGED = ChangeReport(False)
SERVICE = SettingStatus(
    key="conference.service",
    kind="a text",
    value='"wss://hub.example.com"',
    default='""',
    source="admin",
    effect="at once",
    allowed="an address of the form wss://HOST[:PORT]",
    choices=(),
    meaning="Where meetings are held.",
    is_secret=False,
)
COUNTDOWN = SettingStatus(
    key="join_countdown_s",
    kind="a number",
    value="10.0",
    default="10.0",
    source="default",
    effect="at once",
    allowed="a number from 1 to 300",
    choices=(),
    meaning="Seconds.",
    is_secret=False,
)
MAC_KEY = SettingStatus(
    key="acme.mac_key",
    kind="a text",
    value='"(set)"',
    default='""',
    source="admin",
    effect="at the next enrollment",
    allowed="a text",
    choices=(),
    meaning="A secret.",
    is_secret=True,
)
LEVEL = SettingStatus(
    key="policy.minimum_level",
    kind="a text",
    value='"standard"',
    default='"standard"',
    source="device",
    effect="at once",
    allowed="one of: standard, locked",
    choices=("standard", "locked"),
    meaning="Meetings below are refused.",
    is_secret=False,
)
DOCUMENT = '[conference]\nservice = "wss://hub.example.com"\n'
CONFIG = ConfigStatus(3, True, DOCUMENT, (COUNTDOWN, MAC_KEY, SERVICE, LEVEL))

UPDATE = UpdateStatus(version="0.1.0+abc", slot="A", is_confirmed=True)

FIELDS = {
    Topic.DEVICE: "device_status",
    Topic.IDENTITY: "identity_status",
    Topic.TRUST: "trust_status",
    Topic.POLICY: "policy_status",
    Topic.MEETING: "meeting_status",
    Topic.HARDWARE: "hardware_status",
    Topic.CONFIG: "config_status",
    Topic.UPDATE: "update_status",
}


class FakeRoom:
    """Implements `Room`. `error`, when set, is what every verb raises."""

    def __init__(self) -> None:
        self.device_status = DeviceStatus("0.1.0", "ready", serial="C0FFEE-1", clock=CLOCK)
        self.identity_status = IdentityStatus("none")
        self.trust_status = TRUST
        self.policy_status = PolicyStatus("standard")
        self.meeting_status = MeetingStatus("idle")
        self.hardware_status = HARDWARE
        self.config_status = CONFIG
        self.update_status = UPDATE
        self.bundle = b""
        self.report = REPORT
        self.checks = CHECKS
        self.tested: dict[str, CheckStatus] = {}
        self.ended: set[str] = set()
        self.log: tuple[LogEntry, ...] = LOGS
        self.done: list[tuple[Any, ...]] = []
        self.rehearsal = RehearsalStatus(True, ("ordering", "done"))
        self.audit_token = AUDIT
        self.error: Exception | None = None
        # What single verbs raise.
        self.refused: dict[str, Exception] = {}
        # What a verb changes, by its name: a script for waiting commands.
        self.then: dict[str, list[tuple[Topic, Any]]] = {}
        self._listeners: list[tuple[set[Topic], asyncio.Event]] = []

    def device(self) -> DeviceStatus:
        return self.device_status

    def identity(self) -> IdentityStatus:
        return self.identity_status

    def trust(self) -> TrustStatus:
        return self.trust_status

    def policy(self) -> PolicyStatus:
        return self.policy_status

    def meeting(self) -> MeetingStatus:
        return self.meeting_status

    def hardware(self) -> HardwareStatus:
        return self.hardware_status

    def config(self) -> ConfigStatus:
        return self.config_status

    def set(self, topic: Topic, snapshot: Any) -> None:
        """Replace a snapshot and tell whoever listens."""
        setattr(self, FIELDS[topic], snapshot)
        for topics, woken in self._listeners:
            topics.add(topic)
            woken.set()

    async def changes(self) -> AsyncIterator[frozenset[Topic]]:
        listener: tuple[set[Topic], asyncio.Event] = (set(), asyncio.Event())
        self._listeners.append(listener)
        topics, woken = listener
        try:
            while True:
                await woken.wait()
                woken.clear()
                yield frozenset(topics)
                topics.clear()
        finally:
            self._listeners.remove(listener)

    async def enroll(self, request: EnrollmentRequest) -> None:
        self._do("enroll", request)

    @property
    def updates(self) -> "FakeRoom":
        return self

    def status(self) -> UpdateStatus:
        return self.update_status

    async def begin(self, size: int) -> str:
        self._do("begin", size)
        self.bundle = b""
        return "4711"

    async def send(self, upload: str, offset: int, data: bytes) -> None:
        self._do("send", upload, offset, len(data))
        assert offset == len(self.bundle)
        self.bundle += data

    async def install(self, upload: str) -> None:
        self._do("install", upload)

    async def abandon(self, upload: str) -> None:
        self._do("abandon", upload)

    @property
    def acme(self) -> "FakeRoom":
        return self

    async def rehearse(self, directory_url: str) -> RehearsalStatus:
        self._do("rehearse", directory_url)
        return self.rehearsal

    async def account(self) -> AccountStatus:
        self._do("account")
        return AccountStatus(
            "https://ca.example/account/1", "valid", ("mailto:it@example.com",), "https://ca.example"
        )

    async def roll_account_key(self) -> ChangeReport:
        return self._change(False, "roll_account_key")

    async def deactivate_account(self) -> ChangeReport:
        return self._change(False, "deactivate_account")

    async def persistent_record(self, domain: str) -> RecordStatus:
        self._do("persistent_record", domain)
        return RecordStatus("_validation-persist.room.example.com", "ca.example", "line", False)

    async def renew(self, *, is_forced: bool = False) -> bool:
        self._do("renew", is_forced)
        return is_forced

    async def revoke(self, reason: str = "") -> ChangeReport:
        return self._change(False, "revoke", reason)

    async def request_certificate(self, domain: str, *, is_new_key: bool = False) -> str:
        self._do("request_certificate", domain, is_new_key)
        return "request"

    async def import_chain(self, pem: str, domain: str = "", *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "import_chain", pem, domain)

    async def import_key(
        self, content: bytes, secret: bytes, domain: str = "", *, dry_run: bool = False
    ) -> ChangeReport:
        return self._change(dry_run, "import_key", content, secret, domain)

    async def add_anchor(
        self, pem: str, label: str, kind: str, domains: tuple[str, ...], *, dry_run: bool = False
    ) -> ChangeReport:
        return self._change(dry_run, "add_anchor", pem, label, kind, domains)

    async def remove_anchor(self, label: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "remove_anchor", label)

    def has_ended(self, origin: str) -> bool:
        return origin in self.ended

    async def doctor(self) -> tuple[CheckStatus, ...]:
        self._do("doctor")
        return self.checks

    async def logs(self, query: LogQuery) -> LogView:
        self._do("logs", query)
        return LogView(self.log if not query.after else (), "s=1;i=2")

    async def versions(self) -> Mapping[str, str]:
        self._do("versions")
        return {"conclave": "0.1.0", "kernel": "Linux"}

    async def factory_reset(self, confirmation: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "factory_reset", confirmation)

    async def reboot(self, *, is_forced: bool = False, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "reboot", is_forced)

    async def block(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "block", what)

    async def unblock(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "unblock", what)

    async def add_crl(self, crl: bytes, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "add_crl", crl)

    async def remove_crl(self, anchor: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "remove_crl", anchor)

    async def set_policy(self, change: PolicyChange, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "set_policy", change)

    async def set_config(self, values: Mapping[str, str], *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "set_config", values)

    async def unset_config(self, keys: tuple[str, ...], *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "unset_config", keys)

    async def apply_config(
        self,
        document: str,
        *,
        replace: bool = False,
        dry_run: bool = False,
        generation: int | None = None,
        may_lock_out: bool = False,
    ) -> ChangeReport:
        more = {"generation": generation, "may_lock_out": may_lock_out} if generation is not None else None
        return self._change(dry_run, "apply_config", document, replace, *([more] if more else []))

    async def provision(self, file: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "provision", file)

    async def roll_back_config(self, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "roll_back_config")

    async def create_meeting(self, request: MeetingRequest) -> CreatedMeeting:
        self._do("create_meeting", request)
        return CreatedMeeting(LINK, INVITATION)

    async def join_meeting(self, link: str, invitation: str = "") -> None:
        self._do("join_meeting", link, *((invitation,) if invitation else ()))

    async def invitations(self) -> tuple[ScheduledStatus, ...]:
        self._do("invitations")
        return (SCHEDULED,)

    async def add_invitation(self, link: str, invitation: str = "", *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "add_invitation", link, *([invitation] if invitation else []))

    async def remove_invitation(self, which: str, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "remove_invitation", which)

    async def leave_meeting(self) -> None:
        self._do("leave_meeting")

    async def admit(self, request_id: str) -> None:
        self._do("admit", request_id)

    async def deny(self, request_id: str) -> None:
        self._do("deny", request_id)

    async def kick(self, leaf: int, key_id: str) -> None:
        self._do("kick", leaf, key_id)

    async def allow_back(self, key_id: str) -> None:
        self._do("allow_back", key_id)

    async def end_for_all(self) -> None:
        self._do("end_for_all")

    async def hand_over(self, leaf: int, key_id: str) -> None:
        self._do("hand_over", leaf, key_id)

    async def list_audits(self) -> tuple[str, ...]:
        self._do("list_audits")
        return AUDITS

    async def audit(self, which: str) -> str:
        self._do("audit", which)
        return self.audit_token

    async def mute(self, *, camera: bool, microphone: bool) -> None:
        self._do("mute", camera, microphone)

    async def clear_tamper(self, *, dry_run: bool = False) -> ChangeReport:
        return self._change(dry_run, "clear_tamper")

    async def test_hardware(self, slot: str, *, in_meeting: bool = False) -> tuple[CheckStatus, ...]:
        self._do("test_hardware", slot, in_meeting)
        return (self.tested.get(slot, CheckStatus(slot, "ok", f"the {slot} is well")),)

    def _change(self, dry_run: bool, verb: str, *arguments: Any) -> ChangeReport:
        """A verb that changes what an admin sets; one that only would is told apart by its last word."""
        self._do(verb, *arguments, *(("dry run",) if dry_run else ()))
        return self.report

    def _do(self, verb: str, *arguments: Any) -> None:
        if self.error is not None:
            raise self.error
        if verb in self.refused:
            raise self.refused[verb]
        self.done.append((verb, *arguments))
        # Each change in a turn of the event loop of its own, so that each is told by itself.
        loop = asyncio.get_running_loop()
        changes = list(self.then.get(verb, ()))

        def next_change() -> None:
            if changes:
                self.set(*changes.pop(0))
                loop.call_soon(loop.call_soon, next_change)

        next_change()


def muted(status: HardwareStatus) -> HardwareStatus:
    """The same hardware with the camera muted."""
    return replace(status, camera_muted=True)
