"""The fonts of the panel: where they are, and which one has a character.

The code is set in B612 Mono Bold, made for the screens of cockpits: its digits are not mistaken for each
other. Words are set in B612; what it lacks comes from the next font that has it. Paths are those of
Debian's packages (fonts-b612, fonts-dejavu-core, fonts-noto-core, fonts-lohit-deva, fonts-droid-fallback)
and of Buildroot's (dejavu, liberation): an image that shows names beyond Latin, Greek, Cyrillic, Arabic
and Hebrew has to bring the fonts for them, in any folder named by the option `font_folder`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

from PIL import ImageFont, features

from conclave_hal.errors import ConfigurationError
from conclave_hal.pixels.coverage import Coverage, read_coverage

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))


class Face(Enum):
    """How a text looks."""

    REGULAR = "regular"
    BOLD = "bold"
    CODE = "code"
    """The digits of the security code: monospaced and bold."""


_WANTED: dict[Face, tuple[str, ...]] = {
    Face.REGULAR: (
        "B612-Regular",
        "NotoSansArabic-Regular",
        "DejaVuSans",
        "LiberationSans-Regular",
        "NotoSansDevanagari-Regular",
        "Lohit-Devanagari",
        "NotoSansThai-Regular",
        "NanumGothic",
        "NotoSansCJK-Regular",
        "DroidSansFallbackFull",
        "DroidSansFallback",
    ),
    Face.BOLD: (
        "B612-Bold",
        "NotoSansArabic-Bold",
        "DejaVuSans-Bold",
        "LiberationSans-Bold",
        "DejaVuSans",
        "NotoSansDevanagari-Bold",
        "Lohit-Devanagari",
        "NotoSansThai-Bold",
        "NanumGothicBold",
        "NotoSansCJK-Bold",
        "DroidSansFallbackFull",
        "DroidSansFallback",
    ),
    Face.CODE: ("B612Mono-Bold", "DejaVuSansMono-Bold", "LiberationMono-Bold", "DejaVuSans-Bold"),
}
"""Files without their suffix, the first choice first."""
_SUFFIXES = (".otf", ".ttf", ".ttc")


@dataclass(frozen=True)
class Font:
    """One font file."""

    path: Path

    @cached_property
    def coverage(self) -> Coverage:
        """Read when first needed: a room whose people all have Latin names never reads the others."""
        return read_coverage(self.path)


@dataclass(frozen=True)
class FontSet:
    """The fonts of one face, the first choice first."""

    fonts: tuple[Font, ...]

    def having(self, cluster: str) -> Font:
        """The first font that has all of `cluster` (a letter with its marks), or its letter, or the first."""
        for wanted in (cluster, cluster[:1]):
            for font in self.fonts:
                if all(map(font.coverage.has, wanted)):
                    return font
        return self.fonts[0]


def find_fonts(extra: Path | None = None, folders: Iterable[Path] = FOLDERS) -> dict[Face, FontSet]:
    """Look for the fonts in `extra` first. Raises ConfigurationError where a face has none at all."""
    found: dict[str, Path] = {}
    for folder in (*((extra,) if extra is not None else ()), *folders):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                found.setdefault(path.stem, path)
    sets = {}
    for face, names in _WANTED.items():
        fonts = tuple(Font(found[name]) for name in names if name in found)
        if not fonts:
            raise ConfigurationError(
                f"panel: no font for the {face.value} face: none of {', '.join(names)} is installed",
                hint="install fonts-b612 and fonts-dejavu-core, or name a folder with fonts: font_folder",
            )
        sets[face] = FontSet(fonts)
    return sets


def can_shape() -> bool:
    """Whether Arabic and Devanagari are joined as they are read: Pillow needs RAQM and FriBiDi for it."""
    return bool(features.check("raqm"))


def engine() -> ImageFont.Layout:
    """How Pillow lays out a run."""
    return ImageFont.Layout.RAQM if can_shape() else ImageFont.Layout.BASIC
