"""The pictures, against those that were looked at; and the colours, against who sees them badly."""

from itertools import product

import pytest
from PIL import Image, ImageChops

from conclave_hal.pixels.drawing import PALETTES
from conclave_hal.pixels.scene import Shape, Tone
from conclave_hal.pixels.screen import Theme
from conclave_hal.pixels.signs import draw_sign
from tests.hal.pixels.pictures import GOLDEN, artist
from tests.hal.pixels.record import DOCS, FOLDER, IN_DOCS, VERSIONS, picture, versions

SEEN_APART = 48
"""By so much of 255 a channel has to differ before somebody sees it."""
STRAY_PIXELS = 0.02
"""Other versions of the fonts or of FreeType may differ at the edges of letters."""
MOST_BYTES = 1_500_000


@pytest.mark.parametrize("name", GOLDEN)
def test_a_picture_is_as_it_was_looked_at(name: str) -> None:
    with Image.open(FOLDER / f"{name}.png") as kept:
        wanted = kept.convert("RGB")
    drawn = picture(GOLDEN[name]).convert("RGB")
    assert drawn.size == wanted.size
    difference = ImageChops.difference(drawn, wanted)
    if versions() == VERSIONS.read_text(encoding="utf-8"):
        assert difference.getbbox() is None, (
            f"differs; if that is meant: python -m tests.hal.pixels.record {name}"
        )
        return
    apart = sum(difference.convert("L").histogram()[SEEN_APART:])
    assert apart <= STRAY_PIXELS * drawn.width * drawn.height


def test_every_golden_picture_is_drawn_and_all_together_are_small() -> None:
    kept = list(FOLDER.glob("*.png"))
    assert {path.stem for path in kept} == set(GOLDEN)
    assert sum(path.stat().st_size for path in kept) < MOST_BYTES


@pytest.mark.parametrize("name", IN_DOCS)
def test_readers_see_what_is_drawn_now(name: str) -> None:
    assert (DOCS / name).read_bytes() == (FOLDER / f"{IN_DOCS[name]}.png").read_bytes()


def test_a_second_drawing_is_the_same_to_the_byte() -> None:
    golden = GOLDEN["meeting"]
    first = artist().draw(golden.scene, Theme.DARK).tobytes()
    assert artist().draw(golden.scene, Theme.DARK).tobytes() == first


def luminance(colour: tuple[int, int, int]) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


LETTERS = (Tone.TEXT, Tone.MUTED, Tone.SAFE, Tone.WARNING, Tone.ALARM)


@pytest.mark.parametrize(("theme", "tone"), list(product(Theme, LETTERS)))
def test_letters_stand_out_from_every_ground(theme: Theme, tone: Tone) -> None:
    colours = PALETTES[theme]
    for ground in (Tone.BACKGROUND, Tone.SURFACE):
        assert contrast(colours[tone], colours[ground]) >= 7


@pytest.mark.parametrize("theme", Theme)
def test_letters_stand_out_on_a_button_that_stands_out(theme: Theme) -> None:
    assert contrast(PALETTES[theme][Tone.ON_ACCENT], PALETTES[theme][Tone.ACCENT]) >= 7


@pytest.mark.parametrize("size", [24, 96])
def test_no_sign_is_like_another_without_its_colour(size: int) -> None:
    masks = {shape: draw_sign(shape, size, size, 4) for shape in Shape}
    for one, other in product(Shape, Shape):
        if one is not other:
            ink = ImageChops.difference(masks[one], masks[other]).histogram()
            assert sum(ink[SEEN_APART:]) > 0.04 * size * size, (one, other)
