"""What is open, and what a press does to it."""

from dataclasses import replace

import pytest

from conclave_hal.buttons import Button
from conclave_hal.panel import ActionKind, Lock, MeetingState, PanelAction, PanelIncoming
from conclave_hal.pixels.navigation import (
    Ask,
    Back,
    Listing,
    Open,
    Opened,
    Press,
    Sheet,
    Target,
    Turn,
    moved,
    settled,
    step,
)
from tests.hal.views import GUEST, MEETING

LEAVE = PanelAction(ActionKind.LEAVE)
KICK = PanelAction(ActionKind.KICK, leaf=GUEST.leaf)
PERSON = Opened(Sheet.PERSON, GUEST.leaf, GUEST.name)
TARGETS: list[Target] = [Open(Sheet.DETAILS), Press(LEAVE), Turn(Listing.PEOPLE, 1)]


def test_opening_asks_the_room_for_nothing() -> None:
    assert step(Opened(), Open(Sheet.PERSON, GUEST.leaf, GUEST.name)).action is None


def test_back_closes() -> None:
    assert step(PERSON, Back()).opened == Opened()


def test_a_removal_is_asked_about_before_it_is_done() -> None:
    asked = step(PERSON, Ask(KICK, GUEST.name))
    assert asked.action is None
    assert asked.opened.sheet is Sheet.CONFIRM
    done = step(asked.opened, Press(KICK))
    assert done.action == KICK
    assert done.opened.sheet is Sheet.NONE


def test_ticking_off_leaves_the_sheet_open() -> None:
    tick = PanelAction(ActionKind.COMPARED, leaf=GUEST.leaf)
    assert step(PERSON, Press(tick)).opened == PERSON


def test_another_page_of_one_list_leaves_the_others_where_they_are() -> None:
    opened = step(step(Opened(), Turn(Listing.PEOPLE, 2)).opened, Turn(Listing.LOBBY, 1)).opened
    assert (opened.page(Listing.PEOPLE), opened.page(Listing.LOBBY)) == (2, 1)


def test_the_sheet_of_somebody_who_has_gone_is_closed() -> None:
    others = tuple(p for p in MEETING.participants if p is not GUEST)
    assert settled(PERSON, replace(MEETING, participants=others)).sheet is Sheet.NONE


def test_a_sheet_never_becomes_anothers_who_took_the_place() -> None:
    other = replace(GUEST, name="Somebody Else")
    people = (*MEETING.participants[:3], other)
    assert settled(PERSON, replace(MEETING, participants=people)).sheet is Sheet.NONE
    confirming = Opened(Sheet.CONFIRM, name=GUEST.name, asked=KICK)
    assert settled(confirming, replace(MEETING, participants=people)).sheet is Sheet.NONE


@pytest.mark.parametrize("sheet", [Sheet.DETAILS, Sheet.LEAVE, Sheet.CODE])
def test_the_end_of_the_meeting_closes_what_is_open(sheet: Sheet) -> None:
    view = replace(MEETING, state=MeetingState.LEFT, lock=Lock.NONE)
    assert settled(Opened(sheet), view) == Opened()


def test_a_join_from_outside_covers_what_is_open() -> None:
    view = replace(MEETING, incoming=PanelIncoming("x", "y", 3))
    assert settled(Opened(Sheet.LEAVE), view) == Opened()


def test_the_large_code_goes_with_the_code() -> None:
    assert settled(Opened(Sheet.CODE), replace(MEETING, security_code="")).sheet is Sheet.NONE


def test_buttons_go_through_what_can_be_pressed_and_round_again() -> None:
    opened, seen = Opened(), []
    for _ in range(4):
        opened, pressed = moved(opened, Button.DOWN, TARGETS)
        assert pressed is None
        seen.append(opened.selected)
    assert seen == [*TARGETS, TARGETS[0]]
    assert moved(opened, Button.UP, TARGETS)[0].selected == TARGETS[-1]


def test_select_presses_what_is_selected_and_nothing_without() -> None:
    assert moved(Opened(), Button.SELECT, TARGETS)[1] is None
    assert moved(Opened(selected=Press(LEAVE)), Button.SELECT, TARGETS)[1] == Press(LEAVE)


def test_select_presses_nothing_that_has_gone_from_the_glass() -> None:
    assert moved(Opened(selected=Press(KICK)), Button.SELECT, TARGETS)[1] is None


def test_the_back_button_closes_what_is_open_and_else_does_nothing() -> None:
    assert moved(PERSON, Button.BACK, TARGETS)[1] == Back()
    assert moved(Opened(), Button.BACK, TARGETS)[1] is None


@pytest.mark.parametrize("button", [Button.MICROPHONE, Button.LEAVE, Button.JOIN, Button.SPEAK])
def test_buttons_of_the_room_are_none_of_the_panels(button: Button) -> None:
    opened = Opened(selected=Press(LEAVE))
    assert moved(opened, button, TARGETS) == (opened, None)


def test_a_sheet_about_one_person_closes_when_another_of_that_name_sits_there() -> None:
    before = replace(GUEST, key_id="aa")
    after = replace(MEETING, participants=(replace(GUEST, key_id="bb", assurance="unknown"),))
    person = step(Opened(), Open(Sheet.PERSON, before.leaf, before.name, before.key_id)).opened
    asked = step(person, Ask(KICK, before.name, before.key_id)).opened
    for opened in (person, asked):
        assert settled(opened, replace(MEETING, participants=(before,))) == opened
        assert settled(opened, after).sheet is Sheet.NONE
