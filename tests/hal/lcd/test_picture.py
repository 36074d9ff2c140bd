"""The picture of the LCD in the docs is what the driver puts on the simulated glass."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFont, ImageStat

from conclave_hal.lcd import link, panel
from tests.hal.lcd.picture import FONT, FONT_SIZE, sheet, take_pictures

KEPT = Path(__file__).parents[3] / "docs" / "panel-lcd.png"
TOLERANCE = 2.0
"""Of 255, as a mean: another version of the font draws single dots otherwise, another text is far off."""


async def test_the_picture_in_the_docs_is_what_the_lcd_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "DEADLINE_S", 10.0)
    monkeypatch.setattr(panel, "SHOW_DEADLINE_S", 60.0)
    try:
        ImageFont.truetype(FONT, FONT_SIZE)
    except OSError:
        pytest.skip(f"{FONT} is not installed here")
    taken = sheet(await take_pictures())
    with Image.open(KEPT) as kept:
        assert kept.size == taken.size
        difference = ImageChops.difference(taken, kept.convert("RGB"))
    assert max(ImageStat.Stat(difference).mean) < TOLERANCE
