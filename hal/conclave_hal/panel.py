"""The panel in the room: what it shows, and what people press on it.

`PanelView` is everything a panel may show, complete each time: a driver draws it and nothing
else. `Panel.drawn` says which view is really on the glass, because people trust the glass.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum

from conclave_hal.buttons import Button
from conclave_hal.device import Device, DeviceState

LANGUAGES = ("en", "de", "ar", "ja")
"""In which a panel speaks (ISO 639-1)."""


class Lock(Enum):
    """The sign on the panel (DESIGN §1, *Lock*)."""

    NONE = "none"
    """No meeting."""
    LOCKED = "locked"
    """In the group's current epoch, sending and receiving under it, and not behind."""
    OPENING = "opening"
    """Joining, waiting, or catching up: nothing is sent."""
    BROKEN = "broken"
    """The device is behind, or something is wrong: it stopped sending. `notice` says why."""


class MeetingState(Enum):
    """Where the device is on its way through a meeting."""

    IDLE = "idle"
    JOINING = "joining"
    LOBBY = "lobby"
    IN_MEETING = "in_meeting"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PanelParticipant:
    """One line of the roster."""

    name: str
    """The verified domain or address, or the name that the certificate claims."""
    assurance: str
    """`verified`, `provider` or `unknown`; only the first is shown as verified."""
    role: str
    """`host`, `member`, `guest` or `service end`."""
    is_self: bool = False
    is_heard: bool = False
    """Authenticated traffic of this member was seen in this epoch."""
    vouched_by: str = ""
    """Who admitted this member: a name, or `the invitation`."""
    reason: str = ""
    """Why the assurance is what it is, in words for people."""
    issuer: str = ""
    """The trust anchor behind the certificate."""
    leaf: int = -1
    """The member's number in the group, by which a press means it."""
    key_id: str = ""
    """Of the member's key: another member may come to the same number under the same name."""
    is_expected: bool = False
    """The invitation names this member."""
    is_compared: bool = False
    """People here have compared the present code with this member."""
    microphone: str = "unknown"
    """`live`, `muted` (by either mute) or `unknown`, as this member says inside the group."""
    camera: str = "unknown"
    """`live`, `muted`, `closed` (its shutter) or `unknown`, as this member says inside the group."""


@dataclass(frozen=True, slots=True)
class PanelRequest:
    """Somebody who waits in the lobby (hosts see these)."""

    request_id: str
    name: str
    assurance: str
    reason: str = ""
    obstacle: str = ""
    """Why no host may admit this one; empty where one may."""


@dataclass(frozen=True, slots=True)
class PanelRemoved:
    """Somebody whom a host threw out, and who is kept out until a host says otherwise."""

    key_id: str
    name: str
    """Empty where this room does not know."""


@dataclass(frozen=True, slots=True)
class PanelInvitation:
    """A meeting of today that this room is invited to."""

    invitation_id: str
    """By which a press means it."""
    title: str
    host: str
    """Who invites: a name."""
    starts_at: int = 0
    """Seconds since 1970."""
    ends_at: int = 0
    time: str = ""
    """The times in the room's own time zone, as people read them: `14:00-15:00`."""
    is_now: bool = False


@dataclass(frozen=True, slots=True)
class PanelIncoming:
    """A join that was asked for from outside the room, while people can still refuse it."""

    title: str
    asked_by: str
    """Who or what asks, in words: `an admin over SSH`, `the room controller`."""
    seconds: int
    """Until the room joins."""


@dataclass(frozen=True, slots=True)
class PanelView:
    """Everything that a panel shows at one moment."""

    serial: int
    """Increases with every view."""
    room: str
    """This room's domain, or empty before enrollment."""
    state: MeetingState = MeetingState.IDLE
    lock: Lock = Lock.NONE
    title: str = ""
    level: str = ""
    participants: tuple[PanelParticipant, ...] = ()
    lobby: tuple[PanelRequest, ...] = ()
    security_code: str = field(default="", repr=False)
    """Six groups of five digits separated by spaces; empty when alone or without a group."""
    epoch: int = 0
    code_epoch: int = 0
    code_reason: str = ""
    """Why the code is what it is now: "Ana, guest, joined"."""
    code_time: int = 0
    """When that was: seconds since 1970; 0 for no code."""
    suite: str = ""
    sframe_suite: str = ""
    camera_muted: bool = False
    microphone_muted: bool = False
    shutter: str = "unknown"
    mute_switch: str = "unknown"
    is_host: bool = False
    """Whether people here may admit, remove, hand over and end for all."""
    missing: tuple[str, ...] = ()
    """Names that the invitation expects and that are not in."""
    removed: tuple[PanelRemoved, ...] = ()
    """For hosts."""
    minds: str = ""
    """Why this room is about to leave by its own rules; empty when it is not."""
    leaving_in_s: int = 0
    """Seconds until it does."""
    notices: tuple[str, ...] = ()
    """What is wrong, in lines for people: alarms first."""
    news: tuple[str, ...] = ()
    """What has happened in the last minute, the latest last: no alarm."""
    service: str = ""
    """Address of the conference service."""
    is_invited: bool = False
    """Whether the invitation names this room: a host that comes lets it in without asking anybody."""
    invitations: tuple[PanelInvitation, ...] = ()
    """Today's, the next first; shown while there is no meeting."""
    incoming: PanelIncoming | None = None
    refused: str = ""
    """Why the meeting was refused by this room's policy; empty if it was not."""
    certificate_days: int | None = None
    """Days until the certificate ends, where people should know; negative once it has. None: all is well."""
    tamper: str = "unknown"
    """`intact`, `tripped`, `unknown`, or `not fitted`."""
    language: str = "en"
    """In which the panel speaks: `en`, `de`, `ar` or `ja`."""


class ActionKind(Enum):
    """What people can press."""

    LEAVE = "leave"
    MUTE_MICROPHONE = "mute_microphone"
    UNMUTE_MICROPHONE = "unmute_microphone"
    MUTE_CAMERA = "mute_camera"
    UNMUTE_CAMERA = "unmute_camera"
    ADMIT = "admit"
    DENY = "deny"
    KICK = "kick"
    ALLOW_BACK = "allow_back"
    HAND_OVER = "hand_over"
    END_FOR_ALL = "end_for_all"
    COMPARED = "compared"
    NOT_COMPARED = "not_compared"
    JOIN = "join"
    ACCEPT_JOIN = "accept_join"
    """Join at once what was asked for from outside; still muted."""
    REFUSE_JOIN = "refuse_join"
    SPEAK_CODE = "speak_code"


CONCERNS_AN_INVITATION = frozenset({ActionKind.JOIN})
CONCERNS_A_REQUEST = frozenset({ActionKind.ADMIT, ActionKind.DENY, ActionKind.ALLOW_BACK})
CONCERNS_A_MEMBER = frozenset(
    {ActionKind.KICK, ActionKind.HAND_OVER, ActionKind.COMPARED, ActionKind.NOT_COMPARED}
)


@dataclass(frozen=True, slots=True)
class PanelAction:
    """A press, with what it concerns as it stood on the glass: the room may be another by now."""

    kind: ActionKind
    request_id: str = ""
    """For CONCERNS_A_REQUEST: of the lobby, or the key id of one who was removed."""
    leaf: int = -1
    """For CONCERNS_A_MEMBER."""
    name: str = ""
    """Who stood at `leaf`; for ACCEPT_JOIN the title of the meeting."""
    key_id: str = ""
    """And by which key."""
    code_epoch: int = 0
    """Which code stood there, where the press is about the code: a tick, or SPEAK_CODE."""
    invitation_id: str = ""
    """For CONCERNS_AN_INVITATION."""


class Panel(Device[DeviceState]):
    """A screen with buttons."""

    def _unknown(self) -> DeviceState:
        return DeviceState()

    @abstractmethod
    async def show(self, view: PanelView) -> None:
        """Draw `view` in place of the one before. Returns when it is on the glass."""

    @abstractmethod
    def drawn(self) -> PanelView | None:
        """The view that is really on the glass, or None."""

    @abstractmethod
    def actions(self) -> AsyncIterator[PanelAction]:
        """What people press, until `close`."""

    async def navigate(self, button: Button) -> None:
        """Move what is selected by UP, DOWN, SELECT or BACK; what SELECT presses comes by `actions`.

        A panel that people touch, or that has no selection, does nothing: the default.
        """

    def selected(self) -> str:
        """The `invitation_id` that is selected on the glass; empty where none is."""
        return ""
