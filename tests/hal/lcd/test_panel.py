"""The LCD's driver, against an LCD on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.buttons import Button
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError, HalError
from conclave_hal.lcd import link as link_module
from conclave_hal.lcd import panel as panel_module
from conclave_hal.lcd.charset import LOCK, encode
from conclave_hal.lcd.link import Key
from conclave_hal.lcd.packets import Command
from conclave_hal.lcd.panel import HOME_S, REWRITE_S, SETTLE_S, LcdOptions, LcdPanel
from conclave_hal.panel import ActionKind, PanelAction
from conclave_hal.simulated.lcd import SimulatedLcd
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal import views
from tests.hal.eventually import eventually
from tests.hal.lcd.test_pages import INCOMING


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An LCD that answers is waited for, however busy this machine is; `short` is for one that does not."""
    monkeypatch.setattr(link_module, "DEADLINE_S", 10.0)
    monkeypatch.setattr(panel_module, "SHOW_DEADLINE_S", 60.0)


@pytest.fixture
def short(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed soon."""
    monkeypatch.setattr(link_module, "DEADLINE_S", 0.1)


class Pauses:
    """Long waits end when the test says so; short ones at once."""

    def __init__(self) -> None:
        self._gates: dict[float, asyncio.Event] = {}

    async def __call__(self, seconds: float) -> None:
        if seconds in (REWRITE_S, HOME_S):
            await self.gate(seconds).wait()
        else:
            await asyncio.sleep(0)

    def gate(self, seconds: float) -> asyncio.Event:
        return self._gates.setdefault(seconds, asyncio.Event())


class Bench:
    """An LCD, its driver, and time."""

    def __init__(self, folder: Path) -> None:
        self.lcd = SimulatedLcd(PtyWire(folder / "lcd"))
        self.pauses = Pauses()
        self.now = 100.0
        self.panel = LcdPanel(LcdOptions(str(self.lcd.wire.link)), pause=self.pauses, clock=lambda: self.now)

    def row(self, number: int) -> bytes:
        return bytes(self.lcd.memory[number]).rstrip()

    async def until(self, health: Health) -> None:
        async for state in self.panel.watch():
            if state.health is health:
                return

    async def shows(self, text: str) -> None:
        """Wait until the first line has `text`, and the driver knows it."""
        await eventually(lambda: encode(text) in self.row(0) and self.panel.drawn() is not None)


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    made = Bench(folder)
    made.lcd.wire.plug_in()
    tasks = [asyncio.create_task(made.lcd.run()), asyncio.create_task(made.panel.supervise())]
    try:
        async with asyncio.timeout(60):
            await made.until(Health.READY)
            yield made
    finally:
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await made.panel.close()
        made.lcd.wire.unplug()


async def test_a_view_is_drawn_when_the_lcd_has_its_four_lines(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.MEETING)
        assert at.panel.drawn() is views.MEETING
        assert at.row(0).startswith(encode(f"{LOCK} Encrypted"))
        assert at.row(1) == encode("48217 09356 71140")


@pytest.mark.usefixtures("short")
async def test_without_an_answer_nothing_is_drawn(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.IDLE)
        at.lcd.faults.is_deaf = True
        with pytest.raises(DeviceGoneError):
            await at.panel.show(views.MEETING)
        assert at.panel.drawn() is None


@pytest.mark.usefixtures("short")
async def test_an_lcd_that_answers_again_shows_the_newest_view(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.lcd.faults.is_deaf = True
        with pytest.raises(HalError):
            await at.panel.show(views.MEETING)
        await at.until(Health.FAILED)
        at.lcd.faults.is_deaf = False
        await at.until(Health.READY)
        assert at.panel.drawn() is views.MEETING


@pytest.mark.usefixtures("short")
async def test_a_late_answer_is_not_taken_for_the_next_lines(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.IDLE)
        at.lcd.faults.is_late = True
        showing = asyncio.create_task(at.panel.show(views.MEETING))
        await eventually(lambda: at.lcd.commands[-1].number == Command.TEXT)
        await eventually(lambda: at.lcd.commands[-1].number == Command.PING)
        # The answer to the first line's first try arrives now; only a ping's own number counts.
        at.lcd.faults.is_late = False
        at.lcd.release()
        await asyncio.gather(showing, return_exceptions=True)
        await at.until(Health.READY)
        assert at.panel.drawn() is views.MEETING
        assert at.row(2) == encode("62893 30518 95427")


@pytest.mark.parametrize("fault", ["has_noise"])
async def test_garbage_on_the_wire_does_no_harm(tmp_path: Path, fault: str) -> None:
    async with bench(tmp_path) as at:
        setattr(at.lcd.faults, fault, True)
        await at.panel.show(views.MEETING)
        assert at.panel.drawn() is views.MEETING


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("fault", ["damages_answers", "is_refusing"])
async def test_what_the_lcd_did_not_rightly_acknowledge_is_not_drawn(tmp_path: Path, fault: str) -> None:
    async with bench(tmp_path) as at:
        setattr(at.lcd.faults, fault, True)
        with pytest.raises(HalError):
            await at.panel.show(views.MEETING)
        assert at.panel.drawn() is None


async def test_an_lcd_that_lost_its_power_is_written_anew(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.IDLE)
        at.lcd.lose_power()
        at.lcd.reported_keys = 0
        at.pauses.gate(REWRITE_S).set()
        await at.shows("Ready")
        assert at.lcd.special
        assert at.lcd.reported_keys == 0x3F


async def test_a_port_that_vanishes_leaves_nothing_drawn_and_comes_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.MEETING)
        at.lcd.wire.unplug()
        await at.until(Health.FAILED)
        assert at.panel.drawn() is None
        at.lcd.wire.plug_in()
        await at.until(Health.READY)
        assert at.panel.drawn() is views.MEETING


async def test_keys_turn_pages_and_the_first_comes_back_by_itself(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(views.VERIFIED)
        at.lcd.press(Key.DOWN)
        await at.shows("1/3")
        await at.panel.navigate(Button.UP)
        await at.shows("Encrypted")
        at.lcd.press(Key.DOWN)
        await at.shows("1/3")
        at.pauses.gate(HOME_S).set()
        await at.shows("Encrypted")


async def test_a_join_asked_from_outside_is_refused_and_accepted_by_keys(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(INCOMING)
        presses = at.panel.actions()
        at.now += SETTLE_S
        at.lcd.press(Key.EXIT)
        assert await anext(presses) == PanelAction(ActionKind.REFUSE_JOIN)
        at.lcd.press(Key.ENTER)
        assert await anext(presses) == PanelAction(ActionKind.ACCEPT_JOIN, name="Quarterly review")


async def test_what_has_just_come_by_itself_is_not_answered_by_a_key_meant_for_something_else(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(INCOMING)
        await at.panel.navigate(Button.SELECT)
        at.now += SETTLE_S
        await at.panel.navigate(Button.BACK)
        assert await anext(at.panel.actions()) == PanelAction(ActionKind.REFUSE_JOIN)


async def test_a_meeting_that_takes_another_s_place_has_to_settle_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(INCOMING)
        at.now += SETTLE_S
        assert INCOMING.incoming is not None
        await at.panel.show(replace(INCOMING, incoming=replace(INCOMING.incoming, title="Another")))
        await at.panel.navigate(Button.SELECT)
        at.now += SETTLE_S
        await at.panel.navigate(Button.SELECT)
        await at.panel.navigate(Button.BACK)
        presses = at.panel.actions()
        assert await anext(presses) == PanelAction(ActionKind.ACCEPT_JOIN, name="Another")
        assert await anext(presses) == PanelAction(ActionKind.REFUSE_JOIN)


async def test_a_press_carries_the_name_that_stood_on_the_glass(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(replace(views.VERIFIED, participants=views.VERIFIED.participants[1:]))
        presses = at.panel.actions()
        at.lcd.press(Key.DOWN)
        await at.shows("1/2")
        at.lcd.press(Key.ENTER)
        action = await anext(presses)
        assert (action.kind, action.name) == (ActionKind.NOT_COMPARED, "south.rooms.example")
        assert action.code_epoch == views.VERIFIED.code_epoch


async def test_an_end_of_the_driver_leaves_no_lock_on_the_glass(tmp_path: Path) -> None:
    made = Bench(tmp_path)
    made.lcd.wire.plug_in()
    lcd = asyncio.create_task(made.lcd.run())
    running = asyncio.create_task(made.panel.supervise())
    async with asyncio.timeout(60):
        await made.until(Health.READY)
        await made.panel.show(views.MEETING)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert made.row(0) == b""
    lcd.cancel()
    await asyncio.gather(lcd, return_exceptions=True)
    await made.panel.close()
    made.lcd.wire.unplug()


@pytest.mark.parametrize(
    ("before", "after", "last"), [(views.BROKEN, views.MEETING, 0), (views.MEETING, views.BROKEN, 3)]
)
async def test_the_lock_closes_last_and_opens_first(
    tmp_path: Path, before: object, after: object, last: int
) -> None:
    async with bench(tmp_path) as at:
        await at.panel.show(before)  # type: ignore[arg-type]
        at.lcd.commands.clear()
        await at.panel.show(after)  # type: ignore[arg-type]
        rows = [packet.data[1] for packet in at.lcd.commands if packet.number == Command.TEXT]
        first = 0 if last else max(rows)
        assert rows[0] == first
        assert (rows[-1] == 0) is (last == 0)
