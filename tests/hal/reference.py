"""The drivers and their options, as docs/hal.md has them: made from what the drivers declare.

python -m tests.hal.reference docs/hal.md     writes the part between the marks anew
"""

import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from conclave_hal.drivers import DEFAULT_DRIVERS, Slot, built_in_names, find_driver
from conclave_hal.options import NoOptions, declared_options

BEGIN = "<!-- drivers: written by make hal-doc -->"
END = "<!-- end of drivers -->"


def reference() -> str:
    """The part between the marks."""
    return "\n".join(_lines())


def with_reference(document: str) -> str:
    """The document with its drivers as they are now. Raises ValueError if it lacks the marks."""
    before, _, rest = document.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("the marks are missing")
    return f"{before}{BEGIN}\n{reference()}\n{END}{after}"


def _lines() -> Iterator[str]:
    for slot in Slot:
        yield f"\n### `[{slot.value}]`\n"
        default = DEFAULT_DRIVERS.get(slot, "none")
        yield f"Without this table: `{default}`. Every slot has `none`, which has no options.\n"
        for name in built_in_names(slot):
            if name != "none":
                yield from _driver(slot, name)


def _driver(slot: Slot, name: str) -> Iterator[str]:
    options = find_driver(slot, name).options
    if options is NoOptions:
        yield f'`driver = "{name}"` has no options.\n'
        return
    yield f'`driver = "{name}"`: {_summary(options)}\n'
    yield "| option | must be | default | what it is |"
    yield "|---|---|---|---|"
    defaults = {each.name: each.default for each in fields(options)}
    for key, option in declared_options(options).items():
        default = _default(defaults[key])
        yield f"| `{key}` | {_cell(option.rule.allowed)} | {default} | {_cell(option.doc)} |"
    yield ""


def _summary(options: Any) -> str:
    return " ".join((options.__doc__ or "").split("\n\n")[0].split())


def _default(value: object) -> str:
    if value is MISSING:
        return "required"
    words = _words(value)
    if not words:
        return "not set"
    return f"`{words}`"


def _words(value: object) -> str:
    """A value as `hal.toml` would have it; empty for one that says nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value):
        # Addresses: host:port.
        return '"' + ":".join(str(getattr(value, each.name)) for each in fields(value)) + '"'
    if isinstance(value, tuple):
        # Pairs, which are a table there.
        return f"{{ {', '.join(f'{key.value} = {_words(said)}' for key, said in value)} }}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_reference(file.read_text(encoding="utf-8")), encoding="utf-8")
