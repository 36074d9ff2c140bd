"""What the room says, as typed values. Their fields are also the keys of `--json`: only ever added to.

A room of another version may leave out or add what it likes: a missing value is the default here, and
unknown is never shown as safe.
"""

import base64
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

DAY_S = 86_400
SERVICE_END = "service end"
"""The role of recorders, transcribers and their like."""


@dataclass(frozen=True, slots=True)
class Device:
    """The device itself."""

    INTERFACE: ClassVar[str] = "Device"
    version: str = ""
    health: str = "unknown"
    problems: tuple[str, ...] = ()
    serial: str = ""
    clock: dict[str, Any] = field(default_factory=dict)
    """time, is_believed, doubt, is_synchronised, floor."""


@dataclass(frozen=True, slots=True)
class Update:
    """The firmware that runs, and an update that comes."""

    INTERFACE: ClassVar[str] = "Update"
    state: str = "unknown"
    """idle, receiving, checking, installing, installed or failed."""
    percent: int = 0
    step: str = ""
    received: int = 0
    bundle_version: str = ""
    error: str = ""
    error_kind: str = ""
    hint: str = ""
    version: str = ""
    slot: str = ""
    is_confirmed: bool = False
    next_version: str = ""
    fell_back_from: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate that proves the room's domain."""

    INTERFACE: ClassVar[str] = "Identity"
    state: str = "unknown"
    domain: str = ""
    step: str = ""
    error: str = ""
    error_kind: str = ""
    hint: str = ""
    not_before: int = 0
    not_after: int = 0
    issuer: str = ""
    fingerprint: str = ""
    key_protection: str = "unknown"
    certificates: tuple[bytes, ...] = ()
    method: str = ""
    """acme, provider, csr or import; empty: not known."""
    renew_at: int = 0
    """Seconds since 1970; 0 where nobody renews it but an admin."""
    renew_reason: str = ""

    @property
    def name(self) -> str:
        """The domain that the certificate proves; empty without one, whatever is or was being tried."""
        return self.domain if self.not_after else ""

    def days_left(self, now: float) -> int | None:
        """Whole days until the certificate ends, negative after it; None without one."""
        return int((self.not_after - now) // DAY_S) if self.not_after else None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A trust anchor."""

    label: str = ""
    kind: str = "unknown"
    domains: tuple[str, ...] = ()
    fingerprint: str = ""
    not_after: int = 0


@dataclass(frozen=True, slots=True)
class Crl:
    """An anchor's list of revoked certificates."""

    anchor: str = ""
    issuer: str = ""
    fingerprint: str = ""
    number: str = "0"
    this_update: int = 0
    next_update: int = 0
    revoked: int = 0


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word about a name is believed, and whose is not."""

    INTERFACE: ClassVar[str] = "Trust"
    anchors: tuple[Anchor, ...] = field(default=(), metadata={"of": Anchor})
    blocked_keys: tuple[str, ...] = ()
    blocked_names: tuple[str, ...] = ()
    crls: tuple[Crl, ...] = field(default=(), metadata={"of": Crl})


@dataclass(frozen=True, slots=True)
class Policy:
    """The device's own rules."""

    INTERFACE: ClassVar[str] = "Policy"
    minimum_level: str = "unknown"
    requires_verified: bool = False
    allows_service_ends: bool = True


@dataclass(frozen=True, slots=True)
class Participant:
    """One member of the group."""

    leaf: int = 0
    name: str = ""
    assurance: str = "unknown"
    role: str = "unknown"
    is_self: bool = False
    is_heard: bool = False
    reason: str = ""
    issuer: str = ""
    admitted_by: str = ""
    is_expected: bool = False
    is_compared: bool = False
    key_id: str = ""
    microphone: str = "unknown"
    camera: str = "unknown"


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody in the lobby."""

    request_id: str = ""
    name: str = ""
    assurance: str = "unknown"
    reason: str = ""
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody whom a host threw out."""

    key_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """The meeting, or the lack of one."""

    INTERFACE: ClassVar[str] = "Meeting"
    state: str = "unknown"
    lock: str = "unknown"
    meeting_id: str = ""
    title: str = ""
    level: str = ""
    service: str = ""
    epoch: int = 0
    code_epoch: int = 0
    code_reason: str = ""
    code_time: int = 0
    security_code: str = field(default="", repr=False)
    suite: str = ""
    is_host: bool = False
    participants: tuple[Participant, ...] = field(default=(), metadata={"of": Participant})
    lobby: tuple[Request, ...] = field(default=(), metadata={"of": Request})
    missing: tuple[str, ...] = ()
    removed: tuple[Removed, ...] = field(default=(), metadata={"of": Removed})
    minds: str = ""
    leaving_in_s: int = 0
    notices: tuple[str, ...] = ()
    news: tuple[str, ...] = ()
    left_reason: str = ""
    is_invited: bool = False
    joining_in_s: int = 0
    asked_by: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An invitation that was given to this room."""

    invitation_id: str = ""
    title: str = ""
    host: str = ""
    assurance: str = "unknown"
    level: str = ""
    service: str = ""
    not_before: int = 0
    not_after: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """One piece of hardware."""

    slot: str = ""
    health: str = "unknown"
    reason: str = ""
    driver: str = ""
    """By which hal.toml names it; `none`: nothing is fitted."""
    details: dict[str, Any] = field(default_factory=dict)
    """What the device says of itself: its model, where it stands."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Media of one participant, or the room's own, counted."""

    leaf: int = 0
    name: str = ""
    kind: str = "unknown"
    is_self: bool = False
    frames_sent: int = 0
    frames_decrypted: int = 0
    frames_undecodable: int = 0
    frames_decoded: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hardware:
    """Camera, microphone and panel. What is not known is not muted."""

    INTERFACE: ClassVar[str] = "Hardware"
    camera_muted: bool = False
    microphone_muted: bool = False
    shutter: str = "unknown"
    mute_switch: str = "unknown"
    panel_serial: int = 0
    panel_epoch: int = 0
    devices: tuple[Slot, ...] = field(default=(), metadata={"of": Slot})
    frames_refused: int = 0
    streams: tuple[Stream, ...] = field(default=(), metadata={"of": Stream})
    camera_off: bool = False
    microphone_off: bool = False
    camera_live: bool = False
    microphone_live: bool = False
    camera_changed_at: int = 0
    camera_changed_by: str = ""
    microphone_changed_at: int = 0
    microphone_changed_by: str = ""
    tamper: str = "unknown"
    tampered_at: int = 0
    panel_problem: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; values are TOML."""

    key: str = ""
    kind: str = ""
    value: str = ""
    default: str = ""
    source: str = "unknown"
    effect: str = ""
    allowed: str = ""
    choices: tuple[str, ...] = ()
    meaning: str = ""
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """What an admin may set."""

    INTERFACE: ClassVar[str] = "Config"
    generation: int = 0
    can_roll_back: bool = False
    document: str = ""
    settings: tuple[Setting, ...] = field(default=(), metadata={"of": Setting})


@dataclass(frozen=True, slots=True)
class RoomView:
    """Everything that the room says, read within one moment."""

    device: Device
    identity: Identity
    trust: Trust
    policy: Policy
    meeting: Meeting
    hardware: Hardware

    @property
    def is_code_shown(self) -> bool:
        """Whether the panel has really drawn the present security code."""
        meeting = self.meeting
        return bool(meeting.security_code) and self.hardware.panel_epoch >= meeting.code_epoch > 0


Interface = Device | Update | Identity | Trust | Policy | Meeting | Hardware | Config
View = TypeVar("View", bound=Interface)
Read = TypeVar("Read")


def property_name(field_name: str) -> str:
    """security_code -> SecurityCode."""
    return "".join(part.capitalize() for part in field_name.split("_"))


def field_name(property_name: str) -> str:
    """SecurityCode -> security_code."""
    return "".join("_" + c.lower() if c.isupper() else c for c in property_name).lstrip("_")


def read(view: type[Read], values: Mapping[str, Any]) -> Read:
    """Make a view of values by field name; what is missing or of another type is the default."""
    found: dict[str, Any] = {}
    for spec in dataclasses.fields(view):  # type: ignore[arg-type]  # only dataclasses are asked for
        value = values.get(spec.name)
        of = spec.metadata.get("of")
        default = spec.default if spec.default is not dataclasses.MISSING else {}
        if of is not None and isinstance(value, list):
            found[spec.name] = tuple(read(of, item) for item in value if isinstance(item, dict))
        elif isinstance(default, tuple) and isinstance(value, list):
            found[spec.name] = tuple(value)
        elif type(value) is type(default):
            found[spec.name] = value
    return view(**found)


def as_json(value: Any) -> Any:
    """Return a view as what `json` takes; certificates as PEM."""
    if dataclasses.is_dataclass(value):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return as_pem(value)
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return value


def as_pem(der: bytes) -> str:
    """Return a DER certificate as PEM (RFC 7468)."""
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))
