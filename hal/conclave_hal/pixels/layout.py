"""From a view to a scene: which page it is, with the header that every page has.

The lock and the headline stand over whatever is open: nobody has to close a sheet to see that the room has
stopped sending. Everything is measured in units of the screen (`Screen.unit`), but for the code, whose
digits are measured in arc minutes for somebody three metres away.
"""

from conclave_hal.panel import MeetingState, PanelView
from conclave_hal.pixels import layout_meeting, layout_sheets, layout_stage, meaning
from conclave_hal.pixels.fonts import Face
from conclave_hal.pixels.language import words_of
from conclave_hal.pixels.navigation import Listing, Open, Opened, Sheet, settled
from conclave_hal.pixels.page import Page
from conclave_hal.pixels.scene import Align, Box, Scene, Shape, Tone
from conclave_hal.pixels.screen import Screen
from conclave_hal.pixels.typesetting import Typesetter, name_text

MARGIN = 24
HEADLINE = 66
"""60 units are the least that can be read from three metres on ten inches."""
HEADLINE_LEAST = 60
HEADLINE_ROW = 80


def lay_out(view: PanelView, opened: Opened, screen: Screen, typesetter: Typesetter) -> Scene:
    """Everything on the screen. The same input gives the same scene."""
    opened = settled(opened, view)
    page = Page(screen, words_of(view.language), typesetter, opened)
    body = page.whole.inset(page.px(MARGIN), page.px(16))
    body = _header(page, view, body)
    if opened.sheet is Sheet.DETAILS:
        layout_sheets.details(page, view, body)
        return page.scene()
    body = _alarms(page, view, body)
    if view.incoming is not None:
        layout_stage.incoming(page, view.incoming, body)
    elif opened.sheet is Sheet.PERSON:
        layout_sheets.person(page, view, body)
    elif opened.sheet is Sheet.CODE:
        layout_sheets.code(page, view, body)
    elif opened.sheet is Sheet.LEAVE:
        layout_sheets.leave(page, view, body)
    elif opened.sheet is Sheet.CONFIRM:
        layout_sheets.confirm(page, view, body)
    elif view.state is MeetingState.IN_MEETING:
        layout_meeting.meeting(page, view, body)
    else:
        layout_stage.stage(page, view, body)
    return page.scene()


def _header(page: Page, view: PanelView, box: Box) -> Box:
    lock = meaning.lock(view, page.words)
    page.fill(Box(0, 0, page.screen.width, page.px(5)), lock.tone)
    lines = _headline_lines(page, view, box.width - page.px(112))
    height = page.px(36) + len(lines) * page.px(HEADLINE_ROW)
    header, body = box.top(max(height, page.px(108)), page.px(10))
    shield, text = header.start(page.px(92), page.px(20))
    page.sign(shield.centre(page.px(92), page.px(104)), lock.shape, lock.tone)
    small, big = text.top(page.px(36))
    title = name_text(view.title) if view.title else ""
    room = name_text(view.room) if view.room else ""
    level = meaning.level_word(view.level, page.words) if view.state is MeetingState.IN_MEETING else ""
    word = f"{lock.word}: {lock.meaning}"
    wide = min(round(page.typesetter.width(word, page.style(26, Face.BOLD))) + 2, small.width)
    left, right = small.start(wide, page.px(28))
    page.line(left, word, 26, face=Face.BOLD, tone=lock.tone)
    if right.width > page.px(160):
        about = _about(page, [part for part in (title, room, level) if part], right.width)
        page.line(right, about, 22, tone=Tone.MUTED, align=Align.END)
    for line in lines:
        row, big = big.top(page.px(HEADLINE_ROW))
        tone = meaning.headline_tone(view)
        page.line(row, line, HEADLINE, face=Face.BOLD, tone=tone, least=HEADLINE_LEAST)
    if view.state is MeetingState.IN_MEETING:
        page.touch(header, Open(Sheet.DETAILS))
    return body


def _about(page: Page, parts: list[str], width: int) -> str:
    """As many of the parts as have room; of the first one, what fits."""
    for count in range(len(parts), 1, -1):
        text = "  ·  ".join(parts[:count])
        if page.typesetter.width(text, page.style(22)) <= width:
            return text
    return parts[0] if parts else ""


def _headline_lines(page: Page, view: PanelView, width: int) -> list[str]:
    """One line, or two where the smallest readable size is too wide for one."""
    text = meaning.headline(view, page.words)
    least = page.style(HEADLINE_LEAST, Face.BOLD)
    return page.typesetter.wrapped(text, least, width, 2)


def _alarms(page: Page, view: PanelView, box: Box) -> Box:
    """What is wrong, in strips under the header: two at a time, and how many more there are."""
    alarms = meaning.alarms(view, page.words)
    per_page = 3 if page.screen.is_portrait else 2
    shown = page.shown(Listing.ALARMS, per_page, len(alarms))
    style = page.style(24)
    for number, at in enumerate(shown):
        alarm = alarms[at]
        room = box.width - page.px(80)
        more = len(alarms) > per_page and number == 0
        lines = page.typesetter.wrapped(alarm.text, style, room - (page.px(242) if more else 0), 2)
        height = len(lines) * page.typesetter.line_height(style) + page.px(16)
        strip, box = box.top(height, page.px(8))
        page.fill(strip, Tone.SURFACE, radius=10, border=alarm.tone)
        inside = strip.inset(page.px(14), page.px(8))
        mark, inside = inside.start(page.px(32), page.px(12))
        page.sign(mark.centre(page.px(32), page.px(32)), Shape.TRIANGLE, alarm.tone)
        if more:
            finger = Box(strip.x, strip.y - page.px(5), strip.width, strip.height + page.px(12))
            inside = page.turner(inside, Listing.ALARMS, per_page, len(alarms), finger)
        page.paragraph(inside, alarm.text, 24, max_lines=2)
    return box
