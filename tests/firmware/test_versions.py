"""The device's versions of PyPI's packages: Buildroot's, the constraints, and the lock file are one."""

import re
from pathlib import Path
from types import ModuleType

from tests.firmware.buildroot_tree import DEFCONFIGS, EXTERNAL, BuildrootTree
from tests.image.build.wheels import needed

LEFT_OUT = {"tzdata", "typing-extensions"}
"""Needed by name only: the system has time zones, and Python 3.14 what the other is for."""


def pinned(path: Path) -> dict[str, str]:
    """Names and versions of a file of requirements."""
    return dict(re.findall(r"^([\w.-]+)==([^ \\\n]+)", path.read_text(), re.M))


def test_the_lock_file_has_the_devices_versions() -> None:
    wanted = pinned(EXTERNAL / "constraints.txt")
    locked = pinned(EXTERNAL / "requirements.lock")
    assert {name: locked[name] for name in wanted.keys() & locked.keys()} == {
        name: wanted[name] for name in wanted.keys() & locked.keys()
    }


def test_whatever_the_project_needs_is_on_the_device() -> None:
    wanted = needed(EXTERNAL.parent / "pyproject.toml") - LEFT_OUT
    assert wanted - pinned(EXTERNAL / "constraints.txt").keys() == set()


def test_only_what_buildroot_combines_against_its_word_is_overridden() -> None:
    assert pinned(EXTERNAL / "overrides.txt").keys() == {"cryptography"}


def test_the_constraints_are_buildroots_versions(buildroot: BuildrootTree, sbom: ModuleType) -> None:
    told = buildroot.packages(DEFCONFIGS[0])
    found = {
        sbom.pypi_name(about): about["version"]
        for about in told.values()
        if about["type"] == "target" and sbom.pypi_name(about) is not None
    }
    wanted = pinned(EXTERNAL / "constraints.txt")
    assert {name: version for name, version in found.items() if name in wanted} == wanted
    assert found.keys() - wanted.keys() <= {"pybind11", "python-pybind"}
