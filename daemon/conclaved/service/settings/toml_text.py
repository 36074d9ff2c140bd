"""Writing TOML (v1.0.0): the standard library only reads it. Only the shapes that settings have."""

import json
import math
import re
from collections.abc import Mapping, Sequence

Plain = str | bool | int | float | Sequence["Plain"] | Mapping[str, "Plain"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_FITS_LINES = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f\\]*")


def value_text(value: Plain, *, lines: bool = False) -> str:
    """A value as TOML text, on one line unless `lines` lets a text with line ends have several.

    Raises ValueError for what TOML cannot carry.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if lines and "\n" in value and '"""' not in value and _FITS_LINES.fullmatch(value):
            return f'"""\n{value}"""'
        # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a setting is a finite number")
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key_text(k)} = {value_text(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(value_text(item) for item in value) + "]"


def key_text(key: str) -> str:
    """A key as TOML text."""
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key)


def document_text(values: Mapping[str, Plain]) -> str:
    """A document of dotted keys. A value that is a list of mappings becomes an array of tables."""
    tables: dict[str, list[str]] = {"": []}
    arrays: list[str] = []
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            for entry in value:
                arrays += ["", f"[[{key}]]"]
                arrays += [f"{key_text(k)} = {value_text(v, lines=True)}" for k, v in entry.items()]
        else:
            tables.setdefault(table, []).append(f"{key_text(name)} = {value_text(value, lines=True)}")
    text = list(tables.pop(""))
    for table, lines in tables.items():
        text += ["", f"[{table}]", *lines]
    return "\n".join([*text, *arrays]).strip("\n") + "\n" if text or arrays else ""
