"""What each role may do, in the words of draft-ietf-mimi-room-policy-03.

Two kinds stand side by side. What changes the group is enforced by the group rules: a commit
that needs a capability which its author lacks is nobody's. What concerns media is a matter of
keys: no member derives a media key for one that may not send. `canReceive...` cannot be enforced
against a member that holds the epoch's keys; it says what the others have agreed to.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from conclaved.meeting.admission import Role


class Capability(Enum):
    """One right; the value is the draft's word."""

    ADD_PARTICIPANT = "canAddParticipant"
    REMOVE_PARTICIPANT = "canRemoveParticipant"
    KICK = "canKick"
    BAN = "canBan"
    UNBAN = "canUnBan"
    ACCEPT_KNOCK = "canAcceptKnock"
    CHANGE_USER_ROLE = "canChangeUserRole"
    DESTROY_ROOM = "canDestroyRoom"
    REMOVE_SELF = "canRemoveSelf"
    SEND_AUDIO = "canSendAudio"
    RECEIVE_AUDIO = "canReceiveAudio"
    SEND_VIDEO = "canSendVideo"
    RECEIVE_VIDEO = "canReceiveVideo"
    SHARE_SCREEN = "canShareScreen"
    VIEW_SHARED_SCREEN = "canViewSharedScreen"


SENDING = frozenset({Capability.SEND_AUDIO, Capability.SEND_VIDEO, Capability.SHARE_SCREEN})
"""Whoever lacks all of these sends no media, and nobody derives a media key for it."""
RECEIVING = frozenset({Capability.RECEIVE_AUDIO, Capability.RECEIVE_VIDEO, Capability.VIEW_SHARED_SCREEN})

_PARTICIPANT = SENDING | RECEIVING | {Capability.REMOVE_SELF}

ROLE_CAPABILITIES: Mapping[Role, frozenset[Capability]] = MappingProxyType(
    {
        Role.HOST: frozenset(Capability),
        Role.MEMBER: _PARTICIPANT,
        Role.GUEST: _PARTICIPANT,
        # A recorder or transcriber listens. It never sends.
        Role.SERVICE_END: RECEIVING | {Capability.REMOVE_SELF},
    }
)


def may(role: Role, capability: Capability) -> bool:
    """Whether a role has a capability."""
    return capability in ROLE_CAPABILITIES[role]


def may_send(role: Role) -> bool:
    """Whether a role sends any media."""
    return not SENDING.isdisjoint(ROLE_CAPABILITIES[role])
