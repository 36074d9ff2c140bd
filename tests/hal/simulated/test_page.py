"""The panel's page in a real browser: what people see, and what their presses do."""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image

from conclave_hal.buttons import Button
from conclave_hal.panel import LANGUAGES, ActionKind, Lock, PanelAction, PanelView
from conclave_hal.simulated.buttons import SimulatedButtons
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.panel import PanelOptions, SimulatedPanel
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition
from tests.hal import views
from tests.hal.chromium import Tab, browser, chromium_path, tab

pytestmark = pytest.mark.skipif(chromium_path() is None, reason="Debian's chromium is not installed")

WATCH_VIOLATIONS = (
    "window.violations = []; addEventListener('securitypolicyviolation', "
    "event => violations.push(event.violatedDirective + ' ' + event.blockedURI))"
)


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with browser(tmp_path_factory.mktemp("profile")) as address:
        yield address


class Glass:
    """A simulated panel with its page open in a browser."""

    def __init__(
        self, panel: SimulatedPanel, page: Tab, shutter: SimulatedPrivacySwitch, buttons: SimulatedButtons
    ) -> None:
        self.panel, self.page, self.shutter, self.buttons = panel, page, shutter, buttons

    async def show(self, view: PanelView) -> None:
        """Draw `view`; it is on the glass when this returns."""
        await self.panel.show(view)
        assert self.panel.drawn() is view

    async def text(self, selector: str) -> str:
        """What a person reads there; empty if it is not shown."""
        return str(await self.page.evaluate(f"document.querySelector({selector!r})?.innerText ?? ''"))

    async def wait_a_second(self) -> None:
        """By the page's own clock, which stands still from then on."""
        await self.page.evaluate("{ const then = performance.now() + 1000; performance.now = () => then; }")

    async def press(self, selector: str) -> None:
        await self.page.evaluate(f"document.querySelector({selector!r}).click()")


@pytest.fixture
async def glass(devtools: str) -> AsyncIterator[Glass]:
    shutter, mute_switch = SimulatedPrivacySwitch(), SimulatedMuteSwitch()
    await shutter.open()
    buttons = SimulatedButtons()
    panel = SimulatedPanel(PanelOptions(), {"shutter": shutter, "mute_switch": mute_switch}, buttons)
    await panel.open()
    running = asyncio.create_task(panel.run())
    async with asyncio.timeout(60):
        await panel.show(views.IDLE)
        async with tab(devtools) as page:
            await page.call("Page.enable")
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH_VIOLATIONS)
            await page.open(panel.url)
            await page.until("document.body.dataset.connection === 'open'")
            yield Glass(panel, page, shutter, buttons)
    await panel.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def keep(name: str, picture: bytes, fallback: Path) -> None:
    """Write a picture where a person can look at it."""
    folder = Path(os.environ.get("CONCLAVE_PICTURES") or fallback)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(picture)


def colours(picture: bytes) -> int:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return len(image.getcolors(maxcolors=2**24) or ())


TELLING = replace(
    views.MEETING,
    participants=tuple(
        replace(p, microphone="muted" if p.leaf == 2 else "live", camera="live")
        for p in views.MEETING.participants
    ),
)
"""All say what their microphones and cameras do; one is muted."""


async def test_a_meeting_shows_the_code_and_who_is_not_verified(glass: Glass, tmp_path: Path) -> None:
    await glass.show(TELLING)
    assert (await glass.text("#groups")).split() == views.CODE.split()
    assert await glass.text("h1") == "4 people, 1 not verified"
    people = await glass.text("#people")
    assert people.count("verified") == 4
    assert people.count("not verified") == 1
    assert "Ana Lima" in people
    assert "tomas@partner.example" in await glass.text("#lobby")
    picture = await glass.page.picture()
    keep("panel.png", picture, tmp_path)
    assert colours(picture) > 200


async def test_the_page_breaks_no_policy_and_loads_nothing_from_elsewhere(glass: Glass) -> None:
    await glass.show(views.HOSTILE)
    assert await glass.page.evaluate("window.violations") == []
    loaded = await glass.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(name.startswith(glass.panel.url) for name in loaded)


async def test_markup_in_a_name_is_shown_as_text(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.HOSTILE)
    await glass.press("#lock")
    for place in ("#people", "#details", "#code-reason"):
        assert "<script>document.title='owned'</script>" in await glass.text(place)
    assert (
        await glass.page.evaluate("document.querySelectorAll('main script, main b, dialog script').length")
        == 0
    )
    assert "owned" not in await glass.page.evaluate("document.title")
    keep("details-hostile.png", await glass.page.picture(), tmp_path)


@pytest.mark.parametrize("size", [(1280, 800), (800, 480), (1920, 1080), (800, 1280)])
async def test_nothing_that_matters_is_pushed_off_the_glass(glass: Glass, size: tuple[int, int]) -> None:
    await glass.page.size(*size)
    await glass.show(views.HOSTILE)
    inside = """[...document.querySelectorAll('#lock, h1, #groups li, .control, .person .assurance, .around')]
      .filter(e => { const box = e.getBoundingClientRect();
        return box.left < 0 || box.top < 0 || box.right > innerWidth + 1 || (box.bottom > innerHeight + 1
          && !e.closest('#people')); }).map(e => e.outerHTML.slice(0, 80))"""
    assert await glass.page.evaluate(inside) == []
    overlap = """(() => { const box = s => document.querySelector(s).getBoundingClientRect();
      return box('#people').bottom <= box('.controls').top + 1
        && box('#code').bottom <= box('#people').top + 1; })()"""
    assert await glass.page.evaluate(overlap)


LOCKS = [
    (views.MEETING, "Locked\nend-to-end encrypted", "#lock-locked"),
    (views.CATCHING_UP, "Opening\nnothing is sent", "#lock-opening"),
    (views.BROKEN, "Broken\nsending has stopped", "#lock-broken"),
]


async def test_each_state_of_the_lock_has_its_own_words_and_shape(glass: Glass) -> None:
    for view, words, shape in LOCKS:
        await glass.show(view)
        assert await glass.text("#lock .lock-words") == words
        assert await glass.page.evaluate("document.querySelector('#lock-icon').getAttribute('href')") == shape


@pytest.mark.parametrize("view", [views.BROKEN, views.CATCHING_UP], ids=["broken", "opening"])
async def test_a_code_without_the_lock_is_struck_out_and_not_to_be_compared(
    glass: Glass, view: PanelView
) -> None:
    await glass.show(view)
    assert await glass.text("#code-caption") == "Not current. Do not compare it now."
    struck = "getComputedStyle(document.querySelector('#groups')).textDecorationLine"
    assert await glass.page.evaluate(struck) == "line-through"
    assert view.notices[0] in await glass.text("#notices")


STAGES = [
    (views.IDLE, "north.rooms.example", "Not in a meeting"),
    (views.UNENROLLED, "A room without a name", "no certificate yet"),
    (views.JOINING, "Quarterly review", "Opening: nothing is sent"),
    (views.LOBBY, "Quarterly review", "A host has to let this room in."),
    (replace(views.LOBBY, is_invited=True), "Quarterly review", "Invited. Waiting for a host to come."),
    (views.LEFT, "north.rooms.example", "It sends nothing"),
]


async def test_outside_a_meeting_the_panel_says_where_the_room_is_and_shows_no_code(glass: Glass) -> None:
    for view, name, line in STAGES:
        await glass.show(replace(view, security_code=views.CODE))
        stage = await glass.text("#stage")
        assert name in stage
        assert line in stage
        assert await glass.page.evaluate("document.querySelector('#code').offsetHeight") == 0


async def test_a_member_alone_sees_that_there_is_no_code_yet(glass: Glass) -> None:
    await glass.show(views.ALONE)
    assert await glass.text("h1") == "Nobody else is here"
    assert await glass.text("#code-caption") == "A code appears as soon as somebody joins."


HARDWARE = [
    (False, "passing", "Microphone on", "press to turn off"),
    (True, "passing", "Microphone off", "press to turn on"),
    (False, "blocking", "Microphone off", "by the room's switch"),
    (True, "blocking", "Microphone off", "by the room's switch, and off here"),
    (False, "unknown", "Microphone on", "room's switch unknown: not safe"),
    (True, "unknown", "Microphone off", "room's switch unknown: not safe"),
    (False, "nonsense", "Microphone on", "room's switch unknown: not safe"),
]


async def test_the_hardware_switch_wins_and_an_unknown_one_is_not_safe(glass: Glass) -> None:
    for is_muted, switch, word, why in HARDWARE:
        await glass.show(replace(views.MEETING, microphone_muted=is_muted, mute_switch=switch))
        shown = (await glass.text("#microphone-button")).split("\n")
        assert shown == [word, why], (is_muted, switch)


async def test_a_code_says_why_and_when_it_changed(glass: Glass) -> None:
    await glass.show(views.MEETING)
    said = await glass.text("#code-reason")
    assert re.fullmatch(
        "Changed because: \u2068Ana Lima \\(guest\\) joined\u2069, at [0-2]\\d:[0-5]\\d", said
    )


async def test_who_is_missing_and_who_was_not_expected_is_shown(glass: Glass) -> None:
    await glass.show(views.MEETING)
    assert "lighthouse.rooms.example" in await glass.text("#missing")
    rows = (await glass.page.evaluate("[...document.querySelectorAll('.person')].map(p => p.innerText)"))[:4]
    assert ["not expected" in row for row in rows] == ["Ana Lima" in row for row in rows]
    await glass.press("#lock")
    assert "lighthouse.rooms.example" in await glass.text("#details")


async def test_a_service_end_is_named_as_such_and_counted_apart(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.SERVED)
    assert await glass.text("h1") == "4 people, 1 service end, 2 not verified"
    assert await glass.text(".service-end") == "service end"
    keep("service-end.png", await glass.page.picture(), tmp_path)


async def test_a_room_that_minds_something_counts_down_on_its_panel(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.MINDING)
    assert await glass.text("#notices li") == f"Leaving in 12 s: \u2068{views.MINDING.minds}\u2069"
    keep("minding.png", await glass.page.picture(), tmp_path)


async def test_a_tick_says_whom_people_compared_which_code_with(glass: Glass) -> None:
    await glass.show(views.MEETING)
    pressed = glass.panel.actions()
    await glass.press("[id='compare 5']")
    assert await anext(pressed) == PanelAction(ActionKind.COMPARED, leaf=5, name="Ana Lima", code_epoch=7)
    await glass.press("[id='compare 1']")
    untick = PanelAction(ActionKind.NOT_COMPARED, leaf=1, name="south.rooms.example", code_epoch=7)
    assert await anext(pressed) == untick


@pytest.mark.parametrize("view", [views.BROKEN, views.CATCHING_UP, replace(views.MEETING, security_code="")])
async def test_where_no_code_stands_nothing_is_ticked(glass: Glass, view: PanelView) -> None:
    await glass.show(view)
    assert await glass.page.evaluate("document.querySelectorAll('.compare').length") == 0


TWICE = [
    ("kick 2", PanelAction(ActionKind.KICK, leaf=2, name="harbour.rooms.example")),
    ("hand_over 2", PanelAction(ActionKind.HAND_OVER, leaf=2, name="harbour.rooms.example")),
    ("end_for_all", PanelAction(ActionKind.END_FOR_ALL)),
]


async def test_what_cannot_be_taken_back_is_pressed_twice(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.press("[id='open 2']")
    pressed = glass.panel.actions()
    for button, action in TWICE:
        await glass.press(f"[id='{button}']")
        assert (await glass.text(f"[id='{button}']")).startswith("Really")
        await glass.press("#leave-button")
        assert await anext(pressed) == PanelAction(ActionKind.LEAVE)
        await glass.show(replace(views.MEETING, epoch=10))
        await glass.press(f"[id='{button}']")
        assert await anext(pressed) == action


async def test_a_question_about_one_member_is_not_answered_for_another(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.press("#lock")
    await glass.press("[id='kick 2']")
    newcomer = replace(views.GUEST, leaf=2, name="newcomer.example")
    await glass.show(replace(views.MEETING, participants=(*views.MEETING.participants[:2], newcomer)))
    await glass.press("[id='kick 2']")
    assert await glass.text("[id='kick 2']") == "Really remove?"
    await glass.press("#leave-button")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.LEAVE)


async def test_a_double_tap_is_no_answer(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.press("#lock")
    where = await glass.page.evaluate(
        "(b => ({x: b.x + b.width / 2, y: b.y + b.height / 2}))"
        "(document.getElementById('end_for_all').getBoundingClientRect())"
    )
    # The page's own clock is stopped, so that the finger comes at once however busy the machine is.
    await glass.page.evaluate("{ const now = performance.now(); performance.now = () => now; }")
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            await glass.page.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **where
            )
    assert await glass.text("#end_for_all") == "Really end it for everybody?"
    await glass.press("#leave-button")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.LEAVE)


async def test_a_host_lets_somebody_back_whom_it_threw_out(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.press("#lock")
    assert "rude@elsewhere.example" in await glass.text(".removed")
    await glass.press("[id='allow_back 00112233445566aa']")
    action = PanelAction(ActionKind.ALLOW_BACK, request_id="00112233445566aa")
    assert await anext(glass.panel.actions()) == action


async def test_who_is_no_host_gets_no_host_s_buttons(glass: Glass) -> None:
    await glass.show(replace(views.MEETING, is_host=False, removed=()))
    await glass.press("#lock")
    assert await glass.page.evaluate("document.querySelectorAll('#details .small').length") == 0


async def test_a_new_view_leaves_the_details_where_people_read(glass: Glass) -> None:
    await glass.show(views.HOSTILE)
    await glass.press("#lock")
    await glass.page.evaluate("document.querySelector('.details-left').scrollTop = 200")
    await glass.show(replace(views.HOSTILE, epoch=10))
    assert await glass.page.evaluate("document.querySelector('.details-left').scrollTop") == 200


@pytest.mark.parametrize(
    ("before", "opener", "after"),
    [(views.MEETING, "#lock", views.LEFT), (views.IDLE, "#stage-lock", views.CALLED)],
    ids=["ended", "called"],
)
async def test_no_meeting_ends_and_none_is_asked_for_behind_the_details(
    glass: Glass, before: PanelView, opener: str, after: PanelView
) -> None:
    await glass.show(before)
    await glass.press(opener)
    await glass.page.until("document.querySelector('#details').open")
    await glass.show(after)
    assert not await glass.page.evaluate("document.querySelector('#details').open")


PRESSES = [
    (views.MEETING, "#leave-button", PanelAction(ActionKind.LEAVE)),
    (views.MEETING, "#microphone-button", PanelAction(ActionKind.MUTE_MICROPHONE)),
    (views.MEETING, "#camera-button", PanelAction(ActionKind.MUTE_CAMERA)),
    (replace(views.MEETING, camera_muted=True), "#camera-button", PanelAction(ActionKind.UNMUTE_CAMERA)),
    (views.MEETING, ".admit", PanelAction(ActionKind.ADMIT, "r-17")),
    (views.MEETING, ".deny", PanelAction(ActionKind.DENY, "r-17")),
]


async def test_a_press_on_the_glass_is_an_action(glass: Glass) -> None:
    pressed = glass.panel.actions()
    for view, selector, action in PRESSES:
        await glass.show(view)
        await glass.press(selector)
        assert await anext(pressed) == action


async def test_a_finger_on_a_card_that_has_only_just_appeared_admits_nobody(glass: Glass) -> None:
    await glass.show(views.VERIFIED)
    await glass.show(views.MEETING)
    where = await glass.page.evaluate(
        "(b => ({x: b.x + b.width / 2, y: b.y + b.height / 2}))"
        "(document.querySelector('.admit').getBoundingClientRect())"
    )
    # The page's own clock is stopped, so that the finger comes at once however busy the machine is.
    await glass.page.evaluate("{ const now = performance.now(); performance.now = () => now; }")
    await glass.show(replace(views.MEETING, lobby=(replace(views.WAITING, request_id="r-99"),)))
    for kind in ("mousePressed", "mouseReleased"):
        await glass.page.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
    await glass.press("#leave-button")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.LEAVE)


async def test_the_roster_says_who_is_muted_in_word_and_sign_and_of_whom_nobody_knows(glass: Glass) -> None:
    says = [("live", "live"), ("muted", "closed"), ("live", "muted"), ("unknown", "unknown")]
    people = tuple(
        replace(views.MEETING.participants[0], leaf=leaf, name=f"r{leaf}.example", microphone=mic, camera=cam)
        for leaf, (mic, cam) in enumerate(says)
    )
    await glass.show(replace(views.MEETING, participants=people))
    rows = await glass.page.evaluate(
        "[...document.querySelectorAll('#people li')].map(row => [...row.querySelectorAll('.said')].map("
        "said => said.textContent + ' ' + said.querySelector('use').getAttribute('href')"
        " + getComputedStyle(said, '::after').content.replace('none', '').replaceAll('\"', '')))"
    )
    await glass.press("#lock")
    assert "microphone off" in await glass.text("#details")
    assert rows == [
        [],
        ["microphone off #microphone-off", "shutter closed #camera-off"],
        ["camera off #camera-off"],
        ["microphone unknown #microphone?", "camera unknown #camera?"],
    ]


async def test_only_hosts_get_buttons_in_the_lobby(glass: Glass) -> None:
    await glass.show(replace(views.MEETING, is_host=False))
    assert "Only a host can let somebody in." in await glass.text("#lobby")
    assert await glass.page.evaluate("document.querySelectorAll('.admit').length") == 0


async def test_the_switches_around_the_panel_move_the_room_and_not_the_view(glass: Glass) -> None:
    await glass.show(views.MEETING)
    seen = glass.shutter.watch()
    await anext(seen)
    await glass.press("#switch-shutter input[value=blocking]")
    await anext(seen)
    assert glass.shutter.state().position is SwitchPosition.BLOCKING
    assert (await glass.text("#camera-button")).startswith("Camera on")


async def test_the_details_open_from_the_keyboard_and_say_what_does_not_hold(
    glass: Glass, tmp_path: Path
) -> None:
    await glass.show(views.MEETING)
    await glass.page.evaluate("document.querySelector('#lock').focus()")
    key: dict[str, Any] = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    await glass.page.call("Input.dispatchKeyEvent", type="keyDown", **key)
    await glass.page.call("Input.dispatchKeyEvent", type="keyUp", **key)
    details = await glass.text("#details")
    for said in (
        views.MEETING.suite,
        views.MEETING.sframe_suite,
        "9, code since epoch 7",
        "Admitted by \u2068north.rooms.example\u2069",
        "Only the conference provider vouches for this name.",
        "Recording by the service",
        "RFC 9605 has no sender signatures",
        "The network addresses of those who connect",
    ):
        assert said in details
    keep("details.png", await glass.page.picture(), tmp_path)


async def test_a_panel_that_loses_its_room_covers_the_lock_and_the_code(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.panel.close()
    await glass.page.until("document.body.dataset.connection === 'lost'")
    top = "document.elementFromPoint(innerWidth / 2, innerHeight / 3).closest('#lost') !== null"
    assert await glass.page.evaluate(top)
    assert "This panel has lost its room" in await glass.text("#lost")


async def test_without_wish_for_motion_nothing_moves(glass: Glass) -> None:
    await glass.page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}]
    )
    await glass.show(views.LOBBY)
    assert await glass.page.evaluate("document.getAnimations().length") == 0


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", ["text", "quiet", "safe", "warn", "bad"])
@pytest.mark.parametrize("ground", ["glass", "raised"])
def test_text_has_the_contrast_of_wcag_aaa(colour: str, ground: str) -> None:
    style = files("conclave_hal.simulated").joinpath("page", "panel.css").read_text()
    palette = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", style))
    assert (luminance(palette[colour]) + 0.05) / (luminance(palette[ground]) + 0.05) >= 7


def test_every_state_of_the_lock_is_drawn() -> None:
    words = files("conclave_hal.simulated").joinpath("page", "words.js").read_text()
    page = files("conclave_hal.simulated").joinpath("page", "index.html").read_text()
    for lock in Lock:
        assert f'{lock.value}: {{ icon: "lock-{lock.value}"' in words
        assert f'<symbol id="lock-{lock.value}"' in page


async def test_why_somebody_in_the_lobby_is_not_verified_is_shown_whole(glass: Glass) -> None:
    reason = "no authority that this room's administrator trusts vouches for the certificate. " * 2
    await glass.show(replace(views.MEETING, lobby=(replace(views.MEETING.lobby[0], reason=reason),)))
    assert reason.strip() in await glass.text(".card-reason")
    is_whole = "(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)"
    assert await glass.page.evaluate(f"{is_whole}(document.querySelector('.card-reason'))")


async def test_a_join_from_outside_says_who_asks_and_is_accepted_or_refused(
    glass: Glass, tmp_path: Path
) -> None:
    await glass.show(views.CALLED)
    stage = await glass.text("#stage")
    assert "Quarterly review" in stage
    assert "Asked by an admin. Joining in 8 s." in stage
    keep("called.png", await glass.page.picture(), tmp_path)
    await glass.wait_a_second()
    pressed = glass.panel.actions()
    await glass.page.tap("#accept_join")
    assert await anext(pressed) == PanelAction(ActionKind.ACCEPT_JOIN, name="Quarterly review")
    await glass.page.tap("#refuse_join")
    assert await anext(pressed) == PanelAction(ActionKind.REFUSE_JOIN)


async def test_the_seconds_of_a_countdown_take_no_button_from_under_a_finger(glass: Glass) -> None:
    await glass.show(views.CALLED)
    assert views.CALLED.incoming is not None
    await glass.page.evaluate("window.before = document.querySelector('#refuse_join')")
    await glass.show(replace(views.CALLED, incoming=replace(views.CALLED.incoming, seconds=7)))
    assert "Joining in 7 s." in await glass.text("#stage-line")
    assert await glass.page.evaluate("window.before === document.querySelector('#refuse_join')")


async def test_an_invitation_of_today_is_joined_by_a_press(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.INVITED)
    first = await glass.text("#invitation-list li")
    for said in ("14:00-15:00", "Quarterly review", "by \u2068south.rooms.example\u2069", "now"):
        assert said in first
    keep("invited.png", await glass.page.picture(), tmp_path)
    await glass.wait_a_second()
    await glass.page.tap("[id='join 2e']")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.JOIN, invitation_id="2e")


async def test_a_meeting_that_the_policy_refused_says_so(glass: Glass) -> None:
    await glass.show(views.REFUSED)
    assert await glass.text("#stage-line") == "Refused by this room's own rules"
    assert "locked meetings only" in await glass.text("#stage-note")


async def test_an_opened_case_and_a_certificate_about_to_end_are_told(glass: Glass) -> None:
    await glass.show(views.ALARMED)
    tampered, certificate = (await glass.text("#notices")).split("\n")
    assert tampered.startswith("The case of this device was opened.")
    assert certificate.startswith("This room's certificate ends in 3 days")


async def test_the_code_is_spoken_on_a_press_and_only_while_it_stands(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.page.tap("#speak-button")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.SPEAK_CODE, code_epoch=7)
    for view in (views.BROKEN, views.CATCHING_UP, views.ALONE):
        await glass.show(view)
        assert await glass.page.evaluate("document.querySelector('#speak-button').hidden")


async def test_buttons_around_the_panel_are_pressed_by_hand(glass: Glass) -> None:
    pressed = glass.buttons.presses()
    first = asyncio.ensure_future(anext(pressed))
    await asyncio.sleep(0)
    await glass.page.tap("[id='button microphone']")
    assert await first is Button.MICROPHONE


async def test_buttons_select_what_is_on_the_glass_and_press_it(glass: Glass) -> None:
    await glass.show(views.INVITED)
    focused = "document.activeElement.id"
    await glass.panel.navigate(Button.DOWN)
    await glass.page.until("document.activeElement.id === 'stage-lock'")
    await glass.panel.navigate(Button.DOWN)
    await glass.panel.navigate(Button.DOWN)
    await glass.panel.navigate(Button.UP)
    await glass.show(replace(views.INVITED, news=("one",)))
    assert await glass.page.evaluate(focused) == "join 1f"
    assert glass.panel.selected() == "1f"
    await glass.panel.navigate(Button.SELECT)
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.JOIN, invitation_id="1f")
    await glass.panel.navigate(Button.BACK)
    await glass.page.until("document.activeElement === document.body")
    await glass.page.tap("#button\\ leave")
    await glass.show(views.INVITED)
    assert glass.panel.selected() == ""


async def test_a_phone_reads_the_digits_off_the_details(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.MEETING)
    await glass.press("#lock")
    picture = await glass.page.picture()
    keep("details-phone.png", picture, tmp_path)
    path = await glass.page.evaluate("document.querySelector('.phone-code path').getAttribute('d')")
    dark = {(int(x) - 4, int(y) - 4) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)}
    text = f"Quarterly review\n{views.CODE}\nnorth.rooms.example #7"
    matrix = segno.make(text, error="m", micro=False).matrix
    assert dark == {(x, y) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}


@pytest.mark.parametrize("view", [views.BROKEN, views.CATCHING_UP, views.ALONE, views.IDLE])
async def test_where_no_code_stands_a_phone_finds_none(glass: Glass, view: PanelView) -> None:
    await glass.show(view)
    assert await glass.page.evaluate("document.querySelector('.phone-code') === null")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["MEETING", "CALLED", "INVITED", "ALARMED", "REFUSED"])
async def test_every_language_fits_on_the_glass(
    glass: Glass, tmp_path: Path, language: str, name: str
) -> None:
    await glass.show(replace(getattr(views, name), language=language))
    assert await glass.page.evaluate("document.documentElement.lang") == language
    direction = "rtl" if language == "ar" else "ltr"
    assert await glass.page.evaluate("getComputedStyle(document.body).direction") == direction
    outside = """[...document.querySelectorAll('#lock, h1, #groups li, .control, #stage > *:not([hidden])')]
      .filter(e => e.checkVisibility()).filter(e => { const box = e.getBoundingClientRect();
        return box.left < 0 || box.top < 0 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1; })
      .map(e => e.outerHTML.slice(0, 80))"""
    assert await glass.page.evaluate(outside) == []
    keep(f"{name.lower()}-{language}.png", await glass.page.picture(), tmp_path)
    await glass.press("#lock")
    keep(f"{name.lower()}-{language}-details.png", await glass.page.picture(), tmp_path)


async def test_the_groups_of_the_code_stand_from_left_to_right_in_arabic_too(glass: Glass) -> None:
    await glass.show(replace(views.MEETING, language="ar"))
    order = """[...document.querySelectorAll('#groups li')].map(e => e.getBoundingClientRect())
      .map(box => [Math.round(box.top), Math.round(box.left)])"""
    places = await glass.page.evaluate(order)
    assert places == sorted(places)


async def test_no_word_of_english_is_left_when_the_panel_speaks_another_language(glass: Glass) -> None:
    await glass.show(replace(views.MEETING, language="ja"))
    await glass.press("#lock")
    shown = await glass.text("main") + await glass.text("#details")
    known = (*views.MEETING.missing, views.MEETING.code_reason, views.MEETING.title, views.MEETING.suite)
    for text in (*known, "RFC", "epoch", views.MEETING.sframe_suite):
        shown = shown.replace(text, "")
    english = (
        "verified",
        "host",
        "Leave",
        "code",
        "Microphone",
        "Close",
        "member",
        "guest",
        "Admit",
        "press",
    )
    assert [word for word in english if word in shown.replace("tomas@partner.example", "")] == []
    await glass.show(views.MEETING)
    assert await glass.text("h1") == "4 people, 1 not verified"


async def test_the_digits_are_shown_as_large_as_the_glass_carries(glass: Glass, tmp_path: Path) -> None:
    await glass.show(views.MEETING)
    await glass.page.tap("#enlarge")
    assert (await glass.text(".large-groups")).split() == views.CODE.split()
    inside = """[...document.querySelectorAll('.large-groups li')].every(e => {
      const box = e.getBoundingClientRect();
      return box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight * 50 / 54; })"""
    assert await glass.page.evaluate(inside)
    keep("large-code.png", await glass.page.picture(), tmp_path)
    await glass.press("#large-speak")
    assert await anext(glass.panel.actions()) == PanelAction(ActionKind.SPEAK_CODE, code_epoch=7)


async def test_large_digits_that_are_old_are_struck_out_and_those_that_are_gone_close(glass: Glass) -> None:
    await glass.show(views.MEETING)
    await glass.press("#enlarge")
    await glass.show(views.BROKEN)
    assert await glass.page.evaluate(
        "document.querySelector('.large-groups').classList.contains('is-struck')"
    )
    assert await glass.page.evaluate("document.querySelector('#large-speak') === null")
    await glass.show(views.ALONE)
    assert not await glass.page.evaluate("document.querySelector('#large-code').open")


@pytest.mark.parametrize(
    ("view", "button"), [(views.CALLED, "#refuse_join"), (views.INVITED, "[id='join 1f']")]
)
async def test_a_finger_on_a_way_in_that_has_only_just_appeared_does_nothing(
    glass: Glass, view: PanelView, button: str
) -> None:
    await glass.wait_a_second()
    await glass.show(view)
    await glass.page.tap(button)
    await glass.press("#microphone-button")
    assert (await anext(glass.panel.actions())).kind is ActionKind.MUTE_MICROPHONE
