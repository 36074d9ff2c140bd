"""What stands where: within the screen, apart from each other, large enough, and whole in every language."""

from dataclasses import replace
from itertools import combinations

import pytest

from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclave_hal.pixels.language import LANGUAGES
from conclave_hal.pixels.layout import lay_out
from conclave_hal.pixels.navigation import Ask, Opened, Press, Sheet
from conclave_hal.pixels.scene import Matrix, Scene, Shape, Sign, Text
from conclave_hal.pixels.screen import Screen
from tests.hal.pixels import pictures
from tests.hal.pixels.pictures import BROKEN, HOSTILE, MEETING, PAGES, SCREENS, TEN, typesetter

LEAST_TOUCH_MM = 5.5
TEN_INCH = (
    TEN,
    Screen(800, 1280, 10.1),
    Screen(1024, 600, 10.1),
    Screen(1920, 1200, 10.1),
    Screen(1200, 1920, 10.1),
)


def scene_of(
    view: PanelView, opened: Opened | None = None, screen: Screen = TEN, language: str = "en"
) -> Scene:
    return lay_out(replace(view, language=language), opened or Opened(), screen, typesetter())


def texts(scene: Scene) -> list[Text]:
    return [element for element in scene.elements if isinstance(element, Text)]


def words(scene: Scene) -> str:
    return "\n".join(text.text for text in texts(scene)).replace("\u2068", "").replace("\u2069", "")


def shapes(scene: Scene) -> list[Shape]:
    return [element.shape for element in scene.elements if isinstance(element, Sign)]


def actions(scene: Scene) -> set[ActionKind]:
    return {t.target.action.kind for t in scene.touches if isinstance(t.target, Press | Ask)}


EVERYTHING = [
    pytest.param(page, screen, language, id=f"{page}-{screen.width}x{screen.height}-{language}")
    for page in PAGES
    for screen in SCREENS
    for language in LANGUAGES
]


@pytest.mark.parametrize(("page", "screen", "language"), EVERYTHING)
def test_all_of_a_page_is_on_the_screen_and_no_text_on_another(
    page: str, screen: Screen, language: str
) -> None:
    scene = scene_of(*PAGES[page], screen, language)
    for element in scene.elements:
        box = element.box
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= scene.width
        assert box.bottom <= scene.height
    for text in texts(scene):
        assert typesetter().width(text.text, text.style) <= text.box.width + 1
    over = [
        (a.text, b.text)
        for a, b in combinations(texts(scene), 2)
        if a.box.overlaps(b.box) and a.text and b.text
    ]
    assert over == []


@pytest.mark.parametrize(("page", "screen", "language"), EVERYTHING)
def test_what_can_be_pressed_is_as_large_as_a_fingertip_and_apart(
    page: str, screen: Screen, language: str
) -> None:
    scene = scene_of(*PAGES[page], screen, language)
    for touch in scene.touches:
        assert min(touch.box.width, touch.box.height) >= LEAST_TOUCH_MM * screen.pixels_per_mm, touch
    over = [(a.target, b.target) for a, b in combinations(scene.touches, 2) if a.box.overlaps(b.box)]
    assert over == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen.width}x{screen.height}")
@pytest.mark.parametrize("page", ["verified", "unenrolled", "incoming", "lobby", "leave", "confirm", "code"])
def test_our_own_words_are_never_cut(page: str, screen: Screen, language: str) -> None:
    view, opened = PAGES[page]
    view = replace(view, missing=(), removed=view.removed[:1], code_reason="", shutter="unknown")
    shown = [text.text for text in texts(scene_of(view, opened, screen, language))]
    # A name may be cut; it ends there, within its isolate.
    assert [text for text in shown if "…" in text and "…\u2069" not in text] == []


@pytest.mark.parametrize("screen", TEN_INCH, ids=lambda screen: f"{screen.width}x{screen.height}")
@pytest.mark.parametrize("view", [pictures.VERIFIED, MEETING, replace(MEETING, certificate_days=3)])
def test_the_code_can_be_read_from_three_metres_on_ten_inches(view: PanelView, screen: Screen) -> None:
    digits = [text for text in texts(scene_of(view, screen=screen)) if text.is_code]
    assert [text.text for text in digits] == view.security_code.split()
    for text in digits:
        height = text.style.size_px * typesetter().digit_height
        assert screen.arc_minutes(height) >= 16


@pytest.mark.parametrize("size", [(800, 480), (1024, 600)])
def test_a_press_makes_the_code_as_large_on_seven_inches(size: tuple[int, int]) -> None:
    screen = Screen(*size, 7.0)
    digits = [text for text in texts(scene_of(MEETING, Opened(Sheet.CODE), screen)) if text.is_code]
    assert screen.arc_minutes(digits[0].style.size_px * typesetter().digit_height) >= 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_is_read_in_the_same_order_in_every_language(language: str) -> None:
    def places(language: str) -> list[tuple[int, int, str]]:
        found = [t for t in texts(scene_of(MEETING, language=language)) if t.is_code]
        return sorted((t.box.y, t.box.x, t.text) for t in found)

    assert [t for _, _, t in places(language)] == MEETING.security_code.split()
    assert [x for _, x, _ in places(language)] == [x for _, x, _ in places("en")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_headline_can_be_read_from_three_metres(language: str) -> None:
    largest = max(
        text.style.size_px for text in texts(scene_of(MEETING, language=language)) if not text.is_code
    )
    assert largest >= 60


def test_arabic_is_laid_out_from_the_right() -> None:
    def shield(language: str) -> int:
        scene = scene_of(MEETING, language=language)
        sign = next(e for e in scene.elements if isinstance(e, Sign) and e.shape is Shape.SHIELD_LOCKED)
        return sign.box.x + sign.box.width // 2

    assert shield("en") == TEN.width - shield("ar")


@pytest.mark.parametrize(
    ("page", "shape", "said"),
    [
        ("idle", Shape.SHIELD_NONE, "not encrypted"),
        ("joining", Shape.SHIELD_OPENING, "Opening"),
        ("verified", Shape.SHIELD_LOCKED, "all verified"),
        ("meeting", Shape.SHIELD_LOCKED, "6 people, 2 not verified"),
        ("broken", Shape.SHIELD_BROKEN, "sending has stopped"),
        ("refused", Shape.TRIANGLE, "Refused by this room's policy: service ends are not allowed"),
    ],
)
def test_a_state_has_a_shape_and_words(page: str, shape: Shape, said: str) -> None:
    scene = scene_of(*PAGES[page])
    assert shape in shapes(scene)
    assert said in words(scene)


@pytest.mark.parametrize(
    ("changes", "shape", "said"),
    [
        ({"mute_switch": "blocking"}, Shape.MICROPHONE_OFF, "by the room's switch"),
        ({"mute_switch": "unknown"}, Shape.TRIANGLE, "switch unknown: unsafe"),
        ({"shutter": "blocking"}, Shape.SHUTTER, "the shutter is closed"),
        ({"camera_muted": True}, Shape.CAMERA_OFF, "Camera off"),
        ({"tamper": "tripped"}, Shape.TRIANGLE, "This device was opened."),
        ({"certificate_days": 5}, Shape.TRIANGLE, "ends in 5 days"),
        ({"certificate_days": 1}, Shape.TRIANGLE, "ends in 1 day."),
        ({"certificate_days": -1}, Shape.TRIANGLE, "has ended"),
    ],
)
def test_what_is_wrong_with_the_room_has_a_shape_and_words(
    changes: dict[str, object], shape: Shape, said: str
) -> None:
    scene = scene_of(replace(pictures.VERIFIED, **changes))  # type: ignore[arg-type]
    assert shape in shapes(scene)
    assert said in words(scene)


def test_no_code_behind_a_broken_lock_can_be_spoken_or_ticked_off() -> None:
    assert ActionKind.SPEAK_CODE not in actions(scene_of(BROKEN))
    assert ActionKind.COMPARED not in actions(scene_of(BROKEN, pictures.GUEST))
    details = scene_of(BROKEN, Opened(Sheet.DETAILS))
    assert not any(isinstance(element, Matrix) for element in details.elements)


def test_only_hosts_find_what_only_hosts_may_do() -> None:
    guest = replace(MEETING, is_host=False)
    for opened in (Opened(), pictures.GUEST, Opened(Sheet.LEAVE)):
        found = actions(scene_of(guest, opened))
        assert not found & {
            ActionKind.ADMIT,
            ActionKind.DENY,
            ActionKind.KICK,
            ActionKind.HAND_OVER,
            ActionKind.END_FOR_ALL,
            ActionKind.ALLOW_BACK,
        }


def test_nobody_is_admitted_against_an_obstacle() -> None:
    waiting = replace(MEETING.lobby[0], obstacle="this meeting is for verified names")
    assert actions(scene_of(replace(MEETING, lobby=(waiting,)))) & {ActionKind.ADMIT, ActionKind.DENY} == {
        ActionKind.DENY
    }


def test_the_room_itself_is_neither_removed_nor_compared() -> None:
    own = MEETING.participants[0]
    scene = scene_of(MEETING, Opened(Sheet.PERSON, own.leaf, own.name))
    assert not actions(scene)


def test_a_day_with_invitations_lets_people_join_each() -> None:
    joins = [
        touch.target.action
        for touch in scene_of(pictures.IDLE).touches
        if isinstance(touch.target, Press) and touch.target.action.kind is ActionKind.JOIN
    ]
    assert joins[0] == PanelAction(ActionKind.JOIN, invitation_id="i1")
    assert len(joins) == 4


def test_a_join_from_outside_can_be_refused_and_covers_what_was_open() -> None:
    scene = scene_of(pictures.INCOMING, Opened(Sheet.DETAILS))
    assert actions(scene) == {ActionKind.ACCEPT_JOIN, ActionKind.REFUSE_JOIN}
    assert "Joins in 9 seconds" in words(scene)
    assert "an admin over SSH" in words(scene)


def test_those_whom_nobody_verified_come_first() -> None:
    names = [text.text for text in texts(scene_of(MEETING)) if text.text.startswith("“")]
    assert "Ana Lima" in names[0]


def test_a_strangers_text_reaches_the_screen_without_its_control_characters() -> None:
    shown = "".join(text.text for text in texts(scene_of(HOSTILE)))
    assert not {"\u202e", "\u202c", "\u200b", "\n"} & set(shown)


def test_the_same_input_gives_the_same_scene() -> None:
    assert scene_of(MEETING) == scene_of(MEETING)
