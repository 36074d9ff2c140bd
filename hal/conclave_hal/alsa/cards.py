"""What the name of a sound device says, and whether its card is there."""

import re
from collections.abc import Callable
from pathlib import Path

from conclave_hal.errors import DeviceGoneError
from conclave_hal.options import Rule

PROC = Path("/proc/asound")
"""Has a link or folder for each card: by its id, and `card0` for its number."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(:[A-Za-z0-9_=,.'-]{1,64})?")
_CARD = re.compile(r"(?:plug)?hw:(?:CARD=)?([A-Za-z0-9_-]+)")


def sound_device() -> Rule[str]:
    """The name of a sound device, which need not be plugged in now."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise ValueError
        return value

    return Rule('the name of a sound device, such as "hw:CARD=Speakerphone"', parse)


def card_of(device: str) -> str | None:
    """The id or number of the card of `device`; None for a name that only ALSA's configuration knows."""
    found = _CARD.match(device)
    return None if found is None else found[1]


def is_plugged_in(device: str, *, proc: Path = PROC) -> bool:
    """Whether the card of `device` is there. What has no card of its own is taken to be."""
    card = card_of(device)
    if card is None:
        return True
    return (proc / (f"card{card}" if card.isdigit() else card)).exists()


def require(device: str, is_there: Callable[[str], bool]) -> None:
    """Raises DeviceGoneError unless the card of `device` is there."""
    if not is_there(device):
        raise DeviceGoneError(f"{device} is not plugged in", hint="`aplay -l` lists the cards")
