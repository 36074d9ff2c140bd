"""The page of a meeting: the code, who is in, who waits, and the buttons under it."""

from conclave_hal.panel import ActionKind, PanelAction, PanelParticipant, PanelRequest, PanelView
from conclave_hal.pixels import meaning
from conclave_hal.pixels.fonts import Face
from conclave_hal.pixels.navigation import Listing, Open, Press, Sheet
from conclave_hal.pixels.page import Page
from conclave_hal.pixels.scene import Align, Box, Shape, Tone
from conclave_hal.pixels.typesetting import name_text

DIGITS_IN_A_GROUP = 5
WITH_EASE_ARC_MINUTES = 20.0
"""Of a digit, for somebody three metres away; 16 are the least (DESIGN §4)."""
ROW = 64
LOBBY = 176
"""Its heading and one card."""
CONTROLS = 80


def meeting(page: Page, view: PanelView, box: Box) -> None:
    """All of it."""
    controls = _controls_height(page, view)
    foot, box = box.foot(controls, page.px(12))
    box = _code_section(page, view, box, _room_for_code(page, view, box.height))
    _lists(page, view, box)
    _controls(page, view, foot)


def _room_for_code(page: Page, view: PanelView, height: int) -> int:
    """All that the lists can spare; once it can be read with ease, people who would not fit come first."""
    groups_high = 6 // _arrangement(page)
    with_ease = groups_high * ROW_PITCH * page.screen.pixels_of(WITH_EASE_ARC_MINUTES) + page.px(96)
    columns = 2 if page.screen.is_portrait or view.lobby else 3
    people = 40 + -(-len(view.participants) // columns) * ROW
    if view.lobby:
        people = people + 10 + LOBBY if page.screen.is_portrait else max(people, LOBBY)
    spared = height - page.px(_least_of_lists(page, view))
    return min(spared, max(round(with_ease), height - page.px(people)))


def _least_of_lists(page: Page, view: PanelView) -> float:
    """Units that the people, and a card of who waits, cannot do without."""
    people = 40 + 2 * ROW
    if not view.lobby:
        return people
    return people + 10 + LOBBY if page.screen.is_portrait else max(people, LOBBY)


def _code_section(page: Page, view: PanelView, box: Box, room: int) -> Box:
    """As tall as the code wants, `room` at most."""
    separator, box = box.top(page.px(2), page.px(8))
    page.fill(separator, Tone.LINE)
    head, box = box.top(page.px(34), page.px(4))
    title = page.words.security_code
    wide = round(page.typesetter.width(title, page.style(23, Face.BOLD))) + 2
    left, right = head.start(min(wide, head.width), page.px(18))
    page.line(left, title, 23, face=Face.BOLD)
    current = meaning.is_code_current(view)
    tone = Tone.MUTED if current or not view.security_code else Tone.ALARM
    page.line(right, meaning.code_caption(view, page.words), 22, tone=tone, least=15)
    begun = head
    reason = meaning.code_reason(view, page.words)
    news = name_text(view.news[-1]) if view.news else ""
    if view.security_code:
        left_over = room - page.px(66) - (page.px(30) if reason or news else 0)
        height = code_height(page, box.width, left_over)
        place, box = box.top(height, page.px(4))
        code_digits(page, view, place)
        page.touch(Box(head.x, head.y, head.width, place.bottom - head.y), Open(Sheet.CODE))
    if reason or news:
        begun, box = box.top(page.px(30))
        _reason_and_news(page, reason, news, begun)
    _, box = Box(box.x, max(box.y, begun.bottom), box.width, box.height).top(page.px(6))
    separator, box = box.top(page.px(2), page.px(6))
    page.fill(separator, Tone.LINE)
    return box


def _reason_and_news(page: Page, reason: str, news: str, box: Box) -> None:
    """Why the code is what it is; what happened last stands beside it while it is new."""
    if news:
        wide = round(page.typesetter.width(news, page.style(21))) + 2
        place, box = box.end(min(wide, box.width // 2 if reason else box.width), page.px(24))
        page.line(place, news, 21, align=Align.END)
    if reason:
        page.line(box, reason, 21, tone=Tone.MUTED)


def _arrangement(page: Page) -> int:
    """Groups in a row: three on a screen that lies, two on one that stands."""
    return 2 if page.screen.is_portrait else 3


def _size(page: Page, width: int, height: int, in_a_row: int) -> int:
    """Of the digits, so that all rows fit."""
    rows = 6 // in_a_row
    # Ten digits in a row of 800 pixels leave less between the groups, and are read none the worse.
    gap = 0.28 if in_a_row == 2 else 0.36
    ems = in_a_row * DIGITS_IN_A_GROUP * page.typesetter.digit_advance + (in_a_row - 1) * gap
    return min(int(width / ems), int(height / rows / (page.typesetter.digit_height * ROW_PITCH)))


ROW_PITCH = 1.22
"""From one row of digits to the next, for a digit's height."""


def code_height(page: Page, width: int, room: int) -> int:
    """What the code takes on the meeting's page: as large as its width lets it be, within `room`."""
    in_a_row = _arrangement(page)
    size = _size(page, width, room, in_a_row)
    return round(6 // in_a_row * size * page.typesetter.digit_height * ROW_PITCH)


def code_digits(page: Page, view: PanelView, box: Box, in_a_row: int | None = None) -> None:
    """Six groups in rows, read row by row from the left in every language."""
    groups = view.security_code.split()
    count = in_a_row or _arrangement(page)
    size = _size(page, box.width, box.height, count)
    current = meaning.is_code_current(view)
    rows = box.rows(max(1, -(-len(groups) // count)), 0)
    wide = round(DIGITS_IN_A_GROUP * page.typesetter.digit_advance * size)
    for at, group in enumerate(groups):
        row, column = rows[at // count], at % count
        free = row.width - count * wide
        x = row.x + column * wide + round(free * column / max(1, count - 1))
        page.digits(Box(x, row.y, wide, row.height), group, size, Tone.TEXT if current else Tone.MUTED)
        if not current:
            # Struck out: nobody compares a code that does not stand, on a grey screen either.
            bar = max(2, size // 16)
            page.fill(Box(x, row.y + row.height // 2 - bar // 2, wide, bar), Tone.ALARM)


def _lists(page: Page, view: PanelView, box: Box) -> None:
    if not view.lobby:
        _people(page, view, box)
    elif page.screen.is_portrait:
        lobby, people = box.foot(page.px(LOBBY), page.px(10))
        _people(page, view, people)
        _lobby(page, view, lobby)
    else:
        lobby, people = box.end(round(box.width * 0.37), page.px(24))
        _people(page, view, people)
        _lobby(page, view, lobby)


def _people(page: Page, view: PanelView, box: Box) -> None:
    people = meaning.ordered_people(view)
    head, box = box.top(page.px(36), page.px(4))
    columns = 2 if page.screen.is_portrait or view.lobby else 3
    rows = max(1, box.height // page.px(ROW))
    per_page = columns * rows
    head = page.turner(head, Listing.PEOPLE, per_page, len(people))
    text = page.words.in_the_meeting.format(count=len(people))
    absent = meaning.missing(view, page.words)
    if absent:
        text = f"{text}   ·   {absent}"
    page.line(head, text, 21, tone=Tone.MUTED, least=17)
    grid, _ = box.top(rows * page.px(ROW))
    cells = [cell for row in grid.rows(rows, 0) for cell in row.columns(columns, page.px(16))]
    shown = page.shown(Listing.PEOPLE, per_page, len(people))
    for at, cell in zip(shown, cells, strict=False):
        _person(page, view, people[at], cell)


def _person(page: Page, view: PanelView, person: PanelParticipant, box: Box) -> None:
    verified = meaning.is_verified(person.assurance)
    tone = Tone.SAFE if verified else Tone.WARNING
    box = box.inset(0, page.px(3))
    inside = box
    mark, inside = inside.start(page.px(34), page.px(12))
    page.sign(mark.centre(page.px(34), page.px(34)), Shape.TICK if verified else Shape.TRIANGLE, tone)
    if person.is_compared:
        place, inside = inside.end(page.px(32), page.px(10))
        page.sign(place.centre(page.px(32), page.px(32)), Shape.CHECKED, Tone.SAFE)
    for shape in _quiet(person):
        place, inside = inside.end(page.px(28), page.px(8))
        page.sign(place.centre(page.px(28), page.px(28)), shape, Tone.MUTED)
    upper, lower = page.two_lines(inside, 26, 20)
    page.line(upper, meaning.person_name(person.name, person.assurance), 26, least=22)
    word = meaning.assurance_word(person.assurance, page.words)
    wide = round(page.typesetter.width(word, page.style(20, Face.BOLD))) + 2
    first, rest = lower.start(min(wide, lower.width), page.px(10))
    page.line(first, word, 20, face=Face.BOLD, tone=tone)
    facts = [page.words.this_room] if person.is_self else []
    facts.append(meaning.role_word(person.role, page.words))
    if not person.is_self and not person.is_expected:
        facts.append(page.words.not_expected)
    if rest.width > page.px(40):
        page.line(rest, " · ".join(facts), 20, tone=Tone.MUTED)
    page.touch(box, Open(Sheet.PERSON, person.leaf, person.name, person.key_id))


def _quiet(person: PanelParticipant) -> list[Shape]:
    """What this member says that others do not get: nothing is shown for what is on, or unknown."""
    found = []
    if person.camera in ("muted", "closed"):
        found.append(Shape.SHUTTER if person.camera == "closed" else Shape.CAMERA_OFF)
    if person.microphone == "muted":
        found.append(Shape.MICROPHONE_OFF)
    return found


def _lobby(page: Page, view: PanelView, box: Box) -> None:
    head, box = box.top(page.px(36), page.px(4))
    head = page.turner(head, Listing.LOBBY, 1, len(view.lobby))
    page.line(head, page.words.waiting.format(count=len(view.lobby)), 21, tone=Tone.MUTED, least=17)
    shown = page.shown(Listing.LOBBY, 1, len(view.lobby))
    for at in shown:
        card, box = box.top(min(box.height, page.px(136)))
        _request(page, view, view.lobby[at], card)


def _request(page: Page, view: PanelView, request: PanelRequest, box: Box) -> None:
    verified = meaning.is_verified(request.assurance)
    tone = Tone.SAFE if verified else Tone.WARNING
    page.fill(box, Tone.SURFACE, radius=12, border=tone)
    inside = box.inset(page.px(14), page.px(8))
    foot, inside = inside.foot(page.px(58), page.px(4))
    mark, text = inside.start(page.px(34), page.px(12))
    page.sign(mark.centre(page.px(34), page.px(34)), Shape.TICK if verified else Shape.TRIANGLE, tone)
    upper, lower = page.two_lines(text, 26, 20)
    page.line(upper, meaning.person_name(request.name, request.assurance), 26, least=22)
    word = meaning.assurance_word(request.assurance, page.words)
    wide = round(page.typesetter.width(word, page.style(20, Face.BOLD))) + 2
    first, rest = lower.start(min(wide, lower.width), page.px(10))
    page.line(first, word, 20, face=Face.BOLD, tone=tone)
    why = request.obstacle or request.reason
    if why and rest.width > page.px(40):
        page.line(rest, name_text(why, max_length=160), 20, tone=Tone.MUTED)
    if not view.is_host:
        page.line(foot, page.words.only_hosts, 22, tone=Tone.MUTED, least=16)
        return
    admit, deny = foot.columns(2, page.px(12))
    if not request.obstacle:
        press = Press(PanelAction(ActionKind.ADMIT, request_id=request.request_id))
        page.button(admit, page.words.admit, press, is_primary=True)
    else:
        deny = foot
    page.button(deny, page.words.deny, Press(PanelAction(ActionKind.DENY, request_id=request.request_id)))


def _controls_height(page: Page, view: PanelView) -> int:
    return page.px(2 * CONTROLS + 12) if page.screen.is_portrait else page.px(CONTROLS)


def _controls(page: Page, view: PanelView, box: Box) -> None:
    words = page.words
    buttons = 4
    if page.screen.is_portrait:
        cells = [cell for row in box.rows(2, page.px(12)) for cell in row.columns(2, page.px(12))]
    else:
        cells = box.columns(buttons, page.px(14))
    mute_buttons(page, view, cells[0], cells[1])
    speaks = meaning.is_code_current(view)
    speak = Press(PanelAction(ActionKind.SPEAK_CODE)) if speaks else None
    page.button(
        cells[2],
        words.speak,
        speak,
        why=words.speak_why if speaks else words.no_code,
        shape=Shape.SPEAKER,
        tone=Tone.TEXT if speaks else Tone.MUTED,
    )
    page.button(
        cells[3], words.leave, Open(Sheet.LEAVE), why=words.leave_why, shape=Shape.LEAVE, tone=Tone.ALARM
    )


def mute_buttons(page: Page, view: PanelView, first: Box, second: Box) -> None:
    """Microphone and camera, with what their hardware says."""
    for box, control in (
        (first, meaning.microphone(view, page.words)),
        (second, meaning.camera(view, page.words)),
    ):
        page.button(
            box,
            control.word,
            Press(PanelAction(control.press)),
            why=control.why,
            shape=Shape.TRIANGLE if control.is_unread else control.shape,
            tone=Tone.WARNING if control.is_off or control.is_unread else Tone.TEXT,
        )
