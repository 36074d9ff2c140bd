"""The golden pictures: `python -m tests.hal.pixels.record [names]` draws them anew. Look at them then."""

import hashlib
import shutil
import sys
from functools import cache
from pathlib import Path

from PIL import Image, __version__, features

from conclave_hal.pixels.drawing import PALETTES, Colour
from conclave_hal.pixels.fonts import find_fonts
from conclave_hal.pixels.scene import Tone
from conclave_hal.pixels.screen import Theme
from tests.hal.pixels.pictures import GOLDEN, Golden, artist

FOLDER = Path(__file__).parent / "golden"
STEPS = 12
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
    theme = golden.screen.theme
    drawn = artist().draw(golden.scene, theme)
    return drawn.quantize(palette=_palette(theme), dither=Image.Dither.NONE)


@cache
def _palette(theme: Theme) -> Image.Image:
    """The theme's own colours, and the steps from the two grounds to each: what edges of letters have."""
    tones = PALETTES[theme]
    colours: set[Colour] = set(tones.values())
    for ground in (tones[Tone.BACKGROUND], tones[Tone.SURFACE]):
        for ink in tones.values():
            for step in range(1, STEPS):
                red, green, blue = (
                    (g * (STEPS - step) + i * step) // STEPS for g, i in zip(ground, ink, strict=True)
                )
                colours.add((red, green, blue))
    flat = [value for colour in sorted(colours)[:256] for value in colour]
    image = Image.new("P", (1, 1))
    image.putpalette(flat)
    return image


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
