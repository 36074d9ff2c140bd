"""A Buildroot tree where one was named, and programs that only some machines have."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.firmware.buildroot_tree import EXTERNAL, VARIABLE, BuildrootTree

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


def loaded(name: str) -> ModuleType:
    """A program of buildroot/ as a module: its folder is no package."""
    spec = importlib.util.spec_from_file_location(f"conclave_{name}", EXTERNAL / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def firmware() -> ModuleType:
    """The program that builds."""
    return loaded("firmware")


@pytest.fixture(scope="session")
def sbom() -> ModuleType:
    """The program that tells what an image is made of."""
    return loaded("sbom")
