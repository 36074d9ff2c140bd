"""From a session's view, and from the media engine's figures, to what D-Bus shows. Pure."""

from conclave_hal.media import StreamReport
from conclaved.bus.room import MeetingStatus, ParticipantStatus, RemovedStatus, RequestStatus, StreamStatus
from conclaved.media import MediaStats
from conclaved.meeting import Level, MeetingView, Role, State

NO_HOST = "no host is in the meeting: nobody can decide who is let in"
_STATES = {
    State.CONNECTING: "joining",
    State.FOUNDING: "joining",
    State.ASKING: "joining",
    State.OFFERING: "joining",
    State.IN_GROUP: "in_meeting",
    State.ENDED: "left",
}


def lock_of(view: MeetingView) -> str:
    """The sign on the panel (DESIGN §1, *Lock*)."""
    if view.state is State.ENDED:
        return "none"
    if view.state is not State.IN_GROUP:
        return "opening"
    if view.behind or view.alarms:
        return "broken"
    # Who is on the way out sends nothing any more.
    return "locked" if view.may_send else "opening"


def meeting_status(view: MeetingView) -> MeetingStatus:
    """A meeting for D-Bus."""
    notices = view.alarms + ((f"not sending: {view.behind}",) if view.behind else ())
    notices += (f"waiting: {view.waits_for}",) if view.waits_for else ()
    if len(view.participants) > 1 and not any(p.role is Role.HOST for p in view.participants):
        notices += (NO_HOST,)
    waits_for_a_person = view.state is State.ASKING and view.is_kept_waiting
    return MeetingStatus(
        state="lobby" if waits_for_a_person else _STATES[view.state],
        lock=lock_of(view),
        meeting_id=view.meeting_id.hex(),
        title=view.title,
        level=view.level,
        service=view.service,
        epoch=view.epoch,
        code_epoch=view.code_epoch,
        code_reason=view.code_reason,
        code_time=view.code_time,
        security_code=view.security_code,
        suite=view.suite,
        is_host=view.is_host,
        participants=tuple(
            ParticipantStatus(
                leaf=p.leaf,
                name=p.name,
                assurance=p.assurance.value,
                role=p.role.word,
                is_self=p.is_self,
                is_heard=p.is_heard,
                reason=p.reason,
                issuer=p.issuer,
                admitted_by=p.admitted_by,
                is_expected=p.is_expected,
                is_compared=p.is_compared,
                key_id=p.key_id,
                microphone=p.microphone.value,
                camera=p.camera.value,
            )
            for p in view.participants
        ),
        lobby=tuple(
            RequestStatus(
                w.request_id,
                w.name,
                w.verdict.assurance.value,
                w.verdict.reason,
                w.obstacle(Level(view.level)) or "",
            )
            for w in view.lobby
        ),
        missing=view.missing,
        minds=view.minds,
        leaving_in_s=view.leaving_in_s,
        removed=tuple(RemovedStatus(r.key_id, r.name) for r in view.removed),
        notices=notices,
        news=view.news,
        is_invited=view.is_invited,
    )


def frames_refused(stats: MediaStats) -> int:
    """Ciphertexts that no key opened, whatever the reason: nobody can know whose they were."""
    return sum(stats.keyring.refused.values())


def stream_statuses(view: MeetingView, stats: MediaStats) -> tuple[StreamStatus, ...]:
    """What was sent and received, a line a stream."""
    streams = []
    for participant in view.participants:
        if participant.is_self:
            for kind, sent in (("audio", stats.microphone), ("video", stats.camera)):
                streams.append(
                    StreamStatus(
                        participant.leaf, participant.name, kind, True, sent.frames_sent, 0, 0, 0, {}
                    )
                )
            continue
        received = stats.participant(participant.leaf)
        for kind, stream in (("audio", received.microphone), ("video", received.camera)):
            report = stream.report or StreamReport()
            streams.append(
                StreamStatus(
                    leaf=participant.leaf,
                    name=participant.name,
                    kind=kind,
                    is_self=False,
                    frames_sent=0,
                    frames_decrypted=stream.frames_opened,
                    frames_undecodable=stream.frames_failed,
                    frames_decoded=report.frames_decoded,
                    detail=report.detail,
                )
            )
    return tuple(streams)
