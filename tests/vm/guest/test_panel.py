"""The panel on pixels on a card of the kernel: what a camera before the screen would see, and touches."""

import asyncio
import re

import pytest
from PIL import Image, ImageChops

from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.panel import ActionKind, Panel, PanelAction
from conclave_hal.pixels import pixel_panel
from conclave_hal.pixels.drawing import Artist
from conclave_hal.pixels.navigation import Press
from conclave_hal.pixels.screen import Theme
from tests.hal.eventually import eventually
from tests.hal.pixels.pictures import MEETING, typesetter
from tests.hal.pixels.test_layout import scene_of
from tests.hal.views import CODE
from tests.hal.waiting import running, until_state
from tests.vm.guest import uinput
from tests.vm.guest.devices import PATIENCE_S, device
from tests.vm.guest.host import read_screen, screen

MUTE = Press(PanelAction(ActionKind.MUTE_MICROPHONE))
TOUCH_WIDTH, TOUCH_HEIGHT = 4095, 2047


@pytest.fixture(autouse=True)
def patience_with_drawing(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_panel, "DRAW_DEADLINE_S", PATIENCE_S)
    monkeypatch.setattr(pixel_panel, "SETTLE_S", 0.0)


def panel(**options: object) -> Panel:
    return device(Panel, Slot.PANEL, "pixels", **options)


async def shown(it: Panel) -> None:
    """MEETING on the panel, which says so."""
    await until_state(it, lambda state: state.health is Health.READY)
    await it.show(MEETING)
    assert it.drawn() is MEETING


def seen() -> Image.Image:
    """What the machine's screen shows."""
    with Image.open(screen()) as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize("backend", ["drm", "fbdev", "auto"])
async def test_the_screen_shows_the_picture_that_was_meant_to_the_pixel(backend: str) -> None:
    golden = Artist(typesetter()).draw(scene_of(MEETING), Theme.DARK)
    it = panel(backend=backend)
    async with running(it):
        await shown(it)
        # The kernel carries what was written to a framebuffer on to the screen a moment later.
        await eventually(lambda: ImageChops.difference(seen(), golden).getbbox() is None)


async def test_a_reader_of_the_screen_reads_the_security_code() -> None:
    it = panel(backend="drm")
    async with running(it):
        await shown(it)
        assert re.findall(r"\b\d{5}\b", read_screen()) == CODE.split()


async def test_a_finger_on_the_kernels_touch_screen_presses_what_stands_there() -> None:
    # Type B of Documentation/input/multi-touch-protocol.rst, on axes that are not the screen's.
    axes = {uinput.ABS_MT_SLOT: (0, 4), uinput.ABS_MT_TRACKING_ID: (0, 65535)}
    axes |= {uinput.ABS_MT_POSITION_X: (0, TOUCH_WIDTH), uinput.ABS_MT_POSITION_Y: (0, TOUCH_HEIGHT)}
    codes = {uinput.EV_KEY: [uinput.BTN_TOUCH], uinput.EV_ABS: list(axes)}
    with uinput.made("a touch screen", codes, axes, is_direct=True) as glass:
        it = panel(backend="drm", touch=str(glass.node))
        async with running(it):
            await shown(it)
            scene = scene_of(MEETING)
            box = next(touch.box for touch in scene.touches if touch.target == MUTE)
            x = round((box.x + box.width / 2) / scene.width * TOUCH_WIDTH)
            y = round((box.y + box.height / 2) / scene.height * TOUCH_HEIGHT)
            async with asyncio.timeout(PATIENCE_S):
                reading = asyncio.ensure_future(anext(it.actions()))
                while not reading.done():
                    # Again and again: nothing tells when the driver has begun to listen.
                    glass.send(
                        (uinput.EV_ABS, uinput.ABS_MT_SLOT, 0),
                        (uinput.EV_ABS, uinput.ABS_MT_TRACKING_ID, 7),
                        (uinput.EV_ABS, uinput.ABS_MT_POSITION_X, x),
                        (uinput.EV_ABS, uinput.ABS_MT_POSITION_Y, y),
                        (uinput.EV_KEY, uinput.BTN_TOUCH, 1),
                    )
                    glass.send(
                        (uinput.EV_ABS, uinput.ABS_MT_TRACKING_ID, -1), (uinput.EV_KEY, uinput.BTN_TOUCH, 0)
                    )
                    await asyncio.sleep(0.05)
            assert (await reading).kind is ActionKind.MUTE_MICROPHONE


async def test_a_panel_without_its_touch_screen_shows_and_says_so() -> None:
    it = panel(backend="drm", touch="/dev/input/event99")
    async with running(it):
        await shown(it)
        state = await until_state(it, lambda state: state.health is Health.DEGRADED)
    assert "touch" in state.reason
