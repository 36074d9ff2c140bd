"""Views, screens and what is open: everything that the golden pictures and the layout's tests go through."""

from dataclasses import dataclass, replace
from functools import cache

from conclave_hal.panel import (
    ActionKind,
    Lock,
    PanelAction,
    PanelIncoming,
    PanelInvitation,
    PanelView,
)
from conclave_hal.pixels.drawing import Artist
from conclave_hal.pixels.fonts import find_fonts
from conclave_hal.pixels.layout import lay_out
from conclave_hal.pixels.navigation import Opened, Press, Sheet
from conclave_hal.pixels.scene import Scene
from conclave_hal.pixels.screen import Screen, Theme
from conclave_hal.pixels.typesetting import Typesetter
from tests.hal import views

INVITATIONS = (
    PanelInvitation("i1", "Quarterly review", "south.rooms.example", time="14:00–15:00", is_now=True),
    PanelInvitation("i2", "حوار مع الشركاء", "مريم@partner.example", time="15:30–16:00"),
    PanelInvitation(
        "i3",
        "A rather long title of a meeting that goes on about the budget of next year",
        "harbour.rooms.example",
        time="16:00–17:30",
    ),
    PanelInvitation("i4", "Planning", "lighthouse.rooms.example", time="18:00–18:30"),
)
PEOPLE = (
    *views.MEETING.participants[:2],
    replace(views.MEETING.participants[2], microphone="muted", camera="closed"),
    views.GUEST,
    replace(views.room("مريم السيد", 7), assurance="provider", issuer="Provider CA"),
    replace(views.room("山田太郎.rooms.example", 8), camera="muted", microphone="live"),
)
# Shown without the time of day, which depends on where the test runs.
MEETING = replace(views.MEETING, participants=PEOPLE, code_time=0, news=("south.rooms.example is muted",))
VERIFIED = replace(views.VERIFIED, code_time=0)
IDLE = replace(views.IDLE, invitations=INVITATIONS)
INCOMING = replace(IDLE, incoming=PanelIncoming("Quarterly review", "an admin over SSH", 9))
BROKEN = replace(
    MEETING,
    lock=Lock.BROKEN,
    notices=("This room is behind the group: it has stopped sending and waits for the missing messages.",),
    tamper="tripped",
    certificate_days=0,
)
REFUSED = replace(IDLE, invitations=(), refused="service ends are not allowed in this room")
HOSTILE = replace(views.HOSTILE, code_time=0)
GUEST = Opened(Sheet.PERSON, views.GUEST.leaf, views.GUEST.name)
REMOVING = Opened(
    Sheet.CONFIRM,
    name=views.GUEST.name,
    asked=PanelAction(ActionKind.KICK, leaf=views.GUEST.leaf),
)

TEN = Screen(1280, 800, 10.1)
TEN_UPRIGHT = Screen(800, 1280, 10.1)
SCREENS = (
    TEN,
    TEN_UPRIGHT,
    Screen(800, 480, 7.0),
    Screen(1024, 600, 7.0),
    Screen(1920, 1080, 15.6),
    Screen(480, 800, 7.0),
)
SELECTED = Opened(selected=Press(PanelAction(ActionKind.JOIN, invitation_id="i1")))
PAGES: dict[str, tuple[PanelView, Opened]] = {
    "meeting": (MEETING, Opened()),
    "verified": (VERIFIED, Opened()),
    "alone": (replace(views.ALONE, code_time=0), Opened()),
    "broken": (BROKEN, Opened()),
    "hostile": (HOSTILE, Opened()),
    "idle": (IDLE, Opened()),
    "selected": (IDLE, SELECTED),
    "unenrolled": (views.UNENROLLED, Opened()),
    "refused": (REFUSED, Opened()),
    "incoming": (INCOMING, Opened()),
    "joining": (views.JOINING, Opened()),
    "lobby": (views.LOBBY, Opened()),
    "left": (replace(views.LEFT, invitations=INVITATIONS), Opened()),
    "person": (MEETING, GUEST),
    "details": (MEETING, Opened(Sheet.DETAILS)),
    "code": (MEETING, Opened(Sheet.CODE)),
    "leave": (MEETING, Opened(Sheet.LEAVE)),
    "confirm": (MEETING, REMOVING),
}


@dataclass(frozen=True, slots=True)
class Golden:
    """One picture that is kept."""

    page: str
    screen: Screen = TEN
    language: str = "en"

    @property
    def scene(self) -> Scene:
        """What it shows."""
        view, opened = PAGES[self.page]
        return lay_out(replace(view, language=self.language), opened, self.screen, typesetter())


LIGHT = replace(TEN, theme=Theme.LIGHT)
GOLDEN = {
    "meeting": Golden("meeting"),
    "meeting-light": Golden("meeting", LIGHT),
    "meeting-upright": Golden("meeting", TEN_UPRIGHT),
    "meeting-small": Golden("meeting", Screen(800, 480, 7.0)),
    "meeting-arabic": Golden("meeting", language="ar"),
    "meeting-german": Golden("meeting", language="de"),
    "meeting-japanese": Golden("meeting", language="ja"),
    "verified": Golden("verified"),
    "broken": Golden("broken"),
    "broken-light": Golden("broken", LIGHT),
    "hostile": Golden("hostile"),
    "idle": Golden("idle"),
    "idle-selected": Golden("selected"),
    "idle-upright-german": Golden("idle", TEN_UPRIGHT, "de"),
    "idle-arabic": Golden("idle", language="ar"),
    "refused": Golden("refused"),
    "incoming": Golden("incoming"),
    "incoming-japanese": Golden("incoming", Screen(1024, 600, 7.0), "ja"),
    "lobby": Golden("lobby"),
    "person": Golden("person"),
    "details": Golden("details"),
    "details-upright": Golden("details", TEN_UPRIGHT),
    "code-small": Golden("code", Screen(800, 480, 7.0)),
    "leave": Golden("leave"),
    "confirm": Golden("confirm"),
}


@cache
def typesetter() -> Typesetter:
    """One for all tests: it keeps what it has set."""
    return Typesetter(find_fonts())


@cache
def artist() -> Artist:
    """One for all tests."""
    return Artist(typesetter())
