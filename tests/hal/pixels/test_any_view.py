"""Whatever strangers and the service say: something is drawn, on any screen, and nothing fails."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave_hal.panel import (
    LANGUAGES,
    ActionKind,
    Lock,
    MeetingState,
    PanelAction,
    PanelIncoming,
    PanelInvitation,
    PanelParticipant,
    PanelRemoved,
    PanelRequest,
    PanelView,
)
from conclave_hal.pixels.layout import lay_out
from conclave_hal.pixels.navigation import Listing, Opened, Sheet
from conclave_hal.pixels.scene import Text
from conclave_hal.pixels.screen import Screen, Theme
from tests.hal.pixels.pictures import artist, typesetter

# Everything but surrogates, and much of what is hard: marks, directions, joiners, emoji, ideographs.
HARD = "aA1 .@-éَ‏‮⁨⁩‍️山ー。कि्थ가😀\u0301\n\0()“"
ANYTHING = st.one_of(st.text(HARD, max_size=30), st.text(max_size=60), st.just("W" * 300))
ASSURANCE = st.sampled_from(["verified", "provider", "unknown", "x"])
SWITCH = st.sampled_from(["blocking", "passing", "unknown", "not fitted"])
PEOPLE = st.lists(
    st.builds(
        PanelParticipant,
        ANYTHING,
        ASSURANCE,
        st.sampled_from(["host", "member", "guest", "service end", "x"]),
        is_self=st.booleans(),
        vouched_by=ANYTHING,
        reason=ANYTHING,
        issuer=ANYTHING,
        leaf=st.integers(0, 5),
        is_compared=st.booleans(),
        microphone=st.sampled_from(["live", "muted", "unknown"]),
        camera=st.sampled_from(["live", "muted", "closed", "unknown"]),
    ),
    max_size=9,
).map(tuple)
VIEWS = st.builds(
    PanelView,
    st.just(1),
    ANYTHING,
    st.sampled_from(MeetingState),
    st.sampled_from(Lock),
    ANYTHING,
    st.sampled_from(["locked", "standard", "x"]),
    PEOPLE,
    st.lists(st.builds(PanelRequest, ANYTHING, ANYTHING, ASSURANCE, ANYTHING, ANYTHING), max_size=3).map(
        tuple
    ),
    st.sampled_from(["", "48217 09356 71140 62893 30518 95427"]),
    code_reason=ANYTHING,
    code_time=st.sampled_from([0, 1_900_000_000]),
    suite=ANYTHING,
    camera_muted=st.booleans(),
    shutter=SWITCH,
    mute_switch=SWITCH,
    is_host=st.booleans(),
    missing=st.lists(ANYTHING, max_size=5).map(tuple),
    removed=st.lists(st.builds(PanelRemoved, ANYTHING, ANYTHING), max_size=4).map(tuple),
    minds=ANYTHING,
    notices=st.lists(ANYTHING, max_size=4).map(tuple),
    news=st.lists(ANYTHING, max_size=2).map(tuple),
    service=ANYTHING,
    invitations=st.lists(
        st.builds(PanelInvitation, ANYTHING, ANYTHING, ANYTHING, time=ANYTHING, is_now=st.booleans()),
        max_size=6,
    ).map(tuple),
    incoming=st.one_of(st.none(), st.builds(PanelIncoming, ANYTHING, ANYTHING, st.integers(0, 60))),
    refused=ANYTHING,
    certificate_days=st.one_of(st.none(), st.integers(-5, 60)),
    tamper=st.sampled_from(["intact", "tripped", "unknown"]),
    language=st.sampled_from(LANGUAGES),
)
SCREENS = st.builds(
    Screen,
    st.integers(480, 2560),
    st.integers(272, 2560),
    st.sampled_from([7.0, 10.1, 15.6]),
    st.sampled_from(Theme),
)
SHEETS = st.sampled_from(Sheet)


def opened(sheet: Sheet, view: PanelView) -> Opened:
    """Over the first participant, on a second page of everything."""
    first = view.participants[0] if view.participants else None
    asked = PanelAction(ActionKind.KICK, leaf=first.leaf) if first else PanelAction(ActionKind.END_FOR_ALL)
    return Opened(
        sheet,
        first.leaf if first else -1,
        first.name if first else "",
        asked if sheet is Sheet.CONFIRM else None,
        tuple((listing, 1) for listing in Listing),
    )


@settings(max_examples=100, deadline=None)
@given(VIEWS, SHEETS, SCREENS)
def test_any_view_is_drawn_within_any_screen(view: PanelView, sheet: Sheet, screen: Screen) -> None:
    scene = lay_out(view, opened(sheet, view), screen, typesetter())
    for element in scene.elements:
        if isinstance(element, Text):
            assert element.box.x >= 0
            assert element.box.right <= scene.width
            assert typesetter().width(element.text, element.style) <= element.box.width + 1
            assert not set(element.text) & set("\n\0\u202e")
    picture = artist().draw(scene, screen.theme)
    assert picture.size == (screen.width, screen.height)


@settings(max_examples=40, deadline=None)
@given(VIEWS, SHEETS)
def test_a_broken_lock_is_shown_whatever_is_open(view: PanelView, sheet: Sheet) -> None:
    broken = replace(view, lock=Lock.BROKEN, language="en")
    scene = lay_out(broken, opened(sheet, broken), Screen(1280, 800), typesetter())
    said = [element.text for element in scene.elements if isinstance(element, Text)]
    assert "Broken: sending has stopped" in said
