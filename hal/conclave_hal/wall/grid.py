"""Where each picture goes: tiles of one size, as large as they can be, in rows from the top left."""

from dataclasses import dataclass
from math import ceil

ASPECT = 16 / 9
"""Of the pictures that most cameras make: tiles are chosen for such."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the screen, in pixels."""

    left: int
    top: int
    width: int
    height: int


def tiles(count: int, width: int, height: int) -> tuple[Box, ...]:
    """`count` tiles that fill a screen; a last row that is not full stands in the middle."""
    if count < 1:
        return ()
    # Of two ways that are as good, the one side by side: eyes meet more easily along a line.
    columns = max(range(1, count + 1), key=lambda columns: (_shown(columns, count, width, height), columns))
    rows = ceil(count / columns)
    tile_width, tile_height = width // columns, height // rows
    boxes = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        left = (width - in_row * tile_width) // 2 + column * tile_width
        boxes.append(Box(left, row * tile_height, tile_width, tile_height))
    return tuple(boxes)


def fit(width: int, height: int, tile: Box) -> Box:
    """The largest box of a picture's own shape in a tile, in its middle; sides are even and at least 2."""
    scale = min(tile.width / width, tile.height / height)
    shown_width = max(2, int(width * scale) // 2 * 2)
    shown_height = max(2, int(height * scale) // 2 * 2)
    left = tile.left + (tile.width - shown_width) // 2
    return Box(left, tile.top + (tile.height - shown_height) // 2, shown_width, shown_height)


def _shown(columns: int, count: int, width: int, height: int) -> float:
    """How large one picture is with so many columns."""
    rows = ceil(count / columns)
    return min(width / columns, height / rows * ASPECT)
