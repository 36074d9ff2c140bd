"""The panel on pixels: from a view to the bytes of a screen, warm (its letters kept) and cold.

A warm redraw is what a room does when a press or a message has changed something: another view, another
scene, another picture. Each turn draws two views in turn, so that nothing is the same as the last time.
"""

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from conclave_hal.panel import PanelView
from conclave_hal.pixels.drawing import Artist
from conclave_hal.pixels.fonts import find_fonts
from conclave_hal.pixels.layout import lay_out
from conclave_hal.pixels.navigation import Opened
from conclave_hal.pixels.screen import Screen
from conclave_hal.pixels.typesetting import Typesetter
from tests.bench.stopwatch import timed
from tests.hal.pixels.pictures import PAGES

ASKED_S = 0.020
"""For a warm redraw of 1280 x 800."""
SCREEN = Screen(1280, 800, 10.1)
MEASURED = ("meeting", "idle", "details", "code")


@dataclass(frozen=True, slots=True)
class RedrawFigures:
    """Median seconds of one page."""

    page: str
    layout_s: float
    drawing_s: float
    packing_s: float
    """RGB to the screen's XRGB."""
    first_s: float
    """All three, with nothing kept but the fonts' files."""

    @property
    def warm_s(self) -> float:
        """All three."""
        return self.layout_s + self.drawing_s + self.packing_s


def measure_panel(*, rounds: int, tell: Callable[[str], None]) -> list[RedrawFigures]:
    """Every page `rounds` times."""
    typesetter = Typesetter(find_fonts())
    artist = Artist(typesetter)
    found = []
    for page in MEASURED:
        tell(f"the panel, {page}")
        view, opened = PAGES[page]
        first = sum(_redraw(view, opened, *_fresh()))
        views = (view, replace(view, microphone_muted=not view.microphone_muted))
        for each in views:
            _redraw(each, opened, typesetter, artist)
        gc.collect()
        samples = [_redraw(views[turn % 2], opened, typesetter, artist) for turn in range(rounds)]
        layout, drawing, packing = (statistics.median(part) for part in zip(*samples, strict=True))
        found.append(RedrawFigures(page, layout, drawing, packing, first))
    return found


def _fresh() -> tuple[Typesetter, Artist]:
    typesetter = Typesetter(find_fonts())
    return typesetter, Artist(typesetter)


def _redraw(
    view: PanelView, opened: Opened, typesetter: Typesetter, artist: Artist
) -> tuple[float, float, float]:
    layout_s, scene = timed(lambda: lay_out(view, opened, SCREEN, typesetter))
    drawing_s, picture = timed(lambda: artist.draw(scene, SCREEN.theme))
    packing_s, _ = timed(lambda: picture.tobytes("raw", "BGRX"))
    return layout_s, drawing_s, packing_s
