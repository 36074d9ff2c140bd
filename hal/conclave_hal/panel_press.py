"""What a press means: only what was on the glass when somebody pressed it.

A card that has gone admits nobody, and a line that has become another's throws nobody out. The
press comes back with the name and the code that people saw, so that the room can compare them with
what is true when it acts.
"""

from dataclasses import replace

from conclave_hal.panel import (
    CONCERNS_A_MEMBER,
    CONCERNS_A_REQUEST,
    CONCERNS_AN_INVITATION,
    ActionKind,
    Lock,
    MeetingState,
    PanelAction,
    PanelParticipant,
    PanelView,
)

_FOR_HOSTS = frozenset(
    {
        ActionKind.ADMIT,
        ActionKind.DENY,
        ActionKind.KICK,
        ActionKind.ALLOW_BACK,
        ActionKind.HAND_OVER,
        ActionKind.END_FOR_ALL,
    }
)

_ABOUT_INCOMING = frozenset({ActionKind.ACCEPT_JOIN, ActionKind.REFUSE_JOIN})


def meant(view: PanelView | None, action: PanelAction) -> PanelAction | None:
    """Return the press with what stood on `view`, or None where nothing of the kind did."""
    if action.kind in CONCERNS_AN_INVITATION:
        return action if view is not None and _can_join(view, action.invitation_id) else None
    if action.kind in _ABOUT_INCOMING:
        return _about_incoming(view, action)
    concerns_the_meeting = action.kind in _FOR_HOSTS | CONCERNS_A_MEMBER | {ActionKind.SPEAK_CODE}
    if not concerns_the_meeting:
        return action
    if view is None or view.state is not MeetingState.IN_MEETING:
        return None
    if action.kind in _FOR_HOSTS and not view.is_host:
        return None
    if action.kind is ActionKind.SPEAK_CODE:
        # A code behind a lock that is not closed is struck out: nobody is to compare it.
        is_current = view.security_code and view.lock is Lock.LOCKED
        return replace(action, code_epoch=view.code_epoch) if is_current else None
    if action.kind in CONCERNS_A_REQUEST:
        return action if action.request_id in _requests(view, action.kind) else None
    if action.kind in CONCERNS_A_MEMBER:
        participant = _member(view, action.leaf)
        if participant is None:
            return None
        if action.kind in (ActionKind.COMPARED, ActionKind.NOT_COMPARED):
            if not view.security_code:
                return None
            action = replace(action, code_epoch=view.code_epoch)
        return replace(action, name=participant.name, key_id=participant.key_id)
    return action


def _about_incoming(view: PanelView | None, action: PanelAction) -> PanelAction | None:
    """To accept is to accept the meeting that stood there; to refuse is right for any."""
    if view is None or view.incoming is None:
        return None
    return replace(action, name=view.incoming.title) if action.kind is ActionKind.ACCEPT_JOIN else action


def _can_join(view: PanelView, invitation_id: str) -> bool:
    is_free = view.state in (MeetingState.IDLE, MeetingState.LEFT)
    return is_free and any(i.invitation_id == invitation_id for i in view.invitations)


def _requests(view: PanelView, kind: ActionKind) -> set[str]:
    if kind is ActionKind.ALLOW_BACK:
        return {removed.key_id for removed in view.removed}
    return {request.request_id for request in view.lobby}


def _member(view: PanelView, leaf: int) -> PanelParticipant | None:
    """Another member: nothing of this is done to oneself."""
    return next((p for p in view.participants if p.leaf == leaf >= 0 and not p.is_self), None)
