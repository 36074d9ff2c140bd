"""Where pictures go on the screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.wall.grid import Box, fit, tiles


@pytest.mark.parametrize(
    ("count", "boxes"),
    [
        (0, ()),
        (1, (Box(0, 0, 1920, 1080),)),
        (2, (Box(0, 0, 960, 1080), Box(960, 0, 960, 1080))),
        (3, (Box(0, 0, 960, 540), Box(960, 0, 960, 540), Box(480, 540, 960, 540))),
    ],
)
def test_tiles_fill_a_wide_screen_row_by_row(count: int, boxes: tuple[Box, ...]) -> None:
    assert tiles(count, 1920, 1080) == boxes


def test_a_tall_screen_has_its_tiles_one_below_the_other() -> None:
    assert tiles(2, 1080, 1920) == (Box(0, 0, 1080, 960), Box(0, 960, 1080, 960))


@given(count=st.integers(1, 60), width=st.integers(320, 4000), height=st.integers(240, 4000))
def test_tiles_stay_on_the_screen_and_never_overlap(count: int, width: int, height: int) -> None:
    boxes = tiles(count, width, height)
    assert len(boxes) == count
    for box in boxes:
        assert box.left >= 0 and box.left + box.width <= width
        assert box.top >= 0 and box.top + box.height <= height
    assert len({(box.left, box.top) for box in boxes}) == count
    assert sum(box.width * box.height for box in boxes) <= width * height


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((1280, 720), Box(0, 0, 640, 360)),
        ((640, 480), Box(80, 0, 480, 360)),
        ((100, 800), Box(298, 0, 44, 360)),
        ((4000, 4), Box(0, 179, 640, 2)),
    ],
)
def test_a_picture_keeps_its_shape_in_the_middle_of_its_tile(size: tuple[int, int], box: Box) -> None:
    assert fit(*size, Box(0, 0, 640, 360)) == box
