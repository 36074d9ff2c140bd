"""What becomes of the root before it is packed, in a tree that has what Buildroot puts there."""

import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import EXTERNAL, ROOT

COMMON = EXTERNAL / "board/common"
EPOCH = 20_000 * 86_400
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not proven: accounts of a tree are made by root")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A root as Buildroot has it when the scripts are called: a skeleton, our units, the overlay."""
    root = tmp_path / "target"
    for folder in (
        "etc/ssh",
        "usr/lib",
        "usr/bin",
        "var/lib/dbus",
        "var/empty",
        "usr/lib/python3.14/test",
        "tmp",
    ):
        (root / folder).mkdir(parents=True)
    (root / "usr/lib/os-release").write_text(
        'NAME=Buildroot\nPRETTY_NAME="Buildroot 2026.08"\nID=buildroot\n'
    )
    (root / "etc/ssh/sshd_config").write_text("UsePAM yes\n")
    (root / "etc/ssh/ssh_host_ed25519_key").write_text("a key of the build\n")
    (root / "usr/bin/pip3").touch()
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534:SSH drop priv user:/var/empty:/bin/false\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "etc/shadow").write_text("root:*:19999:0:99999:7:::\nsshd:!:19999:0:99999:7:::\n")
    subprocess.run([ROOT / "systemd/install.sh", root], check=True)
    subprocess.run(["cp", "-a", f"{COMMON}/overlay/.", root], check=True)
    return root


def run(script: str, target: Path) -> None:
    """One of the scripts, as Buildroot calls it."""
    subprocess.run(
        [COMMON / script, target, "qemu-aarch64"],
        check=True,
        env={**os.environ, "HOST_DIR": "/usr", "SOURCE_DATE_EPOCH": str(EPOCH)},
    )


def test_the_release_is_named(target: Path) -> None:
    run("post-build.sh", target)
    told = (target / "usr/lib/os-release").read_text()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'PRETTY_NAME="Conclave {version}"\n' in told
    assert "IMAGE_ID=conclave\n" in told
    assert told.count("PRETTY_NAME") == 1
    assert "ID=buildroot\n" in told


def test_nothing_in_etc_wants_to_be_written(target: Path) -> None:
    run("post-build.sh", target)
    assert (target / "etc/machine-id").read_bytes() == b""
    assert (target / "etc/resolv.conf").readlink() == Path("../run/systemd/resolve/stub-resolv.conf")
    assert "127.0.1.1 room" in (target / "etc/hosts").read_text()


def test_sshd_reads_our_settings_and_no_others(target: Path) -> None:
    run("post-build.sh", target)
    assert (target / "etc/ssh/sshd_config").read_text() == "Include /etc/ssh/sshd_config.d/*.conf\n"
    assert sorted(path.name for path in (target / "etc/ssh").iterdir()) == ["sshd_config", "sshd_config.d"]


def test_tests_and_installers_do_not_stay(target: Path) -> None:
    run("post-build.sh", target)
    assert not (target / "usr/bin/pip3").exists()
    assert not (target / "usr/lib/python3.14/test").exists()
    assert (target / "usr/bin/conclavectl").exists()


def test_building_again_changes_nothing(target: Path) -> None:
    run("post-build.sh", target)
    once = (target / "usr/lib/os-release").read_text()
    run("post-build.sh", target)
    assert (target / "usr/lib/os-release").read_text() == once


@needs_root
def test_accounts_have_their_numbers_and_the_sources_age(target: Path, program: Callable[[str], str]) -> None:
    program("systemd-sysusers")
    run("post-fakeroot.sh", target)
    accounts = {
        line.split(":")[0]: line.split(":") for line in (target / "etc/passwd").read_text().splitlines()
    }
    assert accounts["conclave"][2:4] == ["970", "970"]
    assert accounts["admin"][2] == "972"
    assert accounts["sshd"][5] == "/usr/share/empty"
    ages = {line.split(":")[2] for line in (target / "etc/shadow").read_text().splitlines()}
    assert ages == {"20000"}


@needs_root
def test_var_is_an_empty_place_and_a_first_boot_finds_what_it_copies(
    target: Path, program: Callable[[str], str]
) -> None:
    program("systemd-sysusers")
    run("post-fakeroot.sh", target)
    assert list((target / "var").iterdir()) == []
    factory = target / "usr/share/factory/var"
    assert {path.name for path in factory.iterdir()} == {"cache", "lib", "lock", "log", "run", "spool", "tmp"}
    assert (factory / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (factory / "lib/private").stat().st_mode & 0o777 == 0o700
    assert (factory / "run").readlink() == Path("/run")
    assert list((target / "usr/share/empty").iterdir()) == []
