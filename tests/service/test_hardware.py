"""Who may mute and unmute, and what a switch that nobody can read counts for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclave_hal.device import DeviceState
from conclave_hal.errors import DeviceGoneError
from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclave_hal.switches import SwitchPosition
from conclaved.bus.room import Topic
from conclaved.service import hardware as hardware_module
from conclaved.service import panel_watch
from conclaved.service.mutes import Hand, Outside
from tests.service.rooms import DEADLINE_S, TestRoom, running_room


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[TestRoom]:
    async with running_room(tmp_path) as room:
        yield room


async def test_from_outside_a_room_can_be_muted_and_never_unmuted(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=True)
    await here.room.mute(camera=False, microphone=False)
    status = here.room.hardware()
    assert (status.camera_muted, status.microphone_muted) == (True, True)


async def test_muting_one_leaves_the_other(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=False)
    status = here.room.hardware()
    assert (status.camera_muted, status.microphone_muted) == (True, False)


async def test_a_press_on_the_panel_unmutes_what_was_muted_from_outside(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=True)
    here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
    here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
    status = here.room.hardware()
    assert (status.camera_muted, status.microphone_muted) == (False, False)


async def test_a_closed_shutter_switches_the_camera_off_whatever_software_says(here: TestRoom) -> None:
    await here.shutter.move(SwitchPosition.BLOCKING)
    here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
    assert here.hardware.is_camera_off
    assert not here.hardware.is_microphone_off
    assert (await here.panel()).shutter == "blocking"


async def test_an_open_shutter_does_not_unmute(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=False)
    await here.shutter.move(SwitchPosition.BLOCKING)
    await here.shutter.move(SwitchPosition.PASSING)
    assert here.hardware.is_camera_off
    view = await here.panel()
    assert (view.camera_muted, view.shutter) == (True, "passing")


@pytest.mark.parametrize(("position", "is_off"), [("blocking", True), ("passing", False), ("unknown", False)])
async def test_only_a_switch_that_is_known_to_block_counts_as_blocking(
    here: TestRoom, position: str, is_off: bool
) -> None:
    await here.shutter.move(SwitchPosition(position))
    await here.mute_switch.move(SwitchPosition(position))
    assert here.hardware.is_camera_off is is_off
    assert here.hardware.is_microphone_off is is_off
    view = await here.panel()
    assert (view.shutter, view.mute_switch) == (position, position)
    assert (view.camera_muted, view.microphone_muted) == (False, False)


async def test_a_switch_that_blocked_and_cannot_be_read_any_more_unmutes_nothing(here: TestRoom) -> None:
    for switch in (here.shutter, here.mute_switch):
        await switch.move(SwitchPosition.BLOCKING)
    await here.panel()
    for switch in (here.shutter, here.mute_switch):
        await switch.move(SwitchPosition.UNKNOWN)
    view = await here.panel()
    assert (view.shutter, view.mute_switch) == ("unknown", "unknown")
    assert here.hardware.is_camera_off
    assert here.hardware.is_microphone_off
    here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
    assert not here.hardware.is_camera_off


async def test_a_switch_that_is_moved_and_lost_in_one_moment_still_mutes(here: TestRoom) -> None:
    await here.panel()
    for position in (SwitchPosition.BLOCKING, SwitchPosition.UNKNOWN):
        await here.mute_switch.move(position)
    assert (await here.panel()).mute_switch == "unknown"
    assert here.hardware.is_microphone_off
    assert not here.hardware.is_camera_off


async def test_a_switch_that_was_unplugged_is_told_to_who_listens(here: TestRoom) -> None:
    changes = here.room.changes()
    await here.panel()
    first = anext(changes)
    await here.shutter.move(SwitchPosition.UNKNOWN)
    view = await here.panel()
    assert view.shutter == "unknown"
    await here.room.mute(camera=True, microphone=False)
    assert Topic.HARDWARE in await first
    await changes.aclose()


async def test_the_glass_is_at_the_newest_view_and_says_its_serial(here: TestRoom) -> None:
    before = (await here.panel()).serial
    await here.room.mute(camera=True, microphone=False)
    view = await here.panel()
    assert view.serial > before
    assert here.room.hardware().panel_serial == view.serial


async def test_either_mute_switches_off_and_each_is_shown_for_itself(here: TestRoom) -> None:
    await here.room.mute(camera=False, microphone=True)
    await here.shutter.move(SwitchPosition.BLOCKING)
    status = here.room.hardware()
    assert (status.camera_muted, status.shutter, status.camera_off) == (False, "blocking", True)
    assert (status.microphone_muted, status.mute_switch, status.microphone_off) == (True, "passing", True)
    assert (status.camera_live, status.microphone_live) == (False, False)


async def test_who_changed_a_mute_last_is_told(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=False)
    assert here.room.hardware().camera_changed_by == "an admin"
    assert here.room.hardware().microphone_changed_by == ""
    await here.room.mute(camera=False, microphone=True, by=Outside.CONTROLLER)
    assert here.room.hardware().microphone_changed_by == "the room controller"
    here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
    here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE), Hand.BUTTON)
    status = here.room.hardware()
    assert (status.camera_changed_by, status.microphone_changed_by) == ("the panel", "a button")
    assert min(status.camera_changed_at, status.microphone_changed_at) > 0


async def test_a_switch_that_was_moved_is_the_last_change(here: TestRoom) -> None:
    await here.panel()
    await here.mute_switch.move(SwitchPosition.BLOCKING)
    async with asyncio.timeout(DEADLINE_S):
        while here.room.hardware().microphone_changed_by != "the mute switch":  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("position", "camera", "microphone"),
    [("blocking", "closed", "muted"), ("passing", "live", "live"), ("unknown", "live", "live")],
)
async def test_the_others_are_told_muted_only_where_it_is_known(
    here: TestRoom, position: str, camera: str, microphone: str
) -> None:
    await here.shutter.move(SwitchPosition(position))
    await here.mute_switch.move(SwitchPosition(position))
    told = here.hardware.media_state()
    assert (told.camera.value, told.microphone.value) == (camera, microphone)


async def test_a_software_mute_is_told_as_muted_and_a_shutter_as_closed(here: TestRoom) -> None:
    await here.room.mute(camera=True, microphone=True)
    told = here.hardware.media_state()
    assert (told.camera.value, told.microphone.value) == ("muted", "muted")
    await here.shutter.move(SwitchPosition.BLOCKING)
    assert here.hardware.media_state().camera.value == "closed"


async def test_a_panel_that_does_not_draw_is_a_problem_of_the_device(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await here.panel()
    monkeypatch.setattr(panel_watch, "PATIENCE_S", 0.0)
    monkeypatch.setattr(here.hardware.devices.panel, "drawn", lambda: view)
    await here.room.mute(camera=True, microphone=True)
    async with asyncio.timeout(DEADLINE_S):
        while not here.room.hardware().panel_problem:  # noqa: ASYNC110
            await asyncio.sleep(0)
    (problem,) = (line for line in here.room.device().problems if "panel" in line)
    assert problem.endswith(": conclavectl hardware list")


async def test_a_panel_that_fails_costs_no_meeting_and_gets_its_view_again(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.panel()
    monkeypatch.setattr(hardware_module, "DRAW_AGAIN_S", 0.0)
    panel = here.hardware.devices.panel
    show, faults = panel.show, [ValueError("a fault"), DeviceGoneError("unplugged")]

    async def fails(view: PanelView) -> None:
        if faults:
            raise faults.pop()
        await show(view)

    monkeypatch.setattr(panel, "show", fails)
    await here.room.mute(camera=True, microphone=True)
    view = await here.panel()
    assert (faults, view.camera_muted) == ([], True)


async def test_a_panel_that_draws_one_view_after_another_is_seen_to_draw_them(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.panel()
    panel, watch = here.hardware.devices.panel, here.hardware.panel_watch
    show, look, in_time = panel.show, watch.look, 0
    done: list[PanelView | None] = [None]

    async def shows(view: PanelView) -> None:
        await show(view)
        done[0] = view
        here.room._presses.say(f"the view after {view.serial}")

    def looks(drawn: PanelView | None, state: DeviceState, now: float) -> float | None:
        nonlocal in_time
        in_time += drawn is not None and drawn.serial == watch._wanted
        return look(drawn, state, now)

    monkeypatch.setattr(panel, "show", shows)
    monkeypatch.setattr(panel, "drawn", lambda: done[0])
    monkeypatch.setattr(watch, "look", looks)
    await here.room.mute(camera=True, microphone=True)
    async with asyncio.timeout(DEADLINE_S):
        while in_time < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
