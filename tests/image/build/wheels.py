"""The packages of PyPI that the room needs, as wheels for ARM64, checked against the lock file's hashes."""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.building.programs import BuildError, run

PYTHON = "3.11"
"""Of Debian 12, which the image is made of."""
GLIBC = 36
"""Debian 12 has glibc 2.36; wheels say which one they need at least."""
TARGET = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": PYTHON,
    "sys_platform": "linux",
    "extra": "",
}
"""What markers of requirements are told of the image."""
PLATFORMS = (*(f"manylinux_2_{minor}_aarch64" for minor in range(GLIBC, 16, -1)), "manylinux2014_aarch64")
_LOCKED = re.compile(
    r"^(?P<pin>(?P<name>[\w.-]+)==\S+)(?: ; (?P<marker>.*?))? \\\n(?P<hashes>(?: +--hash=.*\n)+)", re.M
)


def needed(project: Path, requires: Callable[[str], Iterable[str] | None] = metadata.requires) -> set[str]:
    """Names of all that the project needs at run time, directly or not.

    `requires` tells the requirements of an installed package.
    """
    document = tomllib.loads(project.read_text())
    waiting = [Requirement(line) for line in document["project"]["dependencies"]]
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        found.add(name)
        for line in requires(name) or ():
            other = Requirement(line)
            if other.marker is None or any(
                other.marker.evaluate({**TARGET, "extra": extra}) for extra in (*one.extras, "")
            ):
                waiting.append(other)
    return found


def locked(names: set[str], lock: str) -> str:
    """The lines of a lock file for `names`, without markers, which pip would judge by this machine.

    Raises BuildError for one that is not locked for the image.
    """
    chosen = {
        canonicalize_name(match["name"]): f"{match['pin']} \\\n{match['hashes']}"
        for match in _LOCKED.finditer(lock)
        if match["marker"] is None or Marker(match["marker"]).evaluate(dict(TARGET))
    }
    missing = names - chosen.keys()
    if missing:
        raise BuildError(f"requirements.lock lacks {', '.join(sorted(missing))}", hint="make lock")
    return "".join(chosen[canonicalize_name(name)] for name in sorted(names))


def install_wheels(requirements: str, into: Path) -> None:
    """Unpacks the wheels of `requirements` into `into`. Raises BuildError, which names what has no wheel."""
    into.mkdir()
    listed = into.with_name("requirements")
    listed.write_text(requirements)
    run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"),
            *("--no-deps", "--require-hashes", "--only-binary=:all:"),
            *("--python-version", PYTHON, "--implementation", "cp"),
            *(word for name in PLATFORMS for word in ("--platform", name)),
            *("--target", into, "-r", listed),
        ]
    )
    # Commands of theirs: nobody in a room calls them, and they name this machine's Python.
    run(["rm", "-rf", into / "bin", listed])
