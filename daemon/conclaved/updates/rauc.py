"""RAUC's words: what a bundle says of itself, how far an installation is, and why it was refused.

Read from RAUC 1.8 (Debian 12) and 1.15 (Buildroot); what is not understood is `failed`,
with RAUC's own words.
"""

import configparser
import json
import re
from dataclasses import dataclass
from pathlib import Path

from conclaved.updates.progress import Refusal

SYSTEM_CONF = Path("/etc/rauc/system.conf")
_STEP = re.compile(r"\s*(\d{1,3})% (.*?)\s*")
_LOG = re.compile(r"^(\(rauc:\d+\): )?rauc-\w+ ?\**:|^\** ?Message:")
_LAST_ERROR = "LastError:"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a signed bundle says of itself."""

    compatible: str
    version: str


class RaucError(Exception):
    """A bundle that RAUC does not take, in words for people."""

    def __init__(self, refusal: Refusal, message: str, hint: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.hint = hint


def device_compatible(settings: Path = SYSTEM_CONF) -> str:
    """What this device calls itself; empty if that cannot be read."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(settings.read_text())
    except (OSError, configparser.Error, UnicodeDecodeError):
        return ""
    return parser.get("system", "compatible", fallback="")


def bundle(output: str) -> Bundle:
    """Of the output of `rauc info --output-format=json`. Raises RaucError."""
    try:
        told = json.loads(output)
        return Bundle(str(told["compatible"]), str(told["version"] or ""))
    except (ValueError, KeyError, TypeError) as error:
        raise RaucError(
            Refusal.DAMAGED, "the bundle does not say what it is for", "ask for it again where it came from"
        ) from error


def step(line: str) -> tuple[int, str] | None:
    """Percent and words of a line that `rauc install` prints; None for other lines."""
    found = _STEP.fullmatch(line)
    return (min(int(found[1]), 100), found[2].rstrip(".")) if found else None


def refusal(said: str) -> RaucError:
    """Why RAUC failed, from all that it said."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _LOG.match(line)]
    last = next((line for line in lines if line.startswith(_LAST_ERROR)), lines[-1] if lines else "")
    last = last.removeprefix(_LAST_ERROR).strip() or "RAUC gave no reason"
    lowered = last.lower()
    if "compatible" in lowered and ("mismatch" in lowered or "does not match" in lowered):
        return wrong_device("another device", "this one")
    if "signature verification failed" in lowered or "verify error" in lowered:
        return RaucError(
            Refusal.NOT_GENUINE,
            f"the bundle is not signed by who makes this device ({_end(last)})",
            "do not install it; ask the device's maker for the original",
        )
    if "invalid bundle format" in lowered or "signature size" in lowered or "bundle is too short" in lowered:
        return RaucError(
            Refusal.DAMAGED, f"this is no bundle, or not all of one ({_end(last)})", "download it again"
        )
    return RaucError(Refusal.FAILED, f"the update was not installed: {last}", "see: conclavectl logs")


def wrong_device(of: str, here: str) -> RaucError:
    """A bundle for another kind of device."""
    return RaucError(
        Refusal.WRONG_DEVICE, f"the bundle is for {of}, and this is {here}", "take the one for this device"
    )


def _end(words: str) -> str:
    """The last reason of a chain of them."""
    return words.rpartition(": ")[2]
