"""Where the memory of the renewal rules lies, so that a restart forgets no wait: `renewal.json`."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from conclave_provisioning.enrollment.renewal import RenewalState
from conclave_provisioning.enrollment.state import Folder

_MAX_MOMENTS = 64


class RenewalFile:
    """The file in the ACME state folder. Single owner."""

    def __init__(self, directory: Path) -> None:
        self._folder = Folder(directory)

    def load(self) -> RenewalState:
        """The state; a new one if there is none, or the file is damaged. Raises `StateError`."""
        content = self._folder.read("renewal.json")
        try:
            values = json.loads(content or b"{}")
            return _read(values) if isinstance(values, dict) else RenewalState()
        except (ValueError, TypeError, KeyError, RecursionError):
            return RenewalState()

    def save(self, state: RenewalState) -> None:
        """Replaces the file. Raises `StateError`."""
        self._folder.write("renewal.json", (json.dumps(asdict(state), indent=2) + "\n").encode())


def _read(values: dict[str, object]) -> RenewalState:
    if not values:
        return RenewalState()
    window, chosen = values["window"], values["chosen"]
    return RenewalState(
        certificate=_text(values["certificate"]),
        window=None if window is None else _pair(window),
        chosen=None if chosen is None else _number(chosen),
        explanation_url=_text(values["explanation_url"]),
        ask_at=_number(values["ask_at"]),
        ask_failures=int(_number(values["ask_failures"])),
        taken_at=_number(values["taken_at"]),
        failures=int(_number(values["failures"])),
        not_before=_number(values["not_before"]),
        failed_validations=_numbers(values["failed_validations"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise TypeError
    return float(value)


def _numbers(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > _MAX_MOMENTS:
        raise TypeError
    return tuple(_number(each) for each in value)


def _pair(value: object) -> tuple[float, float]:
    first, second = _numbers(value)
    return first, second
