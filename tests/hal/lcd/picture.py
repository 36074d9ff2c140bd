"""What the simulated LCD shows, as a picture for eyes and docs: dots as light as the module has them.

python -m tests.hal.lcd.picture docs/panel-lcd.png
"""

import asyncio
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from conclave_hal.device import Health
from conclave_hal.lcd.charset import ROM
from conclave_hal.lcd.link import Key
from conclave_hal.lcd.panel import LcdOptions, LcdPanel
from conclave_hal.panel import Lock, PanelIncoming, PanelView
from conclave_hal.simulated.lcd import COLUMNS, ROWS, SimulatedLcd
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal import views
from tests.hal.eventually import eventually

CELL = (10, 17)
"""Points of one character with its gaps: columns and rows."""
FONT = "DejaVuSansMono.ttf"
FONT_SIZE = 15
POINT = 3
"""Pixels of one point."""
MARGIN = 24
BEZEL, GLASS, DARK, LIT = (24, 26, 30), (24, 60, 196), (34, 74, 212), (235, 242, 255)

_CHARACTERS = {number: character for character, number in ROM.items()}


def picture(lcd: SimulatedLcd) -> Image.Image:
    """The glass with its bezel."""
    font = ImageFont.truetype(FONT, FONT_SIZE)
    width, height = COLUMNS * CELL[0], ROWS * CELL[1]
    points = Image.new("1", (width, height))
    draw = ImageDraw.Draw(points)
    draw.fontmode = "1"
    for row, numbers in enumerate(lcd.memory):
        for column, number in enumerate(numbers):
            at = column * CELL[0], row * CELL[1]
            if number in lcd.special:
                _draw_special(points, at, lcd.special[number])
            else:
                draw.text((at[0], at[1] + CELL[1] - 4), _CHARACTERS[number], fill=1, font=font, anchor="ls")
    image = Image.new("RGB", (width * POINT + 4 * MARGIN, height * POINT + 4 * MARGIN), BEZEL)
    pen = ImageDraw.Draw(image)
    pen.rectangle((MARGIN, MARGIN, image.width - MARGIN, image.height - MARGIN), fill=GLASS)
    for y in range(height):
        for x in range(width):
            left, top = 2 * MARGIN + x * POINT, 2 * MARGIN + y * POINT
            colour = LIT if points.getpixel((x, y)) else DARK
            pen.rectangle((left, top, left + POINT - 2, top + POINT - 2), fill=colour)
    return image


def _draw_special(points: Image.Image, at: tuple[int, int], rows: bytes) -> None:
    for y, bits in enumerate(rows):
        for x in range(5):
            if bits >> (4 - x) & 1:
                left, top = at[0] + 2 * x, at[1] + 2 * y
                points.paste(1, (left, top, left + 2, top + 2))


SHOWN: tuple[tuple[PanelView, int], ...] = (
    (views.MEETING, 0),
    (views.MEETING, 1),
    (views.MEETING, 3),
    (views.MEETING, 5),
    (replace(views.MEETING, lock=Lock.BROKEN, notices=("this room is behind the group",)), 0),
    (replace(views.IDLE, incoming=PanelIncoming("Quarterly review", "the room controller", 8)), 0),
)
"""Views, and how many pages further."""


async def take_pictures() -> list[Image.Image]:
    """Through driver and wire, one of each view."""
    taken: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as folder:
        lcd = SimulatedLcd(PtyWire(Path(folder) / "lcd"))
        lcd.wire.plug_in()
        panel = LcdPanel(LcdOptions(str(lcd.wire.link)))
        tasks = [asyncio.create_task(lcd.run()), asyncio.create_task(panel.run())]
        await eventually(lambda: panel.state().health is Health.READY)
        for view, further in SHOWN:
            await panel.show(view)
            for _ in range(further):
                before = [bytes(row) for row in lcd.memory]
                lcd.press(Key.DOWN)
                await eventually(
                    lambda before=before: (
                        [bytes(row) for row in lcd.memory] != before  # type: ignore[misc]
                        and panel.drawn() is not None
                    )
                )
            taken.append(picture(lcd))
            lcd.press(Key.LEFT)
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await panel.close()
        lcd.wire.unplug()
    return taken


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """Two beside each other."""
    width, height = pictures[0].size
    rows = (len(pictures) + 1) // 2
    whole = Image.new("RGB", (2 * width, rows * height), BEZEL)
    for number, each in enumerate(pictures):
        whole.paste(each, (number % 2 * width, number // 2 * height))
    return whole


if __name__ == "__main__":
    sheet(asyncio.run(take_pictures())).save(sys.argv[1], optimize=True)
