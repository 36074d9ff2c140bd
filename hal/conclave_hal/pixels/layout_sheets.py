"""What people open over a meeting: one participant, the details behind the lock, the large code, leaving."""

from conclave_hal.panel import ActionKind, PanelAction, PanelParticipant, PanelView
from conclave_hal.pixels import meaning
from conclave_hal.pixels.fonts import Face
from conclave_hal.pixels.layout_meeting import CONTROLS, code_digits
from conclave_hal.pixels.navigation import Ask, Back, Listing, Open, Press, Sheet
from conclave_hal.pixels.page import Page
from conclave_hal.pixels.scene import Box, Shape, Tone
from conclave_hal.pixels.typesetting import name_text


def person(page: Page, view: PanelView, box: Box) -> None:
    """Who it is, who says so, and what people here can do about it."""
    found = next((p for p in view.participants if p.leaf == page.opened.leaf), None)
    foot, box = _foot(page, view, box, _member_buttons(view, found))
    if found is None:
        return
    separator, box = box.top(page.px(2), page.px(18))
    page.fill(separator, Tone.LINE)
    verified = meaning.is_verified(found.assurance)
    tone = Tone.SAFE if verified else Tone.WARNING
    head, box = box.top(page.px(96), page.px(14))
    mark, text = head.start(page.px(72), page.px(20))
    page.sign(mark.centre(page.px(72), page.px(72)), Shape.TICK if verified else Shape.TRIANGLE, tone)
    upper, lower = page.two_lines(text, 44, 28)
    page.line(upper, meaning.person_name(found.name, found.assurance), 44, face=Face.BOLD, least=28)
    page.line(lower, meaning.assurance_word(found.assurance, page.words), 28, face=Face.BOLD, tone=tone)
    for shape, line in _facts(page, found):
        if box.height < page.px(40):
            break
        row, after = box.top(page.px(40))
        mark, text = row.start(page.px(72), page.px(20))
        if shape is not None:
            page.sign(mark.centre(page.px(32), page.px(32)), shape, Tone.MUTED)
        whole = Box(text.x, text.y, text.width, box.height)
        rest = page.paragraph(whole, line, 26, max_lines=2)
        box = Box(box.x, max(after.y, rest.y), box.width, max(0, box.bottom - max(after.y, rest.y)))
    _member_controls(page, view, found, foot)


def _facts(page: Page, found: PanelParticipant) -> list[tuple[Shape | None, str]]:
    words = page.words
    facts = [words.this_room] if found.is_self else []
    facts.append(meaning.role_word(found.role, words))
    if not found.is_self and not found.is_expected:
        facts.append(words.not_expected)
    lines: list[tuple[Shape | None, str]] = [(None, " · ".join(facts))]
    if found.is_compared:
        lines.append((Shape.CHECKED, words.compared))
    if found.reason:
        lines.append((None, name_text(found.reason, max_length=200)))
    if found.issuer:
        lines.append((None, words.issued_by.format(name=name_text(found.issuer))))
    if found.vouched_by:
        lines.append((None, words.admitted_by.format(name=name_text(found.vouched_by))))
    if found.microphone == "muted":
        lines.append((Shape.MICROPHONE_OFF, words.microphone_muted))
    if found.camera == "closed":
        lines.append((Shape.SHUTTER, words.shutter_closed))
    elif found.camera == "muted":
        lines.append((Shape.CAMERA_OFF, words.camera_muted))
    return lines


def _member_buttons(view: PanelView, found: PanelParticipant | None) -> int:
    """How many buttons beside Back."""
    if found is None or found.is_self:
        return 0
    return int(meaning.is_code_current(view)) + int(_may_be_host(view, found)) + int(view.is_host)


def _may_be_host(view: PanelView, found: PanelParticipant) -> bool:
    return view.is_host and found.role not in ("host", "service end")


def _foot(page: Page, view: PanelView, box: Box, buttons: int) -> tuple[Box, Box]:
    rows = 2 if page.screen.is_portrait and buttons > 1 else 1
    return box.foot(page.px(rows * CONTROLS + (rows - 1) * 12), page.px(14))


def _foot_columns(page: Page, box: Box) -> list[Box]:
    return box.columns(2 if page.screen.is_portrait else 3, page.px(14))


def _member_controls(page: Page, view: PanelView, found: PanelParticipant, box: Box) -> None:
    words = page.words
    count = 1 + _member_buttons(view, found)
    if page.screen.is_portrait and count > 2:
        cells = [cell for row in box.rows(2, page.px(12)) for cell in row.columns(2, page.px(12))]
    else:
        cells = box.columns(max(3, count), page.px(14))
    page.button(cells[0], words.back, Back(), shape=Shape.BACK)
    if found.is_self:
        return
    left = cells[1:]
    if meaning.is_code_current(view):
        kind = ActionKind.NOT_COMPARED if found.is_compared else ActionKind.COMPARED
        text = words.untick if found.is_compared else words.tick
        shape = Shape.CHECKED if found.is_compared else Shape.UNCHECKED
        press = Press(PanelAction(kind, leaf=found.leaf))
        page.button(left.pop(0), text, press, shape=shape)
    if _may_be_host(view, found):
        ask = Ask(PanelAction(ActionKind.HAND_OVER, leaf=found.leaf), found.name, found.key_id)
        page.button(left.pop(0), words.make_host, ask)
    if view.is_host:
        ask = Ask(PanelAction(ActionKind.KICK, leaf=found.leaf), found.name, found.key_id)
        page.button(left.pop(0), words.remove, ask, shape=Shape.CROSS, tone=Tone.ALARM)


def code(page: Page, view: PanelView, box: Box) -> None:
    """The digits as large as they can be, in three rows of two groups or two of three."""
    foot, box = box.foot(page.px(CONTROLS), page.px(12))
    head, box = box.top(page.px(38), page.px(6))
    tone = Tone.MUTED if meaning.is_code_current(view) else Tone.ALARM
    page.line(head, meaning.code_caption(view, page.words), 24, tone=tone, least=15)
    three_rows = min(box.width / 2, box.height / 3 * 3.2)
    two_rows = min(box.width / 3, box.height / 2 * 3.2)
    code_digits(page, view, box, 2 if three_rows >= two_rows else 3)
    back, speak = _foot_columns(page, foot)[:2]
    page.button(back, page.words.back, Back(), shape=Shape.BACK)
    if meaning.is_code_current(view):
        press = Press(PanelAction(ActionKind.SPEAK_CODE))
        page.button(speak, page.words.speak, press, why=page.words.speak_why, shape=Shape.SPEAKER)


def leave(page: Page, view: PanelView, box: Box) -> None:
    """Leave, or end for all; hosts also see whom they threw out."""
    words = page.words
    foot, box = box.foot(page.px(CONTROLS), page.px(14))
    separator, box = box.top(page.px(2), page.px(20))
    page.fill(separator, Tone.LINE)
    box = page.paragraph(box, words.leave_question, 36, face=Face.BOLD, max_lines=1)
    _, box = box.top(page.px(16))
    choices = [(words.leave, words.leave_why, Press(PanelAction(ActionKind.LEAVE)), Shape.LEAVE)]
    row, box = box.top(page.px(110), page.px(24))
    cells = row.columns(2, page.px(20))
    for text, why, press, shape in choices:
        page.button(cells[0], text, press, why=why, shape=shape, tone=Tone.ALARM)
    if view.is_host:
        ask = Ask(PanelAction(ActionKind.END_FOR_ALL))
        page.button(
            cells[1], words.end_for_all, ask, why=words.end_for_all_why, shape=Shape.CROSS, tone=Tone.ALARM
        )
        _removed(page, view, box)
    page.button(_foot_columns(page, foot)[0], words.back, Back(), shape=Shape.BACK)


def _removed(page: Page, view: PanelView, box: Box) -> None:
    if not view.removed:
        return
    head, box = box.top(page.px(40), page.px(6))
    per_page = max(1, box.height // page.px(72))
    head = page.turner(head, Listing.REMOVED, per_page, len(view.removed))
    page.line(head, page.words.removed, 22, tone=Tone.MUTED, least=16)
    for at in page.shown(Listing.REMOVED, per_page, len(view.removed)):
        removed = view.removed[at]
        row, box = box.top(page.px(64), page.px(8))
        button, text = row.end(page.px(260), page.px(20))
        name = name_text(removed.name) if removed.name else page.words.somebody
        page.line(text, name, 26, least=20)
        press = Press(PanelAction(ActionKind.ALLOW_BACK, request_id=removed.key_id))
        page.button(button, page.words.allow_back, press)


def confirm(page: Page, view: PanelView, box: Box) -> None:
    """The question before what cannot be taken back."""
    words = page.words
    action = page.opened.asked
    foot, box = box.foot(page.px(110), page.px(20))
    separator, box = box.top(page.px(2), page.px(30))
    page.fill(separator, Tone.LINE)
    name = name_text(page.opened.name)
    kind = action.kind if action is not None else None
    question, why, text = {
        ActionKind.KICK: (words.remove_question.format(name=name), words.remove_meaning, words.remove),
        ActionKind.HAND_OVER: (words.host_question.format(name=name), words.host_meaning, words.make_host),
    }.get(kind or ActionKind.END_FOR_ALL, (words.end_question, words.end_for_all_why, words.end_for_all))
    box = page.paragraph(box, question, 44, face=Face.BOLD, max_lines=2)
    _, box = box.top(page.px(16))
    page.paragraph(box, why, 28, tone=Tone.MUTED, max_lines=3)
    back, do = foot.columns(2, page.px(20))
    page.button(back, words.back, Back(), shape=Shape.BACK)
    if action is not None:
        tone = Tone.TEXT if kind is ActionKind.HAND_OVER else Tone.ALARM
        page.button(do, text, Press(action), tone=tone)


def details(page: Page, view: PanelView, box: Box) -> None:
    """What protects the meeting, who vouches for whom, and a QR code with the digits."""
    words = page.words
    foot, box = box.foot(page.px(CONTROLS), page.px(12))
    page.button(_foot_columns(page, foot)[0], words.back, Back(), shape=Shape.BACK)
    separator, box = box.top(page.px(2), page.px(12))
    page.fill(separator, Tone.LINE)
    if page.screen.is_portrait:
        first, second = box.top(round(box.height * 0.55), page.px(16))
    else:
        first, second = box.start(round(box.width * 0.6), page.px(30))
    _vouching(page, view, _protection(page, view, first))
    second = _phone(page, view, second)
    for text in (words.service_sees, words.service_cannot, words.not_settled):
        second = page.paragraph(second, text, 19, tone=Tone.MUTED, max_lines=3)
        _, second = second.top(page.px(6))


def _protection(page: Page, view: PanelView, box: Box) -> Box:
    words = page.words
    row, box = box.top(page.px(40), page.px(4))
    page.line(row, words.details, 28, face=Face.BOLD, least=22)
    epoch = words.epoch_value.format(epoch=view.epoch, code_epoch=view.code_epoch)
    facts = (
        (words.key_agreement, view.suite),
        (words.sound_and_picture, view.sframe_suite),
        (words.epoch, epoch),
        (words.who_may_join, meaning.level_word(view.level, words)),
        (words.service, view.service),
    )
    for term, value in facts:
        said = name_text(value) if value else words.none_now
        row, box = box.top(page.px(32))
        left, right = row.start(round(row.width * 0.3), page.px(12))
        page.line(left, term, 21, tone=Tone.MUTED, least=16)
        page.line(right, said, 21, least=15)
    return box.top(page.px(12))[1]


def _vouching(page: Page, view: PanelView, box: Box) -> None:
    words = page.words
    people = meaning.ordered_people(view)
    head, box = box.top(page.px(38), page.px(8))
    per_page = max(1, box.height // page.px(62))
    head = page.turner(head, Listing.VOUCHING, per_page, len(people))
    page.line(head, words.who_vouches, 24, face=Face.BOLD, least=18)
    for at in page.shown(Listing.VOUCHING, per_page, len(people)):
        found = people[at]
        row, box = box.top(page.px(62))
        verified = meaning.is_verified(found.assurance)
        mark, text = row.start(page.px(30), page.px(12))
        tone = Tone.SAFE if verified else Tone.WARNING
        page.sign(mark.centre(page.px(30), page.px(30)), Shape.TICK if verified else Shape.TRIANGLE, tone)
        upper, lower = page.two_lines(text, 23, 19)
        page.line(upper, meaning.person_name(found.name, found.assurance), 23, least=19)
        because = [
            words.issued_by.format(name=name_text(found.issuer)) if found.issuer else "",
            words.admitted_by.format(name=name_text(found.vouched_by)) if found.vouched_by else "",
        ]
        page.line(lower, " · ".join(filter(None, because)), 19, tone=Tone.MUTED)
        page.touch(row.inset(0, page.px(2)), Open(Sheet.PERSON, found.leaf, found.name, found.key_id))


def _phone(page: Page, view: PanelView, box: Box) -> Box:
    """Only for a code that stands: nobody is to compare another one."""
    if not meaning.is_code_current(view):
        return box
    head, box = box.top(page.px(40), page.px(4))
    page.line(head, page.words.with_a_phone, 24, face=Face.BOLD, least=18)
    side = min(page.px(232), box.width, round(box.height * 0.5))
    place, after = box.top(side, page.px(8))
    matrix, text = place.start(side, page.px(18))
    page.matrix(matrix, meaning.phone_text(view))
    if text.width > page.px(150):
        page.paragraph(text, page.words.phone_meaning, 20, tone=Tone.MUTED, max_lines=7)
    return after
