"""What `hal.toml` says of the panel on pixels."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.options import Option, Rule, choice, file_path, integer, number, one_of


def device_or_nothing() -> Rule[str]:
    """The path of a device, or nothing."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError
        if value and not Path(value).is_absolute():
            raise ValueError
        return value

    return Rule('the absolute path of a device, or ""', parse)


def folder_path() -> Rule[Path | None]:
    """A folder that exists."""

    def parse(value: object, folder: Path) -> Path:
        if not isinstance(value, str) or not value or "\0" in value or not (folder / value).is_dir():
            raise ValueError
        return folder / value

    return Rule("the path of a folder that exists", parse)


def connector_name() -> Rule[str]:
    """As under /sys/class/drm, or nothing."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"([A-Za-z-]+-[0-9]+)?", value):
            raise ValueError
        return value

    return Rule('a connector of the card, such as "DSI-1" or "HDMI-A-1", or ""', parse)


@dataclass(frozen=True, slots=True)
class PixelPanelOptions:
    """Options of the panel on pixels."""

    backend: Annotated[
        str,
        Option(choice("auto", "drm", "fbdev", "png"), "how pictures get there; auto: DRM, else fbdev"),
    ] = "auto"
    device: Annotated[
        str, Option(device_or_nothing(), "card or framebuffer; empty: the first with a monitor")
    ] = ""
    connector: Annotated[
        str, Option(connector_name(), "which of the card's connectors; empty: built-in panels first")
    ] = ""
    rotation: Annotated[
        int, Option(one_of(0, 90, 180, 270), "degrees clockwise by which the picture is turned")
    ] = 0
    theme: Annotated[str, Option(choice("dark", "light"), "light letters on dark, or dark on light")] = "dark"
    diagonal_inches: Annotated[
        float, Option(number(5, 100), "size of the glass, by which the code is told from three metres")
    ] = 10.1
    touch: Annotated[str, Option(device_or_nothing(), "the touch screen, /dev/input/by-path/...")] = ""
    font_folder: Annotated[Path | None, Option(folder_path(), "fonts that come before the system's")] = None
    png_file: Annotated[
        Path | None, Option(file_path(), "for png: the file that gets each picture, for its owner only")
    ] = None
    png_width: Annotated[int, Option(integer(480, 7680), "for png: pixels, before the rotation")] = 1280
    png_height: Annotated[int, Option(integer(272, 4320), "for png: pixels, before the rotation")] = 800
