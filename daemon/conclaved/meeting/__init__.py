"""The meeting, sans-IO: who may be in, who is, and under which keys.

`Session` is one device's side of a meeting. What comes from outside goes in as values of
`events`, and so comes out what is to be done. Rules stand in `rules` (for everybody) and
`own_rules` (this device's).
"""

from conclaved.meeting.admission import Admission, Role
from conclaved.meeting.audit import Record
from conclaved.meeting.capabilities import ROLE_CAPABILITIES, Capability
from conclaved.meeting.errors import (
    AdmissionError,
    GroupRuleError,
    InvitationError,
    LocalError,
    MeetingError,
    PolicyError,
    RemoteError,
    SealError,
)
from conclaved.meeting.invitation import Invitation, Level, SignedInvitation
from conclaved.meeting.limits import Limits
from conclaved.meeting.link import Link, LinkSecret
from conclaved.meeting.media_state import CameraState, MediaState, MicrophoneState
from conclaved.meeting.own_rules import Objection, OwnRules
from conclaved.meeting.own_side import OwnIdentity
from conclaved.meeting.roster import Participant
from conclaved.meeting.security_code import security_code
from conclaved.meeting.session import Session
from conclaved.meeting.view import MeetingView, State

__all__ = [
    "ROLE_CAPABILITIES",
    "Admission",
    "AdmissionError",
    "CameraState",
    "Capability",
    "GroupRuleError",
    "Invitation",
    "InvitationError",
    "Level",
    "Limits",
    "Link",
    "LinkSecret",
    "LocalError",
    "MediaState",
    "MeetingError",
    "MeetingView",
    "MicrophoneState",
    "Objection",
    "OwnIdentity",
    "OwnRules",
    "Participant",
    "PolicyError",
    "Record",
    "RemoteError",
    "Role",
    "SealError",
    "Session",
    "SignedInvitation",
    "State",
    "security_code",
]
