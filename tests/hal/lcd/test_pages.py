"""A view on 20 x 4 characters."""

from dataclasses import replace

import pytest

from conclave_hal.lcd.charset import LOCK, ROM
from conclave_hal.lcd.pages import COLUMNS, Page, pages
from conclave_hal.panel import (
    ActionKind,
    Lock,
    MeetingState,
    PanelAction,
    PanelIncoming,
    PanelInvitation,
    PanelView,
)
from tests.hal import views

INCOMING = replace(views.IDLE, incoming=PanelIncoming("Quarterly review", "the room controller", 8))
INVITED = replace(
    views.IDLE,
    invitations=(
        PanelInvitation(
            "i-1", "Quarterly review of all the towers", "a.example", time="14:00-15:00", is_now=True
        ),
    ),
)
ALL = {name: view for name, view in vars(views).items() if isinstance(view, PanelView)} | {
    "INCOMING": INCOMING,
    "INVITED": INVITED,
}


def page(view: PanelView, key: str) -> Page:
    return next(p for p in pages(view) if p.key == key)


def text(view: PanelView) -> str:
    return "\n".join(line for p in pages(view) for line in p.lines)


@pytest.mark.parametrize("name", ALL)
def test_every_line_fits_and_can_be_shown(name: str) -> None:
    for each in pages(ALL[name]):
        assert all(len(line) == COLUMNS for line in each.lines)
        assert all(character in ROM for line in each.lines for character in line)


@pytest.mark.parametrize("name", ALL)
def test_each_page_has_a_key_of_its_own(name: str) -> None:
    people = tuple(replace(p, leaf=leaf) for leaf, p in enumerate(ALL[name].participants))
    view = replace(ALL[name], participants=people)
    keys = [each.key for each in pages(view)]
    assert len(set(keys)) == len(keys)


def test_the_code_stands_on_two_lines_of_three_groups() -> None:
    lines = page(views.MEETING, "code").lines
    assert lines[1].rstrip() == "48217 09356 71140"
    assert lines[2].rstrip() == "62893 30518 95427"


def test_the_first_line_says_in_words_that_the_lock_is_closed() -> None:
    assert page(views.MEETING, "code").lines[0].startswith(f"{LOCK} Encrypted")


@pytest.mark.parametrize("lock", [Lock.NONE, Lock.OPENING, Lock.BROKEN])
def test_without_the_lock_there_is_neither_sign_nor_code_on_any_page(lock: Lock) -> None:
    shown = text(replace(views.MEETING, lock=lock))
    assert LOCK not in shown
    assert "48217" not in shown
    assert "Encrypted" not in shown


def test_how_many_are_not_verified_stands_beside_the_code() -> None:
    assert page(views.MEETING, "code").lines[3].rstrip() == "4 in, 1 not verified"
    assert page(views.VERIFIED, "code").lines[3].rstrip() == "3 in, all verified"
    crowd = replace(views.MEETING, participants=views.MEETING.participants * 30)
    assert page(crowd, "code").lines[3].rstrip() == "120 in, 30 unverif."


def test_a_member_alone_has_no_code() -> None:
    assert "nobody else is in" in page(views.ALONE, "code").lines[2]


def test_whoever_is_not_verified_is_said_to_be_so_in_words() -> None:
    assert "!unverified" in page(views.MEETING, "member 5").lines[0]


def test_hosts_admit_and_refuse_who_waits() -> None:
    request = page(views.MEETING, "request r-17")
    assert request.enter == PanelAction(ActionKind.ADMIT, request_id="r-17")
    assert request.exit == PanelAction(ActionKind.DENY, request_id="r-17")


def test_who_is_no_host_can_only_see_who_waits() -> None:
    request = page(replace(views.MEETING, is_host=False), "request r-17")
    assert request.enter is None
    assert request.exit is None


def test_who_cannot_be_let_in_has_a_page_that_says_why() -> None:
    waiting = replace(views.WAITING, obstacle="the meeting is locked, and only verified people may come in")
    view = replace(views.MEETING, lobby=(waiting,))
    request = page(view, "request r-17")
    assert request.enter is None
    assert page(view, request.right).lines[0].rstrip() == "the meeting is"


def test_a_long_name_is_whole_and_broken_before_a_dot() -> None:
    lines = page(views.MEETING, "member 2").lines
    assert (lines[1].rstrip(), lines[2].rstrip()) == ("harbour.rooms", ".example")
    lines = page(views.MEETING, "request r-17").lines
    assert (lines[1].rstrip(), lines[2].rstrip()) == ("tomas@partner", ".example")


def test_removing_somebody_takes_two_keys() -> None:
    member = page(views.MEETING, "member 5")
    assert member.right == "remove 5"
    aside = page(views.MEETING, member.right)
    assert aside.is_aside
    assert aside.enter == PanelAction(ActionKind.KICK, leaf=5)


def test_hosts_hand_over_and_let_somebody_back() -> None:
    aside = page(views.MEETING, page(views.MEETING, "member 5").right)
    assert page(views.MEETING, aside.right).enter == PanelAction(ActionKind.HAND_OVER, leaf=5)
    removed = page(views.MEETING, "removed 00112233445566aa")
    assert removed.enter == PanelAction(ActionKind.ALLOW_BACK, request_id="00112233445566aa")
    assert not [p for p in pages(replace(views.MEETING, is_host=False)) if p.key.startswith("removed")]


def test_the_code_is_spoken_only_behind_a_closed_lock() -> None:
    assert page(views.MEETING, "speak").enter == PanelAction(ActionKind.SPEAK_CODE)
    assert not [p for p in pages(views.BROKEN) if p.key == "speak"]


def test_what_was_asked_from_outside_takes_the_glass_and_can_be_refused() -> None:
    (only,) = pages(INCOMING)
    assert only.is_urgent
    assert only.lines[0].startswith("Joining in 8 s")
    assert only.exit == PanelAction(ActionKind.REFUSE_JOIN)


def test_an_invitation_of_today_is_joined_by_its_page() -> None:
    invitation = page(INVITED, "invitation i-1")
    assert invitation.lines[0].startswith("14:00-15:00 now")
    assert invitation.enter == PanelAction(ActionKind.JOIN, invitation_id="i-1")


def test_two_names_that_the_rom_cannot_tell_apart_differ_on_their_pages() -> None:
    people = tuple(
        replace(views.GUEST, name=name, leaf=leaf) for leaf, name in enumerate(("Лена", "Ленa", "Lena"))
    )
    view = replace(views.MEETING, participants=people)
    names = {page(view, f"member {leaf}").lines[1] for leaf in range(3)}
    assert len(names) == 3


def test_the_certificate_and_the_case_are_warned_of() -> None:
    warned = text(replace(views.IDLE, certificate_days=3, tamper="tripped"))
    assert "case was opened" in warned
    assert "in 3 days" in warned


def test_outside_of_a_meeting_no_page_has_a_lock() -> None:
    for state in (MeetingState.IDLE, MeetingState.JOINING, MeetingState.LOBBY, MeetingState.LEFT):
        assert LOCK not in text(replace(views.MEETING, state=state))


def test_no_page_shows_its_lines_in_its_repr() -> None:
    assert "48217" not in repr(pages(views.MEETING))


def test_the_page_that_removes_one_is_not_another_s_who_comes_to_the_same_place() -> None:
    first, second = (replace(views.GUEST, key_id=key) for key in ("aa", "bb"))
    asides = {
        page(
            replace(views.MEETING, participants=(*views.MEETING.participants[:3], one)), f"member 5 {key}"
        ).right
        for one, key in ((first, "aa"), (second, "bb"))
    }
    assert asides == {"remove 5 aa", "remove 5 bb"}
