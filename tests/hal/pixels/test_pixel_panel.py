"""The driver: what it says is drawn is drawn, what it hands on was pressed, and a glass may come and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from conclave_hal.buttons import Button
from conclave_hal.config import load
from conclave_hal.device import Health
from conclave_hal.errors import (
    ConfigurationError,
    DeviceError,
    DeviceGoneError,
    UsageError,
)
from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclave_hal.pixels import pixel_panel
from conclave_hal.pixels.glass import Glass
from conclave_hal.pixels.navigation import Ask, Open, Press, Sheet, Target
from conclave_hal.pixels.pixel_panel import PixelPanel
from conclave_hal.pixels.pixel_panel_options import PixelPanelOptions
from conclave_hal.pixels.scene import Scene
from conclave_hal.pixels.screen import Screen
from conclave_hal.pixels.touch import Tap
from conclave_hal.pixels.touch_reader import TouchNode
from tests.hal.eventually import eventually
from tests.hal.pixels.pictures import IDLE, MEETING
from tests.hal.pixels.test_layout import scene_of
from tests.hal.views import GUEST, VERIFIED


class FakeGlass(Glass):
    """Keeps what it shows, and fails as it is told."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self.name = "glass"
        self.width, self.height = width, height
        self.shown: list[Image.Image] = []
        self.show_error: Exception | None = None
        self.check_error: Exception | None = None
        self.closed = 0

    def show(self, picture: Image.Image) -> None:
        if self.show_error is not None:
            raise self.show_error
        assert picture.size == (self.width, self.height)
        self.shown.append(picture)

    def check(self) -> None:
        if self.check_error is not None:
            raise self.check_error

    def close(self) -> None:
        self.closed += 1


class Time:
    """Stands still until a test lets it go on."""

    def __init__(self) -> None:
        self.now = 100.0
        self._woken = asyncio.Condition()
        self._rounds = 0

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        async with self._woken:
            until = self._rounds + 1
            await self._woken.wait_for(lambda: self._rounds >= until)

    async def goes_on(self, seconds: float = 1.0) -> None:
        self.now += seconds
        async with self._woken:
            self._rounds += 1
            self._woken.notify_all()


@dataclass
class Bench:
    """A panel at work."""

    panel: PixelPanel
    glass: FakeGlass
    time: Time
    glasses: list[FakeGlass | Exception]


@asynccontextmanager
async def at_work(
    options: PixelPanelOptions | None = None, *glasses: FakeGlass | Exception
) -> AsyncIterator[Bench]:
    """The glasses that are found one after another; the last again and again."""
    waiting = list(glasses) or [FakeGlass()]
    time = Time()

    def opens(_: PixelPanelOptions) -> Glass:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(found, Exception):
            raise found
        return found

    panel = PixelPanel(options or PixelPanelOptions(), opens_glass=opens, pause=time.pause, clock=time.clock)
    await panel.open()
    running = asyncio.create_task(panel.run())
    try:
        first = waiting[0]
        if isinstance(first, FakeGlass):
            await eventually(lambda: panel.state().health is Health.READY)
        yield Bench(panel, first if isinstance(first, FakeGlass) else FakeGlass(), time, waiting)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await panel.close()


def where(scene: Scene, target: Target) -> Tap:
    """The middle of what `target` is pressed by."""
    box = next(touch.box for touch in scene.touches if touch.target == target)
    return Tap((box.x + box.width / 2) / scene.width, (box.y + box.height / 2) / scene.height)


async def next_action(panel: PixelPanel) -> PanelAction:
    async with asyncio.timeout(20):
        return await anext(panel.actions())


LEAVE = PanelAction(ActionKind.LEAVE)
MUTE = Press(PanelAction(ActionKind.MUTE_MICROPHONE))
GUESTS_SHEET = Open(Sheet.PERSON, GUEST.leaf, GUEST.name)


async def test_what_was_shown_is_on_the_glass_and_said_to_be() -> None:
    async with at_work() as bench:
        await bench.panel.show(MEETING)
        assert bench.panel.drawn() is MEETING
        assert len(bench.glass.shown) == 1


async def test_nothing_is_drawn_before_there_is_a_glass() -> None:
    async with at_work(None, DeviceGoneError("no monitor is plugged in")) as bench:
        await bench.panel.show(MEETING)
        assert bench.panel.drawn() is None
        await eventually(lambda: bench.panel.state().health is Health.FAILED)
        assert bench.panel.state().reason == "no monitor is plugged in"


async def test_a_glass_that_comes_later_shows_the_present_view() -> None:
    glass = FakeGlass()
    async with at_work(None, DeviceGoneError("away"), glass) as bench:
        await eventually(lambda: bench.panel.state().health is Health.FAILED)
        await bench.panel.show(IDLE)
        await bench.time.goes_on()
        await eventually(lambda: bench.panel.drawn() is IDLE)
        assert len(glass.shown) == 1


async def test_a_glass_that_goes_is_health_and_nothing_is_said_to_be_drawn() -> None:
    first, second = FakeGlass(), FakeGlass()
    async with at_work(None, first, second) as bench:
        await bench.panel.show(MEETING)
        first.check_error = DeviceGoneError("glass: no monitor is plugged in")
        await bench.time.goes_on()
        await eventually(lambda: bench.panel.state().health is Health.FAILED)
        assert bench.panel.drawn() is None
        assert first.closed == 1
        await bench.time.goes_on()
        await eventually(lambda: bench.panel.drawn() is MEETING)
        assert bench.panel.state().health is Health.READY


async def test_a_picture_that_does_not_arrive_is_not_said_to_be_drawn() -> None:
    async with at_work() as bench:
        await bench.panel.show(IDLE)
        bench.glass.show_error = DeviceError("glass shows something else than what was drawn")
        await bench.panel.show(MEETING)
        assert bench.panel.drawn() is None
        assert bench.panel.state().health is Health.FAILED
        assert "something else" in bench.panel.state().reason


async def test_a_fault_in_drawing_costs_the_panel_and_not_the_room() -> None:
    async with at_work() as bench:
        bench.glass.show_error = ValueError("a fault")
        await bench.panel.show(MEETING)
        assert bench.panel.drawn() is None
        assert bench.panel.state().reason == "a fault in drawing: ValueError"


async def test_a_view_that_cannot_be_drawn_leaves_no_older_one_on_the_glass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with at_work() as bench:
        await bench.panel.show(MEETING)

        def fails(*_: object) -> None:
            raise ValueError("a fault")

        monkeypatch.setattr(pixel_panel, "lay_out", fails)
        await bench.panel.show(IDLE)
        assert bench.panel.drawn() is None
        assert bench.glass.shown[-1].getcolors() == [(1280 * 800, (0, 0, 0))]


async def test_a_glass_that_hangs_is_closed_once_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, goes_on = Event(), Event()

    def show(picture: Image.Image) -> None:
        hangs.set()
        goes_on.wait(20)

    async with at_work() as bench:
        bench.glass.show = show  # type: ignore[method-assign]
        showing = asyncio.create_task(bench.panel.show(MEETING))
        await eventually(hangs.is_set)
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        monkeypatch.setattr(pixel_panel, "DRAW_DEADLINE_S", 0.0)
        await bench.panel._leave_glass()
        assert bench.glass.closed == 0
        goes_on.set()
        await eventually(lambda: bench.glass.closed == 1)


async def test_a_glass_that_comes_when_nobody_waits_any_more_is_closed() -> None:
    late, is_given_up = FakeGlass(), Event()
    panel = PixelPanel(PixelPanelOptions(), opens_glass=lambda _: late)
    is_given_up.set()
    with pytest.raises(DeviceGoneError):
        panel._open_glass(is_given_up)
    assert late.closed == 1


async def test_nobody_says_what_is_on_the_glass_while_a_picture_is_on_its_way() -> None:
    async with at_work() as bench:
        await bench.panel.show(IDLE)
        seen: list[PanelView | None] = []
        shows = bench.glass.show

        def show(picture: Image.Image) -> None:
            seen.append(bench.panel.drawn())
            shows(picture)

        bench.glass.show = show  # type: ignore[method-assign]
        await bench.panel.show(MEETING)
        assert seen == [None]
        assert bench.panel.drawn() is MEETING


async def test_what_covers_the_picture_is_drawn_over() -> None:
    async with at_work() as bench:
        await bench.panel.show(MEETING)
        bench.glass.check_error = DeviceError("glass shows something else than what was drawn")
        await bench.time.goes_on()
        await eventually(lambda: len(bench.glass.shown) == 2)
        await eventually(lambda: bench.panel.drawn() is MEETING)


async def test_a_press_is_handed_on_with_what_stood_there() -> None:
    async with at_work() as bench:
        await bench.panel.show(MEETING)
        bench.time.now += 1
        await bench.panel.tapped(where(scene_of(MEETING), MUTE))
        assert await next_action(bench.panel) == MUTE.action


@pytest.mark.parametrize("rotation", [90, 180, 270])
async def test_a_turned_panel_is_pressed_where_people_see_it(rotation: int) -> None:
    glass = FakeGlass()
    async with at_work(PixelPanelOptions(rotation=rotation), glass) as bench:
        await bench.panel.show(MEETING)
        screen = Screen(1280, 800) if rotation == 180 else Screen(800, 1280)
        there = where(scene_of(MEETING, screen=screen), MUTE)
        turns = {
            90: Tap(1 - there.y, there.x),
            180: Tap(1 - there.x, 1 - there.y),
            270: Tap(there.y, 1 - there.x),
        }
        bench.time.now += 1
        await bench.panel.tapped(turns[rotation])
        assert await next_action(bench.panel) == MUTE.action


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
async def test_the_line_at_the_top_is_where_the_top_is(rotation: int) -> None:
    glass = FakeGlass()
    async with at_work(PixelPanelOptions(rotation=rotation), glass) as bench:
        await bench.panel.show(MEETING)
        picture = glass.shown[0]
        middle = {0: (640, 0), 90: (1279, 400), 180: (640, 799), 270: (0, 400)}[rotation]
        assert picture.getpixel(middle) == (0x63, 0xE0, 0xA3)


async def test_what_has_just_come_under_the_finger_is_not_pressed() -> None:
    async with at_work() as bench:
        await bench.panel.show(IDLE)
        bench.time.now += 10
        await bench.panel.show(MEETING)
        bench.time.now += 0.2
        admit = Press(PanelAction(ActionKind.ADMIT, request_id=MEETING.lobby[0].request_id))
        await bench.panel.tapped(where(scene_of(MEETING), admit))
        bench.time.now += 1
        await bench.panel.tapped(where(scene_of(MEETING), MUTE))
        assert await next_action(bench.panel) == MUTE.action


async def test_a_removal_takes_two_presses_and_says_whom() -> None:
    kick = PanelAction(ActionKind.KICK, leaf=GUEST.leaf)
    async with at_work() as bench:
        panel = bench.panel
        await panel.show(MEETING)
        for target in (GUESTS_SHEET, Ask(kick, GUEST.name), Press(kick)):
            bench.time.now += 1
            scene = panel._drawn.scene if panel._drawn else None
            assert scene is not None
            await panel.tapped(where(scene, target))
        assert await next_action(panel) == replace(kick, name=GUEST.name)
        assert len(bench.glass.shown) == 4


async def test_a_press_on_somebody_who_has_gone_is_dropped() -> None:
    kick = PanelAction(ActionKind.KICK, leaf=GUEST.leaf)
    async with at_work() as bench:
        await bench.panel.show(VERIFIED)
        bench.panel._hand_on(kick)
        bench.panel._hand_on(MUTE.action)
        assert await next_action(bench.panel) == MUTE.action


async def test_buttons_select_and_press() -> None:
    async with at_work() as bench:
        await bench.panel.show(IDLE)
        await bench.panel.navigate(Button.DOWN)
        assert len(bench.glass.shown) == 2
        assert bench.panel.selected() == "i1"
        await bench.panel.navigate(Button.SELECT)
        assert await next_action(bench.panel) == PanelAction(ActionKind.JOIN, invitation_id="i1")


async def test_what_nobody_touches_is_closed() -> None:
    async with at_work() as bench:
        await bench.panel.show(MEETING)
        await bench.panel.tapped(where(scene_of(MEETING), Open(Sheet.DETAILS)))
        assert len(bench.glass.shown) == 2
        await bench.time.goes_on(30)
        await bench.time.goes_on(31)
        await eventually(lambda: len(bench.glass.shown) == 3)
        assert bench.glass.shown[2].tobytes() == bench.glass.shown[0].tobytes()


async def test_a_panel_whose_touch_screen_is_away_still_shows() -> None:
    def opens(path: str) -> TouchNode:
        raise OSError(2, "No such file or directory")

    time = Time()
    panel = PixelPanel(
        PixelPanelOptions(touch="/dev/input/event9"),
        opens_glass=lambda _: FakeGlass(),
        opens_touch=opens,
        pause=time.pause,
    )
    await panel.open()
    running = asyncio.create_task(panel.run())
    await eventually(lambda: panel.state().health is Health.DEGRADED)
    assert panel.state().reason == "nobody can touch it: /dev/input/event9: No such file or directory"
    await panel.show(MEETING)
    assert panel.drawn() is MEETING
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await panel.close()


async def test_actions_end_when_it_is_closed() -> None:
    async with at_work() as bench:
        panel = bench.panel
    assert [action async for action in panel.actions()] == []
    with pytest.raises(UsageError):
        await panel.show(MEETING)


def configured(folder: Path, *lines: str) -> Path:
    path = folder / "hal.toml"
    path.write_text("\n".join(['[panel]\ndriver = "pixels"', *lines]) + "\n")
    return path


async def test_the_driver_draws_to_a_file_for_its_owner_only(tmp_path: Path) -> None:
    hardware = load(configured(tmp_path, 'backend = "png"', 'png_file = "panel.png"', "rotation = 90"))
    await hardware.open()
    running = asyncio.create_task(hardware.run())
    await eventually(lambda: hardware.panel.state().health is Health.READY)
    await hardware.panel.show(MEETING)
    file = tmp_path / "panel.png"
    with Image.open(file) as picture:
        assert picture.size == (1280, 800)
    assert file.stat().st_mode & 0o777 == 0o600
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await hardware.close()
    assert not file.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('backend = "png"', "png_file: is required"),
        ("rotation = 45", "rotation: must be one of 0, 90, 180, 270"),
        ('touch = "event3"', 'touch: must be the absolute path of a device, or ""'),
        ('connector = "HDMI A"', "connector: must be a connector of the card"),
        ("diagonal_inches = 2", "diagonal_inches: must be a number from 5 to 100"),
        ('font_folder = "none"', "font_folder: must be the path of a folder that exists"),
    ],
)
def test_a_wrong_option_says_what_is_allowed(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(configured(tmp_path, line))


def test_no_code_is_in_a_repr() -> None:
    view: PanelView = MEETING
    assert view.security_code[:5] not in repr(PixelPanel(PixelPanelOptions()))
