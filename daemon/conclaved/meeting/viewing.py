"""From the parts of a session to the one value that panel and D-Bus show."""

from conclaved.identity import claimed_name
from conclaved.meeting.entering import Entering
from conclaved.meeting.hosting import Hosting
from conclaved.meeting.joining import Joining
from conclaved.meeting.membership import Membership
from conclaved.meeting.minding import Minding
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import SUITE, OwnSide
from conclaved.meeting.view import MeetingView, State


def view_of(
    state: State,
    own: OwnSide,
    member: Membership,
    joining: Joining,
    entering: Entering,
    hosting: Hosting,
    minding: Minding,
    out: Outbox,
    *,
    is_leaving: bool,
    behind: str,
) -> MeetingView:
    """The view: of the group only while this device is in it, of the lobby only for hosts."""
    content = own.invitation.content
    is_in = state is State.IN_GROUP
    is_host = is_in and own.is_host
    participants = member.participants() if is_in else ()
    has_code = is_in and not member.is_alone
    return MeetingView(
        state=state,
        meeting_id=content.meeting_id,
        title=content.title,
        level=content.level.value,
        service=content.service,
        epoch=member.group.epoch if is_in and member.group else 0,
        suite=SUITE.name,
        code_epoch=member.code.epoch,
        code_time=member.code.time if has_code else 0,
        code_reason=member.code.reason if has_code else "",
        security_code=member.code.code if has_code else "",
        participants=participants,
        lobby=hosting.waiting() if is_host else (),
        removed=hosting.removing.removed() if is_host else (),
        missing=member.missing(own.invitation, participants) if is_in else (),
        is_host=is_host,
        is_leaving=is_leaving,
        behind=behind,
        minds=minding.reason,
        leaving_in_s=minding.leaving_in_s,
        is_kept_waiting=joining.is_kept_waiting,
        is_invited=content.expects(claimed_name(own.identity.chain[0]).lower()),
        waits_for=_waits_for(state, joining, entering),
        news=out.news,
        alarms=member.alarms.words,
    )


def _waits_for(state: State, joining: Joining, entering: Entering) -> str:
    if state is State.OFFERING and entering.waits_for:
        return entering.waits_for
    return joining.waits_for if state in (State.ASKING, State.OFFERING) else ""
