"""A Buildroot tree where one was named, and programs that only some machines have."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import VARIABLE, BuildrootTree

NO_TREE = "not proven: no checkout of Buildroot. make firmware-check BUILDROOT=DIR"


@pytest.fixture(scope="session")
def buildroot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildrootTree]:
    """The checkout that the environment names."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(NO_TREE)
    folder = Path(named).resolve()
    assert (folder / "package/Config.in").exists(), f"{folder} is no checkout of Buildroot"
    yield BuildrootTree(folder, tmp_path_factory.mktemp("buildroot"))


@pytest.fixture
def program() -> Callable[[str], str]:
    """The path of a program; a test that has to do without it proves nothing and says so."""

    def find(name: str) -> str:
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if found is None:
            pytest.skip(f"not proven: {name} is not installed. tests/setup.sh firmware")
        return found

    return find
