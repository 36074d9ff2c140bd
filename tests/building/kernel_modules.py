"""Modules of a kernel in the order in which they load."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.building.programs import BuildError


def modules_in(folder: Path) -> dict[str, Path]:
    """All modules under `folder` by their names, which have no hyphens as the kernel tells them."""
    return {path.name.partition(".ko")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}


def load_order(names: Iterable[str], files: Mapping[str, Path]) -> list[str]:
    """`names` and what they need, each once and after what it needs.

    Raises BuildError for one that is not in `files`.
    """
    wanted = [needed for name in names for needed in _with_needed(name.replace("-", "_"), files)]
    return list(dict.fromkeys(wanted))


def _with_needed(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """A module after those that it says it needs; one that is built into the kernel is not a file."""
    if name not in files:
        raise BuildError(f"this kernel has no module {name}")
    needed = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
    for other in needed[1].decode().split(",") if needed else ():
        if other.replace("-", "_") in files:
            yield from _with_needed(other.replace("-", "_"), files)
    yield name
