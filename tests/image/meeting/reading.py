"""What a person would read off the machine's screens: pictures taken by QEMU, letters by tesseract."""

import re
import subprocess
from pathlib import Path

from PIL import Image, ImageOps

from conclave_hal.simulated.picture_code import read_code
from conclave_hal.wall.grid import fit, tiles

READ_TIMEOUT_S = 120.0
REDUCED = 4
"""Made for print, it reads letters of some 30 pixels best, and the code's are four times that."""

BARS = tuple((r, g, b) for g in (191, 0) for r in (191, 0) for b in (191, 0))
"""White, yellow, cyan, green, magenta, red, blue, black, three quarters bright: vivid's default picture."""
TOLERANCE = 50
"""Of 255: the picture was YUV, H.264 at a low rate, and was scaled."""


def words_on(picture: Path, *, reduced: int = 1) -> str:
    """All that can be read on a picture, the lines as they stand."""
    small = picture.with_name(f".{picture.stem}-{reduced}.png")
    with Image.open(picture) as found:
        grey = ImageOps.invert(found.convert("L"))
        (grey if reduced == 1 else grey.reduce(reduced)).save(small)
    try:
        # Page segmentation 6: one block of text; 11: letters wherever they are.
        mode = "6" if reduced > 1 else "11"
        done = subprocess.run(
            ["tesseract", str(small), "-", "--psm", mode, "--dpi", "150"],
            capture_output=True,
            text=True,
            timeout=READ_TIMEOUT_S,
            check=True,
        )
    finally:
        small.unlink()
    return done.stdout


def code_on(picture: Path) -> str:
    """The security code on a panel's picture as `12345 67890 ...`: the groups of five digits there are."""
    return " ".join(re.findall(r"\b\d{5}\b", words_on(picture, reduced=REDUCED)))


def names_on(picture: Path, pictures: int, size: tuple[int, int]) -> set[str]:
    """Whose cameras a screen shows: simulated rooms write their names into their pictures, of `size`."""
    found = set()
    with Image.open(picture) as screen:
        for tile in tiles(pictures, screen.width, screen.height):
            box = fit(*size, tile)
            corners = (box.left, box.top, box.left + box.width, box.top + box.height)
            luma = screen.convert("L").crop(corners).resize(size)
            code = read_code(luma.tobytes(), size[0], *size)
            found |= {code.name} if code else set()
    return found


def bars_on(picture: Path, pictures: int, size: tuple[int, int]) -> bool:
    """Whether one of the pictures on a screen is the kernel's test picture of `size`, vivid's eight bars."""
    with Image.open(picture) as screen:
        shown = screen.convert("RGB")
        for tile in tiles(pictures, screen.width, screen.height):
            box = fit(*size, tile)
            row = box.top + box.height * 9 // 10
            bars = [shown.getpixel((box.left + box.width * (2 * n + 1) // 16, row)) for n in range(8)]
            if all(_are_near(bar, wanted) for bar, wanted in zip(bars, BARS, strict=True)):
                return True
    return False


def _are_near(found: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(a - b) <= TOLERANCE for a, b in zip(found, wanted, strict=True))
