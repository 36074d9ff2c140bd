"""install.sh is the one list of what goes where."""

import subprocess
from pathlib import Path

import pytest

from tests.systemd.device_root import SOURCE, install, run

SCRIPTS = sorted(
    path for path in SOURCE.rglob("*") if path.is_file() and path.read_bytes()[:9] == b"#!/bin/sh"
)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def test_everything_is_installed(device: Path) -> None:
    installed = {path.read_bytes() for path in files(device)}
    left = [path for path in files(SOURCE) if path.suffix != ".md" and path.name != "install.sh"]
    assert [path.name for path in left if path.read_bytes() not in installed] == []


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    first = {path: path.read_bytes() for path in files(install(tmp_path))}
    assert {path: path.read_bytes() for path in files(install(tmp_path))} == first


def test_it_wants_to_know_where_to(tmp_path: Path) -> None:
    done = subprocess.run([SOURCE / "install.sh"], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "usage: systemd/install.sh DESTDIR\n")


def test_what_is_run_may_be_run(device: Path) -> None:
    programs = [*(device / "usr/libexec/conclave").iterdir(), *(device / "usr/bin").glob("conclave*")]
    assert {path.stat().st_mode & 0o777 for path in programs} == {0o755}


def test_no_login_at_a_console_is_left(device: Path) -> None:
    for name in ("getty@", "serial-getty@", "console-getty", "debug-shell"):
        assert (device / f"etc/systemd/system/{name}.service").readlink() == Path("/dev/null")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_no_objection(script: Path) -> None:
    assert run("shellcheck", script) == ""
