"""From snapshots to what the panel shows. Pure."""

from dataclasses import dataclass

from conclave_hal.panel import (
    Lock,
    MeetingState,
    PanelIncoming,
    PanelInvitation,
    PanelParticipant,
    PanelRemoved,
    PanelRequest,
    PanelView,
)
from conclaved.bus.room import HardwareStatus, MeetingStatus

LEFT = "left the meeting"
REFUSED_HERE = "people in the room refused to join"
MOST_MISSING = 40
"""More names nobody reads on a panel; the last line counts the others."""
SFRAME_SUITE = "AES_128_GCM_SHA256_128"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a panel shows beside meeting and hardware."""

    room: str
    """This room's domain; empty before enrollment."""
    notices: tuple[str, ...] = ()
    """Beside the meeting's."""
    invitations: tuple[PanelInvitation, ...] = ()
    certificate_days: int | None = None
    language: str = "en"


def panel_view(serial: int, beside: Beside, meeting: MeetingStatus, hardware: HardwareStatus) -> PanelView:
    """The complete view."""
    return PanelView(
        serial=serial,
        room=beside.room,
        state=MeetingState.IDLE if _was_never_in(meeting) else MeetingState(meeting.state),
        lock=_lock(meeting),
        title="" if _was_never_in(meeting) else meeting.title,
        level=meeting.level,
        participants=tuple(
            PanelParticipant(
                name=p.name,
                assurance=p.assurance,
                role=p.role,
                is_self=p.is_self,
                is_heard=p.is_heard,
                vouched_by=p.admitted_by,
                reason=p.reason,
                issuer=p.issuer,
                leaf=p.leaf,
                key_id=p.key_id,
                is_expected=p.is_expected,
                is_compared=p.is_compared,
                microphone=p.microphone,
                camera=p.camera,
            )
            for p in meeting.participants
        ),
        lobby=tuple(
            PanelRequest(r.request_id, r.name, r.assurance, r.reason, r.obstacle) for r in meeting.lobby
        ),
        security_code=meeting.security_code,
        epoch=meeting.epoch,
        code_epoch=meeting.code_epoch,
        code_reason=meeting.code_reason,
        code_time=meeting.code_time,
        suite=meeting.suite,
        sframe_suite=SFRAME_SUITE if meeting.suite else "",
        camera_muted=hardware.camera_muted,
        microphone_muted=hardware.microphone_muted,
        shutter=hardware.shutter,
        mute_switch=hardware.mute_switch,
        tamper=hardware.tamper,
        is_host=meeting.is_host,
        missing=_few(meeting.missing),
        removed=tuple(PanelRemoved(r.key_id, r.name) for r in meeting.removed),
        minds=meeting.minds,
        leaving_in_s=meeting.leaving_in_s,
        notices=(*_notices(meeting), *beside.notices),
        news=meeting.news,
        is_invited=meeting.is_invited,
        service=meeting.service,
        invitations=beside.invitations,
        incoming=_incoming(meeting),
        refused=meeting.refused,
        certificate_days=beside.certificate_days,
        language=beside.language,
    )


def _lock(meeting: MeetingStatus) -> Lock:
    """Never more than the meeting's state justifies: outside of a meeting nothing is locked."""
    if meeting.lock == Lock.LOCKED.value and meeting.state != MeetingState.IN_MEETING.value:
        return Lock.BROKEN
    return Lock(meeting.lock)


def _was_never_in(meeting: MeetingStatus) -> bool:
    """Whether people have refused to join: no meeting was left then, and the room is as it was."""
    return meeting.state == "left" and meeting.left_reason == REFUSED_HERE


def _incoming(meeting: MeetingStatus) -> PanelIncoming | None:
    if not meeting.joining_in_s:
        return None
    return PanelIncoming(meeting.title, meeting.asked_by, meeting.joining_in_s)


def _few(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) <= MOST_MISSING:
        return names
    return (*names[:MOST_MISSING], f"and {len(names) - MOST_MISSING} more")


def _notices(meeting: MeetingStatus) -> tuple[str, ...]:
    """What is wrong. Why a meeting ended is, unless people left or `refused` says it."""
    if meeting.state != "left":
        return meeting.notices
    is_said = meeting.left_reason in (LEFT, REFUSED_HERE) or bool(meeting.refused)
    return () if is_said else (meeting.left_reason,)
