"""Pages outside a meeting: the day's invitations, a join that somebody asked for, waiting, and after it."""

from conclave_hal.panel import (
    ActionKind,
    MeetingState,
    PanelAction,
    PanelIncoming,
    PanelInvitation,
    PanelView,
)
from conclave_hal.pixels import meaning
from conclave_hal.pixels.fonts import Face
from conclave_hal.pixels.layout_meeting import CONTROLS, mute_buttons
from conclave_hal.pixels.navigation import Listing, Press
from conclave_hal.pixels.page import Page
from conclave_hal.pixels.scene import Align, Box, Shape, Tone
from conclave_hal.pixels.typesetting import name_text

INVITATION = 96
INVITATION_UPRIGHT = 134


def stage(page: Page, view: PanelView, box: Box) -> None:
    """Idle, joining, in the lobby, or gone."""
    foot, box = _foot(page, view, box)
    separator, box = box.top(page.px(2), page.px(12))
    page.fill(separator, Tone.LINE)
    is_idle = view.state in (MeetingState.IDLE, MeetingState.LEFT)
    if view.state is MeetingState.LEFT:
        title = name_text(view.title) if view.title else ""
        box = page.paragraph(box, page.words.left_line.format(title=title), 30, face=Face.BOLD, max_lines=2)
        box = page.paragraph(box, page.words.left_meaning, 24, tone=Tone.MUTED, max_lines=2)
        _, box = box.top(page.px(12))
    if is_idle:
        if not view.room:
            box = page.paragraph(box, page.words.no_certificate, 30, max_lines=3)
            _, box = box.top(page.px(12))
        if view.room or view.invitations:
            _invitations(page, view, box)
    else:
        _waiting(page, view, box)
    _buttons(page, view, foot)


def _foot(page: Page, view: PanelView, box: Box) -> tuple[Box, Box]:
    rows = 2 if page.screen.is_portrait and _waits(view) else 1
    return box.foot(page.px(rows * CONTROLS + (rows - 1) * 12), page.px(14))


def _waits(view: PanelView) -> bool:
    return view.state in (MeetingState.JOINING, MeetingState.LOBBY)


def _buttons(page: Page, view: PanelView, box: Box) -> None:
    if not _waits(view):
        first, second = box.columns(2, page.px(14))
        mute_buttons(page, view, first, second)
        return
    if page.screen.is_portrait:
        upper, last = box.rows(2, page.px(12))
        first, second = upper.columns(2, page.px(12))
    else:
        first, second, last = box.columns(3, page.px(14))
    mute_buttons(page, view, first, second)
    page.button(
        last,
        page.words.do_not_join,
        Press(PanelAction(ActionKind.LEAVE)),
        why=page.words.do_not_join_why,
        shape=Shape.LEAVE,
        tone=Tone.ALARM,
    )


def _invitations(page: Page, view: PanelView, box: Box) -> None:
    head, box = box.top(page.px(44), page.px(8))
    height = INVITATION_UPRIGHT if page.screen.is_portrait else INVITATION
    per_page = max(1, (box.height + page.px(12)) // page.px(height + 12))
    head = page.turner(head, Listing.INVITATIONS, per_page, len(view.invitations))
    page.line(head, page.words.todays_meetings, 26, face=Face.BOLD)
    if not view.invitations:
        page.line(box.top(page.px(44))[0], page.words.no_meetings, 26, tone=Tone.MUTED)
    for at in page.shown(Listing.INVITATIONS, per_page, len(view.invitations)):
        row, box = box.top(page.px(height), page.px(12))
        _invitation(page, view.invitations[at], row)


def _invitation(page: Page, invitation: PanelInvitation, box: Box) -> None:
    page.fill(box, Tone.SURFACE, radius=12, border=Tone.SAFE if invitation.is_now else Tone.LINE)
    inside = box.inset(page.px(18), page.px(10))
    button, inside = inside.end(page.px(190), page.px(18))
    press = Press(PanelAction(ActionKind.JOIN, invitation_id=invitation.invitation_id))
    page.button(button, page.words.join, press, is_primary=invitation.is_now)
    host = page.words.invited_by.format(name=name_text(invitation.host))
    if page.screen.is_portrait:
        clock, inside = inside.top(page.px(36))
        time, now = clock.start(page.px(200), page.px(12))
        page.line(time, name_text(invitation.time), 26, face=Face.BOLD, least=20)
        if invitation.is_now:
            page.line(now, page.words.now, 22, face=Face.BOLD, tone=Tone.SAFE)
        upper, lower = page.two_lines(inside, 30, 22)
        page.line(upper, name_text(invitation.title), 30, face=Face.BOLD, least=24)
        page.line(lower, host, 22, tone=Tone.MUTED)
        return
    clock, inside = inside.start(page.px(190), page.px(18))
    if invitation.is_now:
        upper, lower = page.two_lines(clock, 26, 22)
        page.line(upper, name_text(invitation.time), 26, face=Face.BOLD, least=20)
        page.line(lower, page.words.now, 22, face=Face.BOLD, tone=Tone.SAFE)
    else:
        page.line(clock, name_text(invitation.time), 26, face=Face.BOLD, least=20)
    upper, lower = page.two_lines(inside, 30, 22)
    page.line(upper, name_text(invitation.title), 30, face=Face.BOLD, least=24)
    page.line(lower, host, 22, tone=Tone.MUTED)


def _waiting(page: Page, view: PanelView, box: Box) -> None:
    words = page.words
    lock = meaning.lock(view, words)
    shape = page.px(200)
    if page.screen.is_portrait:
        place, text = box.top(shape + page.px(40), page.px(20))
    else:
        place, text = box.start(shape + page.px(60), page.px(30))
    page.sign(place.centre(round(shape * 0.88), shape), lock.shape, lock.tone)
    align = Align.CENTRE if page.screen.is_portrait else Align.START
    if not page.screen.is_portrait:
        text = text.centre(text.width, min(text.height, page.px(300)))
    if view.title:
        text = page.paragraph(text, name_text(view.title), 46, face=Face.BOLD, align=align, max_lines=2)
    line = words.joining_line
    if view.state is MeetingState.LOBBY:
        line = words.invited_line if view.is_invited else words.lobby_line
    text = page.paragraph(text, line, 30, align=align, max_lines=2)
    _, text = text.top(page.px(14))
    note = words.nothing_leaves
    if view.state is MeetingState.LOBBY and view.room:
        note = f"{words.seen_as.format(name=name_text(view.room))} {note}"
    page.paragraph(text, note, 24, tone=Tone.MUTED, align=align, max_lines=3)


def incoming(page: Page, asked: PanelIncoming, box: Box) -> None:
    """A join from outside: it says who, counts down, and can be refused."""
    words = page.words
    foot, box = box.foot(page.px(120), page.px(20))
    separator, box = box.top(page.px(2), page.px(24))
    page.fill(separator, Tone.LINE)
    box = page.paragraph(box, name_text(asked.title), 52, face=Face.BOLD, max_lines=2)
    _, box = box.top(page.px(8))
    box = page.paragraph(box, words.asked_by.format(who=name_text(asked.asked_by)), 30, max_lines=2)
    _, box = box.top(page.px(24))
    count, box = box.top(page.px(80), page.px(12))
    mark, count = count.start(page.px(64), page.px(20))
    page.sign(mark.centre(page.px(64), page.px(64)), Shape.CLOCK, Tone.WARNING)
    text = words.plural(words.joins_in, asked.seconds)
    page.line(count, text, 60, face=Face.BOLD, tone=Tone.WARNING, least=36)
    page.paragraph(box, words.starts_muted, 26, tone=Tone.MUTED, max_lines=3)
    refuse, accept = foot.columns(2, page.px(20))
    page.button(refuse, words.refuse, Press(PanelAction(ActionKind.REFUSE_JOIN)), tone=Tone.ALARM)
    # Its title is part of the target: a meeting that takes another's place has to settle under the finger.
    press = Press(PanelAction(ActionKind.ACCEPT_JOIN, name=asked.title))
    page.button(accept, words.join_now, press, is_primary=True)
