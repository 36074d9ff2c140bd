"""Our packages are whole, agree with pyproject.toml and the lock file, and refuse another Buildroot."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.firmware.buildroot_tree import EXTERNAL, ROOT

PACKAGES = sorted(path for path in (EXTERNAL / "package").iterdir() if path.is_dir())
FROM_PYPI = [path for path in PACKAGES if "pythonhosted.org" in (path / f"{path.name}.mk").read_text()]
NAMES = {
    "pyserial": "PYTHON_SERIAL",
    "python-pkcs11": "PYTHON_PKCS11",
    "tpm2-pytss": "PYTHON_TPM2_PYTSS",
}
"""Where Buildroot's name is not `PYTHON_` and PyPI's."""


def text_of(package: Path, suffix: str = ".mk") -> str:
    """One of the package's files."""
    return (package / f"{package.name}{suffix}").read_text()


def variable(package: Path, name: str) -> str:
    """What the package's makefile sets, as it stands there."""
    prefix = package.name.upper().replace("-", "_")
    found = re.search(rf"^{prefix}_{name} = (.*)$", text_of(package), re.M)
    assert found, f"{package.name} sets no {name}"
    return found[1]


def test_each_package_is_offered() -> None:
    offered = re.findall(r"package/([^/]+)/Config\.in", (EXTERNAL / "Config.in").read_text())
    assert offered == [path.name for path in PACKAGES]


@pytest.mark.parametrize(
    "package", [one for one in PACKAGES if one.name != "conclave"], ids=lambda one: one.name
)
def test_its_tarball_and_its_license_have_hashes(package: Path) -> None:
    hashes = {
        name: value
        for value, name in re.findall(r"^sha256  ([0-9a-f]{64})  (\S+)$", text_of(package, ".hash"), re.M)
    }
    prefix = package.name.upper().replace("-", "_")
    source = variable(package, "SOURCE").replace(f"$({prefix}_VERSION)", variable(package, "VERSION"))
    assert source in hashes
    assert set(variable(package, "LICENSE_FILES").split()) <= hashes.keys()


@pytest.mark.parametrize("package", FROM_PYPI, ids=lambda one: one.name)
def test_what_comes_from_pypi_is_what_the_lock_file_has(package: Path) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    source = re.findall(r"^sha256  ([0-9a-f]{64})  \S+\.tar\.gz$", text_of(package, ".hash"), re.M)
    assert len(source) == 1
    assert f"--hash=sha256:{source[0]}" in lock


@pytest.mark.parametrize("package", FROM_PYPI, ids=lambda one: one.name)
def test_its_address_is_one_of_pypis(package: Path) -> None:
    pattern = r"https://files\.pythonhosted\.org/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}"
    assert re.fullmatch(pattern, variable(package, "SITE"))


def test_whatever_the_project_needs_is_selected() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["tpm2"],
        *project["optional-dependencies"]["gpio"],
    ]
    selected = set(
        re.findall(r"select BR2_PACKAGE_(\w+)", (EXTERNAL / "package/conclave/Config.in").read_text())
    )
    for line in wanted:
        name = canonicalize_name(Requirement(line).name)
        assert NAMES.get(name, f"PYTHON_{name.upper().replace('-', '_')}") in selected, name


@pytest.mark.parametrize("version", ["2026.08", "2026.08.1", "2026.08.12"])
def test_buildroot_of_the_pinned_release_passes(version: str) -> None:
    done = with_version(version)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_release_candidate_passes_with_a_warning() -> None:
    done = with_version("2026.08-rc1")
    assert done.returncode == 0
    assert "release candidate" in done.stderr


@pytest.mark.parametrize("version", ["2026.05", "2026.05.1", "2026.11", "2026.08x", "2026.080", ""])
def test_another_buildroot_is_refused_with_what_to_do(version: str) -> None:
    done = with_version(version)
    assert done.returncode != 0
    assert "Conclave needs Buildroot 2026.08" in done.stderr
    assert "Check out the tag 2026.08" in done.stderr


def with_version(version: str) -> subprocess.CompletedProcess[str]:
    """external.mk under a make that says it is this Buildroot."""
    given = (f"BR2_VERSION={version}", "BR2_EXTERNAL_CONCLAVE_PATH=/none")
    return subprocess.run(
        ["make", "-s", "-f", EXTERNAL / "external.mk", *given, "--eval=all: ;", "all"],
        capture_output=True,
        text=True,
        timeout=60,
    )
