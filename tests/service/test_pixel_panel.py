"""A room whose panel is drawn in pixels: the same room, and fingers on the picture."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from conclave_hal.panel import ActionKind, PanelAction
from conclave_hal.pixels.navigation import Press
from conclave_hal.pixels.pixel_panel import SETTLE_S, PixelPanel
from conclave_hal.pixels.touch import Tap
from tests.hal.eventually import eventually
from tests.service.rooms import HAL, TestRoom, running_room


def pixels(folder: Path) -> str:
    """The room's hardware with its panel drawn to a file."""
    return HAL.replace(
        'driver = "simulated"',
        f'driver = "pixels"\nbackend = "png"\npng_file = "{folder / "panel.png"}"',
        1,
    )


def panel_of(it: TestRoom) -> PixelPanel:
    panel = it.hardware.devices.panel
    assert isinstance(panel, PixelPanel)
    return panel


def microphone_is(it: TestRoom, is_muted: bool) -> Callable[[], bool]:
    return lambda: it.room.panel(0).microphone_muted is is_muted


async def press(it: TestRoom, kind: ActionKind) -> None:
    """A finger in the middle of the button, once it has stood there."""
    panel = panel_of(it)
    await it.panel()
    drawn = panel._drawn
    assert drawn is not None
    target = Press(PanelAction(kind))
    box = next(touch.box for touch in drawn.scene.touches if touch.target == target)
    now = panel._clock()
    panel._clock = lambda: now + 2 * SETTLE_S
    x, y = box.x + box.width / 2, box.y + box.height / 2
    await panel.tapped(Tap(x / drawn.scene.width, y / drawn.scene.height))


async def test_the_picture_is_the_room_as_it_is(tmp_path: Path) -> None:
    async with running_room(tmp_path, hal=pixels(tmp_path)) as it:
        view = await it.panel()
        assert view.room == "room.example.com"
        with Image.open(tmp_path / "panel.png") as picture:
            assert picture.size == (1280, 800)


async def test_a_finger_on_the_picture_turns_the_microphone_on_and_off(tmp_path: Path) -> None:
    async with running_room(tmp_path, hal=pixels(tmp_path)) as it:
        was_muted = (await it.panel()).microphone_muted
        for is_muted in (not was_muted, was_muted):
            await press(it, ActionKind.MUTE_MICROPHONE if is_muted else ActionKind.UNMUTE_MICROPHONE)
            await eventually(microphone_is(it, is_muted))
