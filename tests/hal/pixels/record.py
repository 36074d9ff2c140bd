"""The golden pictures: `python -m tests.hal.pixels.record [names]` draws them anew. Look at them then."""

import hashlib
import shutil
import sys
from pathlib import Path

from PIL import Image, __version__, features

from conclave_hal.pixels.fonts import find_fonts
from tests.hal.pixels.pictures import GOLDEN, Golden, artist

FOLDER = Path(__file__).parent / "golden"
COLOURS = 64
VERSIONS = FOLDER / "drawn-with.txt"
DOCS = Path(__file__).parents[3] / "docs"
IN_DOCS = {
    "panel-pixels.png": "meeting",
    "panel-pixels-arabic.png": "meeting-arabic",
    "panel-pixels-details.png": "details",
}
"""Golden pictures that readers see."""


def picture(golden: Golden) -> Image.Image:
    """In few colours, so that it is small."""
    drawn = artist().draw(golden.scene, golden.screen.theme)
    return drawn.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def versions() -> str:
    """What draws here: with the same, the pictures are the same to the byte."""
    lines = [f"Pillow {__version__}"]
    lines += [f"{name} {features.version(name)}" for name in ("freetype2", "raqm", "harfbuzz", "fribidi")]
    used = {font.path for fonts in find_fonts().values() for font in fonts.fonts}
    for path in sorted(used, key=lambda path: path.name):
        lines.append(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write those that are named, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or GOLDEN:
        picture(GOLDEN[name]).save(FOLDER / f"{name}.png", optimize=True)
    for name, golden in IN_DOCS.items():
        shutil.copyfile(FOLDER / f"{golden}.png", DOCS / name)
    VERSIONS.write_text(versions(), encoding="utf-8")
    total = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(GOLDEN)} pictures in {FOLDER}, {total / 1000:.0f} kB: look at them")


if __name__ == "__main__":
    main()
