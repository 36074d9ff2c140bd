"""What a button beside the panel means, by what stands on the glass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.buttons import Button
from conclave_hal.errors import DeviceGoneError
from conclave_hal.none import NoPanel
from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclave_hal.simulated.buttons import SimulatedButtons
from conclaved.service.button_presses import Muted, listen, meaning
from tests.hal import views
from tests.service.rooms import DEADLINE_S, HAL, running_room

ON, OFF = Muted(camera=False, microphone=False), Muted(camera=True, microphone=True)
SILENT = replace(views.MEETING, microphone_muted=True)
MEANINGS = [
    (Button.MICROPHONE, views.MEETING, ON, PanelAction(ActionKind.MUTE_MICROPHONE)),
    # Muted from outside a moment ago, and not on the glass yet: nobody meant to unmute.
    (Button.MICROPHONE, views.MEETING, OFF, PanelAction(ActionKind.MUTE_MICROPHONE)),
    (Button.CAMERA, views.MEETING, OFF, PanelAction(ActionKind.MUTE_CAMERA)),
    (Button.MICROPHONE, SILENT, ON, PanelAction(ActionKind.UNMUTE_MICROPHONE)),
    (Button.MICROPHONE, None, OFF, PanelAction(ActionKind.UNMUTE_MICROPHONE)),
    (Button.CAMERA, None, OFF, PanelAction(ActionKind.UNMUTE_CAMERA)),
    (Button.CAMERA, views.MEETING, ON, PanelAction(ActionKind.MUTE_CAMERA)),
    (Button.LEAVE, views.CALLED, ON, PanelAction(ActionKind.LEAVE)),
    (Button.JOIN, views.CALLED, ON, PanelAction(ActionKind.ACCEPT_JOIN, name="Quarterly review")),
    (Button.JOIN, views.INVITED, ON, PanelAction(ActionKind.JOIN, invitation_id="1f")),
    (Button.JOIN, views.MEETING, ON, None),
    (Button.JOIN, None, ON, None),
    (Button.SPEAK, views.MEETING, ON, PanelAction(ActionKind.SPEAK_CODE, code_epoch=7)),
    (Button.SPEAK, views.BROKEN, ON, None),
    (Button.SPEAK, None, ON, None),
]


@pytest.mark.parametrize(("button", "view", "muted", "action"), MEANINGS)
def test_a_button_means_what_stands_on_the_glass(
    button: Button, view: PanelView | None, muted: Muted, action: PanelAction | None
) -> None:
    assert meaning(button, view, "", muted) == action


def test_join_is_for_the_invitation_that_is_selected_and_still_there() -> None:
    second = PanelAction(ActionKind.JOIN, invitation_id="2e")
    assert meaning(Button.JOIN, views.INVITED, "2e", ON) == second
    assert meaning(Button.JOIN, views.INVITED, "gone", ON) is None


class Selecting(NoPanel):
    """A panel that only remembers how it was moved."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[Button] = []

    async def navigate(self, button: Button) -> None:
        self.moved.append(button)


@asynccontextmanager
async def listening(
    panel: NoPanel, view: PanelView
) -> AsyncIterator[tuple[SimulatedButtons, list[PanelAction]]]:
    """Buttons that somebody listens to, and what was done; all presses are done when it ends."""
    buttons, done = SimulatedButtons(), list[PanelAction]()
    task = asyncio.create_task(listen(buttons, panel, done.append, lambda: ON, lambda: view))
    await asyncio.sleep(0)
    yield buttons, done
    await buttons.close()
    await task


async def test_navigation_is_the_panel_s() -> None:
    panel = Selecting()
    async with listening(panel, views.MEETING) as (buttons, done):
        for button in (Button.UP, Button.SELECT, Button.BACK, Button.DOWN):
            buttons.press(button)
    assert panel.moved == [Button.UP, Button.SELECT, Button.BACK, Button.DOWN]
    assert done == []


async def test_a_panel_that_does_not_follow_costs_its_selection_and_no_other_button() -> None:
    class Gone(NoPanel):
        async def navigate(self, button: Button) -> None:
            raise DeviceGoneError("unplugged")

    async with listening(Gone(), views.CALLED) as (buttons, done):
        buttons.press(Button.DOWN)
        buttons.press(Button.JOIN)
    assert done == [PanelAction(ActionKind.ACCEPT_JOIN, name="Quarterly review")]


async def test_without_a_panel_a_button_means_what_is_true_now() -> None:
    async with listening(NoPanel(), replace(views.CALLED, serial=0)) as (buttons, done):
        buttons.press(Button.JOIN)
    assert done == [PanelAction(ActionKind.ACCEPT_JOIN, name="Quarterly review")]


async def test_a_button_in_the_room_unmutes_it(tmp_path: Path) -> None:
    async with running_room(tmp_path, hal=HAL + '\n[buttons]\ndriver = "simulated"\n') as here:
        await here.room.mute(camera=False, microphone=True)
        await here.panel()
        buttons = here.hardware.devices.buttons
        assert isinstance(buttons, SimulatedButtons)
        async with asyncio.timeout(DEADLINE_S):
            while not buttons._readers:  # noqa: ASYNC110
                await asyncio.sleep(0)
            buttons.press(Button.MICROPHONE)
            while here.hardware.microphone_muted:  # noqa: ASYNC110
                await asyncio.sleep(0)
