"""What the D-Bus API needs from the service: typed snapshots, a few verbs, and their errors.

The service implements `Room`; the API never reaches around it. Snapshots are immutable, and
`Room.changes` names the ones that are new.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from conclaved.bus.acme_verbs import AcmeVerbs
from conclaved.bus.change_report import ChangeReport
from conclaved.bus.update_verbs import UpdateVerbs


class RoomErrorKind(Enum):
    """The stable names of API errors; each is `org.conclave.Room1.Error.<value>` on the bus."""

    INVALID_ARGUMENT = "InvalidArgument"
    NOT_ENROLLED = "NotEnrolled"
    NOT_IN_MEETING = "NotInMeeting"
    ALREADY_IN_MEETING = "AlreadyInMeeting"
    NOT_PERMITTED = "NotPermitted"
    NOT_FOUND = "NotFound"
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    BUSY = "Busy"
    FAILED = "Failed"


class RoomError(Exception):
    """A request that could not be done; `hint` says what to do next. No secret is in either."""

    def __init__(self, kind: RoomErrorKind, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint


class Topic(Enum):
    """What has changed."""

    DEVICE = "device"
    IDENTITY = "identity"
    TRUST = "trust"
    POLICY = "policy"
    MEETING = "meeting"
    HARDWARE = "hardware"
    CONFIG = "config"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """The device's time, and whether it is believed."""

    time: int = 0
    """What the system's clock shows, seconds since 1970."""
    is_believed: bool = False
    doubt: str = ""
    """Why it is not believed; empty if it is."""
    is_synchronised: bool = False
    """Whether it was set from outside since the device started."""
    floor: int = 0
    """The earliest time that is believed: of the firmware's build, or the last one seen."""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The device itself."""

    version: str
    health: str
    """`starting`, `ready`, `degraded` or `failed`."""
    problems: tuple[str, ...] = ()
    """One line each, with what to do about it."""
    serial: str = ""
    """The device's serial number."""
    clock: ClockStatus = ClockStatus()


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """What one check of the doctor found."""

    name: str
    state: str
    """`ok`, `warning`, `failed` or `unknown`."""
    text: str
    command: str = ""
    """What mends it."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What of the journal is asked for."""

    since: str = ""
    """`today`, `-1h`, `2026-11-30 08:00`...; empty: whenever."""
    lines: int = 200
    """The last so many."""
    after: str = ""
    """A place in the journal, as `LogView.cursor` gave it: what came since."""
    changes_only: bool = False
    """Only the record of what admins changed."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the journal. Names in it are strangers' words."""

    time: float
    """Seconds since 1970."""
    unit: str
    priority: int
    """As syslog counts: 3 is an error, 4 a warning, 6 a word."""
    message: str


@dataclass(frozen=True, slots=True)
class LogView:
    """Some of the journal, the latest last."""

    entries: tuple[LogEntry, ...]
    cursor: str
    """Where it ended; empty where nobody knows."""


@dataclass(frozen=True, slots=True)
class IdentityStatus:
    """The room's identity."""

    state: str
    """`none`, `enrolling`, `enrolled` or `failed`."""
    domain: str = ""
    step: str = ""
    """What an enrollment is doing now, in words."""
    error: str = ""
    """Why the last enrollment failed: the CA's own words where it gave some."""
    error_kind: str = ""
    """The same for programs, such as `refused`, `rate_limited` or `failed`; empty if it did not fail."""
    hint: str = ""
    not_before: int = 0
    """Seconds since 1970; 0 without a certificate."""
    not_after: int = 0
    issuer: str = ""
    fingerprint: str = ""
    """SHA-256 of the leaf certificate, lower-case hex."""
    key_protection: str = ""
    """`tpm2`, `pkcs11`, `sealed` or `plain`; `none` without a key."""
    certificates: tuple[bytes, ...] = ()
    """The chain, DER, leaf first."""
    method: str = ""
    """How the certificate came: `acme`, `provider`, `csr` or `import`; empty: not known."""
    renew_at: int = 0
    """When it is renewed, seconds since 1970; 0 where nobody does that but an admin."""
    renew_reason: str = ""
    """Why then, for people."""


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """A trust anchor."""

    label: str
    kind: str
    """`verified` or `provider`."""
    domains: tuple[str, ...]
    """What it may vouch for; empty for anything."""
    fingerprint: str
    not_after: int


@dataclass(frozen=True, slots=True)
class CrlStatus:
    """An authority's list of revoked certificates."""

    anchor: str
    """The label of the anchor that signed it."""
    issuer: str
    """The authority's own name."""
    fingerprint: str
    """Of the anchor's key."""
    number: str
    """The CA's count of its lists, decimal; `0` for none."""
    this_update: int
    """Seconds since 1970."""
    next_update: int
    """When the next list is due; 0 where the CA does not say."""
    revoked: int
    """How many certificates it names."""


@dataclass(frozen=True, slots=True)
class TrustStatus:
    """Whose word about a name is believed, and whose is not."""

    anchors: tuple[AnchorStatus, ...] = ()
    blocked_keys: tuple[str, ...] = ()
    """SHA-256 of public keys (SPKI), lower-case hex."""
    blocked_names: tuple[str, ...] = ()
    crls: tuple[CrlStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The device's own rules; they may be stricter than a meeting's."""

    minimum_level: str
    """`standard` or `locked`: meetings below are refused."""
    requires_verified: bool = False
    """Whether the room stays only where everybody is verified, whatever the meeting's level."""
    allows_service_ends: bool = True
    """Whether the room stays where a service end (a recorder, a transcriber) is in."""


@dataclass(frozen=True, slots=True)
class SettingStatus:
    """One setting: what it may be, and what it is."""

    key: str
    kind: str
    """`a text`, `true or false`, `a whole number`, `a number`, `a list of texts`..."""
    value: str
    """What is in force, as TOML: a secret as `"(set)"`, anchors without their certificates."""
    default: str
    source: str
    """Who gives it: `admin`, `device` (the device maker's file) or `default`."""
    effect: str
    """When a change is felt."""
    allowed: str
    """What it may be, in words."""
    choices: tuple[str, ...]
    """The values that are allowed; empty: see `allowed`."""
    meaning: str
    is_secret: bool


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """What an admin may set."""

    generation: int
    """How often the settings were changed."""
    can_roll_back: bool
    document: str
    """What the admin has set, as the TOML that `apply_config` takes; secrets as `(set)`."""
    settings: tuple[SettingStatus, ...]
    """All of them."""


@dataclass(frozen=True, slots=True)
class ParticipantStatus:
    """One member of the group."""

    leaf: int
    name: str
    assurance: str
    """`verified`, `provider` or `unknown`."""
    role: str
    """`host`, `member`, `guest` or `service end`."""
    is_self: bool
    is_heard: bool
    reason: str
    issuer: str
    admitted_by: str
    is_expected: bool = False
    """The invitation names it, as host, invited or service end, or it signed the invitation."""
    is_compared: bool = False
    """People in this room have ticked it off: they compared this code epoch's code with it."""
    key_id: str = ""
    """Sixteen hex digits of the signature key's hash: a leaf may go to another, this does not."""
    microphone: str = "unknown"
    """`live`, `muted` (by either mute) or `unknown`, as this member says inside the group."""
    camera: str = "unknown"
    """`live`, `muted`, `closed` (its shutter) or `unknown`, as this member says inside the group."""


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """Somebody in the lobby."""

    request_id: str
    name: str
    assurance: str
    reason: str
    obstacle: str = ""
    """Why no host may admit this one; empty where one may."""


@dataclass(frozen=True, slots=True)
class RemovedStatus:
    """Somebody whom a host threw out, and whose return is refused until a host allows it."""

    key_id: str
    """Sixteen hex digits of the key's hash."""
    name: str
    """Empty where this device was not there and does not know."""


@dataclass(frozen=True, slots=True)
class MeetingStatus:
    """The meeting, or the lack of one."""

    state: str
    """`idle`, `joining`, `lobby`, `in_meeting` or `left`."""
    lock: str = "none"
    """`none`, `locked`, `opening` or `broken`."""
    meeting_id: str = ""
    title: str = ""
    level: str = ""
    service: str = ""
    epoch: int = 0
    code_epoch: int = 0
    code_reason: str = ""
    code_time: int = 0
    """When the code came to be what it is: seconds since 1970; 0 for no code."""
    security_code: str = field(default="", repr=False)
    suite: str = ""
    is_host: bool = False
    participants: tuple[ParticipantStatus, ...] = ()
    lobby: tuple[RequestStatus, ...] = ()
    missing: tuple[str, ...] = ()
    """Names that the invitation expects and that are not in."""
    removed: tuple[RemovedStatus, ...] = ()
    """For hosts: who was thrown out."""
    minds: str = ""
    """Why the room is about to leave by its own rules; empty when nothing is wrong."""
    leaving_in_s: int = 0
    """Seconds until it leaves, unless what it minds has passed before; 0 when it minds nothing."""
    notices: tuple[str, ...] = ()
    """What is wrong, alarms first."""
    news: tuple[str, ...] = ()
    """What has happened in the last minute, the latest last."""
    left_reason: str = ""
    is_invited: bool = False
    """Whether the invitation names this room: a host that comes lets it in without asking anybody."""
    joining_in_s: int = 0
    """Seconds until the room joins as asked from outside; 0 where nothing is counted down."""
    asked_by: str = ""
    """Who asked for that, in words."""
    refused: str = ""
    """Why this room's own rules refused the meeting, or made it leave; empty if they did not."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Media of one participant (or our own), counted."""

    leaf: int
    name: str
    kind: str
    """`audio` or `video`."""
    is_self: bool
    frames_sent: int
    frames_decrypted: int
    """SFrame ciphertexts that this participant's key opened."""
    frames_undecodable: int
    """Decrypted, and no picture or sound."""
    frames_decoded: int
    detail: dict[str, str | int | float | bool]
    """What the sink found in the decoded stream."""


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One place for hardware, and what is in it."""

    slot: str
    """As `hal.toml` calls it."""
    health: str
    """`starting`, `ready`, `degraded` or `failed`."""
    reason: str = ""
    driver: str = ""
    """By which `hal.toml` names it; `none`: nothing is fitted."""
    details: dict[str, str | int | float | bool] = field(default_factory=dict)
    """What the device says of itself, as the API's source names it. Never a secret."""


@dataclass(frozen=True, slots=True)
class HardwareStatus:
    """Camera, microphone, case and panel.

    Hardware and software mute are two things. `unknown` counts as not muted, and is shown as not safe.
    """

    camera_muted: bool
    """By software."""
    microphone_muted: bool
    """By software."""
    shutter: str
    """`blocking`, `passing` or `unknown`."""
    mute_switch: str
    """`blocking`, `passing` or `unknown`."""
    panel_serial: int
    """Serial of the view that is really on the glass; 0 for none."""
    panel_epoch: int
    devices: tuple[SlotStatus, ...]
    frames_refused: int = 0
    """SFrame ciphertexts that no key opened: forged, replayed or late. Whose they were nobody can know."""
    streams: tuple[StreamStatus, ...] = ()
    camera_off: bool = False
    """By either mute: nothing of it leaves."""
    microphone_off: bool = False
    """By either mute: nothing of it leaves."""
    camera_live: bool = False
    """Whether its frames leave the room now: as they were counted, not as it was meant."""
    microphone_live: bool = False
    camera_changed_at: int = 0
    """When either of its mutes was last changed, seconds since 1970; 0 for not since the start."""
    camera_changed_by: str = ""
    """`the panel`, `a button`, `an admin`, `the room controller`, `the shutter`..."""
    microphone_changed_at: int = 0
    microphone_changed_by: str = ""
    tamper: str = "unknown"
    """`intact`, `tripped` (until an admin clears it), `unknown` or `not fitted`."""
    tampered_at: int = 0
    """When the case was opened first, seconds since 1970; 0 where nobody knows, or it was not."""
    panel_problem: str = ""
    """Why people in the room cannot read on the panel what it should show; empty while they can."""


@dataclass(frozen=True, slots=True)
class MeetingRequest:
    """What `create_meeting` needs."""

    title: str
    level: str
    """`locked` or `standard`."""
    invited: tuple[str, ...]
    """Names, or `@domain` for everybody of a domain."""
    service: str
    """Address of the conference service, `wss://host:port`; empty: as configured on the device."""
    hosts: tuple[str, ...] = ()
    """Names that are hosts as soon as they are in and verified; whole names only."""
    service_ends: tuple[str, ...] = ()
    """Names of the service ends that may come; whole names only."""
    is_open: bool = False
    not_before: int = 0
    """Seconds since 1970; 0 means now."""
    not_after: int = 0
    """Seconds since 1970; 0 means a day after `not_before`."""


@dataclass(frozen=True, slots=True)
class CreatedMeeting:
    """What `create_meeting` made."""

    link: str = field(repr=False)
    """The https link, with the link secret in its fragment."""
    invitation: str = field(repr=False)
    """The signed invitation, a compact JWS: with it and the link one joins where no service keeps it."""


@dataclass(frozen=True, slots=True)
class ScheduledStatus:
    """An invitation that was given to this room. Its link is a secret, and not here."""

    invitation_id: str
    title: str
    host: str
    """Who signed it: a name."""
    assurance: str
    """How far that name is believed now: `verified`, `provider` or `unknown`."""
    level: str
    service: str
    not_before: int
    not_after: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What `set_policy` is to change: None leaves a rule as it is."""

    minimum_level: str | None = None
    requires_verified: bool | None = None
    allows_service_ends: bool | None = None


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """What `enroll` needs."""

    domain: str
    directory_url: str = ""
    """Empty: as configured."""
    challenge: str = ""
    """`http-01`, `dns-01`, or empty: as configured."""
    is_new_key: bool = False
    """Whether the certificate is to be for a new key; a meeting follows it from the old one."""
    is_provider: bool = False
    """Whether the conference provider's CA is asked, and not the one that is configured."""


class Room(Protocol):
    """The service, as the API sees it. Every verb raises RoomError when it cannot be done."""

    def device(self) -> DeviceStatus: ...
    def identity(self) -> IdentityStatus: ...
    def trust(self) -> TrustStatus: ...
    def policy(self) -> PolicyStatus: ...
    def meeting(self) -> MeetingStatus: ...
    def hardware(self) -> HardwareStatus: ...
    def config(self) -> ConfigStatus: ...

    def has_ended(self, origin: str) -> bool:
        """Whether a caller that introduces itself so came by a key that was taken away since."""

    async def doctor(self) -> tuple[CheckStatus, ...]:
        """Look at everything that an enrollment or a meeting needs; takes up to a quarter of a minute."""

    async def logs(self, query: LogQuery) -> LogView:
        """The journal of the device's own units."""

    async def versions(self) -> Mapping[str, str]:
        """Which software the device runs."""

    async def factory_reset(self, confirmation: str, *, dry_run: bool = False) -> ChangeReport:
        """Erase keys, certificates, settings, records and the rest, and end the daemon.

        `confirmation` is the room's domain or the device's serial number, typed by whoever means it.
        """

    async def reboot(self, *, is_forced: bool = False, dry_run: bool = False) -> ChangeReport:
        """Start the device again, after a word on the panel. BUSY in a meeting, unless `is_forced`."""

    async def enroll(self, request: EnrollmentRequest) -> None:
        """Start an enrollment; its progress is in `identity()`. BUSY while one runs.

        On return `identity()` is of this enrollment (`enrolling`, or already its outcome) and no longer
        of an earlier one: who waits for the end believes the first `enrolled` or `failed` that it sees.
        """

    async def renew(self, *, is_forced: bool = False) -> bool:
        """Renew the certificate if it is time, or if `is_forced`: whether that began. See `enroll`."""

    async def revoke(self, reason: str = "") -> ChangeReport:
        """Have the CA revoke the certificate, and give it up with its key. BUSY in a meeting."""

    @property
    def acme(self) -> AcmeVerbs: ...

    @property
    def updates(self) -> UpdateVerbs: ...

    async def request_certificate(self, domain: str, *, is_new_key: bool = False) -> str:
        """A certificate request (PKCS#10, PEM); an empty domain: the one that is set, or the room's."""

    async def import_chain(self, pem: str, domain: str = "", *, dry_run: bool = False) -> ChangeReport:
        """Put a chain into force, if it is for this device's key and for the domain."""

    async def import_key(
        self, content: bytes, secret: bytes, domain: str = "", *, dry_run: bool = False
    ) -> ChangeReport:
        """Put a key into force that was made elsewhere and comes wrapped, with its chain."""

    # Verbs that change what an admin sets report it; with `dry_run` they change nothing. All or nothing:
    # what is refused, or cannot be stored, leaves everything as it was.

    async def add_anchor(
        self, pem: str, label: str, kind: str, domains: tuple[str, ...], *, dry_run: bool = False
    ) -> ChangeReport: ...

    async def remove_anchor(self, label: str, *, dry_run: bool = False) -> ChangeReport:
        """Remove the anchors of this label or key fingerprint; none of them is no error."""

    async def block(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        """Refuse a key, given by its SHA-256 fingerprint, or a name, from now on."""

    async def unblock(self, what: str, *, dry_run: bool = False) -> ChangeReport:
        """Refuse it no longer; what is not blocked is no error."""

    async def add_crl(self, crl: bytes, *, dry_run: bool = False) -> ChangeReport:
        """Take an anchor's list of revoked certificates (DER or PEM) in place of the one before."""

    async def remove_crl(self, anchor: str, *, dry_run: bool = False) -> ChangeReport:
        """Forget the list of the anchor of this label or fingerprint; none is no error."""

    async def set_policy(self, change: PolicyChange, *, dry_run: bool = False) -> ChangeReport:
        """Change the device's own rules; a meeting that they do not allow is left."""

    async def set_config(self, values: Mapping[str, str], *, dry_run: bool = False) -> ChangeReport:
        """Set some settings, each by words: `true`, `10`, `a.example,b.example`."""

    async def unset_config(self, keys: tuple[str, ...], *, dry_run: bool = False) -> ChangeReport:
        """Leave some settings to the device maker's file and the defaults again."""

    async def apply_config(
        self,
        document: str,
        *,
        replace: bool = False,
        dry_run: bool = False,
        generation: int | None = None,
        may_lock_out: bool = False,
    ) -> ChangeReport:
        """Set what a document (TOML) names; with `replace` whatever it does not name is unset.

        BUSY where the settings are of another `generation`. REFUSED where it takes away the admins' last way
        in, unless it `may_lock_out`; the other verbs never do.
        """

    async def roll_back_config(self, *, dry_run: bool = False) -> ChangeReport:
        """Back to the settings before the last change; NOT_FOUND where there are none."""

    async def provision(self, file: str, *, dry_run: bool = False) -> ChangeReport:
        """Set what a signed provisioning file says; REFUSED if it is not for this device, now, and new."""

    async def create_meeting(self, request: MeetingRequest) -> CreatedMeeting:
        """Sign an invitation and leave it at the service."""

    async def join_meeting(self, link: str, invitation: str = "") -> None:
        """Start joining; returns when the service was reached. The rest shows in `meeting()`.

        With the signed `invitation` at hand the service need not keep it, and is not asked for it.

        On return `meeting()` is of this meeting (`joining` or later): a `left` then means this join.
        """

    async def invitations(self) -> tuple[ScheduledStatus, ...]:
        """Those that were given to this room and have not ended, the earliest first."""

    async def add_invitation(self, link: str, invitation: str = "", *, dry_run: bool = False) -> ChangeReport:
        """Give the room an invitation: people can join by a press on its day. REFUSED as `join_meeting`."""

    async def remove_invitation(self, which: str, *, dry_run: bool = False) -> ChangeReport:
        """Take it away again; one that is not there is no error."""

    async def leave_meeting(self) -> None: ...
    async def admit(self, request_id: str) -> None: ...
    async def deny(self, request_id: str) -> None: ...

    async def kick(self, leaf: int, key_id: str) -> None:
        """Throw out the member with this key at `leaf`, as a host; it stays out until a host allows it."""

    async def allow_back(self, key_id: str) -> None:
        """Let one of `meeting().removed` ask to join again."""

    async def end_for_all(self) -> None:
        """End the meeting for everybody, as a host."""

    async def hand_over(self, leaf: int, key_id: str) -> None:
        """Make the member with this key at `leaf` a host too; done when the roster shows it as one."""

    async def list_audits(self) -> tuple[str, ...]:
        """Names of the meetings' records that the device keeps, the newest first."""

    async def audit(self, which: str) -> str:
        """A meeting's record, signed by the device: a compact JWS.

        `which` is a name of `list_audits`; empty for the present meeting's, or else the last one's.
        """

    async def mute(self, *, camera: bool, microphone: bool) -> None:
        """Mute what is True. Nothing from outside the room ever unmutes (DESIGN §4, HAL)."""

    async def clear_tamper(self, *, dry_run: bool = False) -> ChangeReport:
        """An admin has looked at a device whose case was opened; REFUSED while it is open."""

    async def test_hardware(self, slot: str, *, in_meeting: bool = False) -> tuple[CheckStatus, ...]:
        """Let a slot try itself. BUSY in a meeting, unless it is to try what nobody there notices."""

    def changes(self) -> AsyncIterator[frozenset[Topic]]:
        """Sets of topics whose snapshots have changed since the last yield, coalesced."""
