"""What the simulated camera sees: a quiet room with its name, a moving ball, and the picture code.

The background is drawn once with Pillow and kept as planes of YUV 4:2:0, whole and without padding (I420).
A new picture is a copy of the luma plane with a ball and a code written into it: no arithmetic on pixels.
"""

import math
from typing import cast

from PIL import Image, ImageDraw, ImageFont

from conclave_hal.pyav import VideoFrame
from conclave_hal.simulated.picture_code import BLACK, CELL, PictureCode, code_rows, draw_code

_FLOOR = (38, 46, 58)
_WALL = (72, 86, 106)
_WINDOW = (150, 176, 204)
_TEXT = (238, 241, 246)
_BALL_LUMA = 228
_SECONDS_A_SWING = 4.0


class RoomPicture:
    """Draws numbered pictures of one simulated room."""

    def __init__(self, name: str, width: int, height: int, fps: int) -> None:
        """Draw the background. `width` and `height` are multiples of 16 that fit the code of `name`."""
        self._name = name
        self._width, self._height, self._fps = width, height, fps
        self._top = code_rows(name, width) * CELL
        background = VideoFrame.from_image(self._background())  # type: ignore[no-untyped-call]
        drawn = background.reformat(format="yuv420p")
        luma, *chroma = (_packed(bytes(plane), plane.line_size, plane.width) for plane in drawn.planes)
        self._luma, self._chroma = luma, b"".join(chroma)
        self._black = bytes([BLACK]) * len(luma) + bytes([128]) * len(self._chroma)
        self._radius = max(6, (height - self._top) // 12)

    def draw(self, counter: int, *, is_covered: bool) -> bytes:
        """Picture number `counter` (32 bits) as I420; black without a code while the lens is covered."""
        if is_covered:
            return self._black
        luma = bytearray(self._luma)
        self._draw_ball(luma, counter)
        draw_code(luma, self._width, self._width, PictureCode(counter, self._name))
        return bytes(luma) + self._chroma

    def _draw_ball(self, luma: bytearray, counter: int) -> None:
        phase = 2 * math.pi * (counter / self._fps) / _SECONDS_A_SWING
        reach = self._width // 2 - 2 * self._radius
        middle_x = self._width // 2 + round(reach * math.sin(phase))
        middle_y = self._height - 2 * self._radius - round(self._radius * abs(math.cos(phase)))
        for dy in range(-self._radius, self._radius + 1):
            half = round(math.sqrt(self._radius**2 - dy**2))
            start = (middle_y + dy) * self._width + middle_x - half
            luma[start : start + 2 * half] = bytes([_BALL_LUMA]) * (2 * half)

    def _background(self) -> Image.Image:
        width, height, top = self._width, self._height, self._top
        image = Image.new("RGB", (width, height), _WALL)
        draw = ImageDraw.Draw(image)
        free = height - top
        draw.rectangle((0, height - free // 4, width, height), fill=_FLOOR)
        pane = width // 9
        for column in range(4):
            left = width // 2 + int((column - 2) * pane * 1.1)
            draw.rectangle((left, top + free // 12, left + pane, top + free * 5 // 12), fill=_WINDOW)
        size = max(12, free // 7)
        font = cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
        while size > 8 and draw.textlength(self._name, font=font) > width * 0.9:
            size -= 1
            font = cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
        draw.text((width // 2, top + free * 7 // 12), self._name, font=font, fill=_TEXT, anchor="mm")
        return image


def _packed(plane: bytes, line_size: int, width: int) -> bytes:
    """A plane without the padding at the end of its lines."""
    if line_size == width:
        return plane
    return b"".join(plane[start : start + width] for start in range(0, len(plane), line_size))
