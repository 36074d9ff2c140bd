"""The program that builds: what it refuses, what it tells as it goes, and what it sums up."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.firmware.buildroot_tree import BOARDS, EXTERNAL

PROGRAM = EXTERNAL / "firmware.py"


def started(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The program."""
    return subprocess.run([sys.executable, PROGRAM, *words], capture_output=True, text=True)


def test_a_board_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    done = started("toaster", tmp_path)
    assert done.returncode == 1
    assert "there is no board toaster; boards are: " in done.stderr
    assert all(path.name in done.stderr for path in BOARDS)


@pytest.mark.parametrize("named", ["", "/none"])
def test_without_a_checkout_it_says_where_one_comes_from(named: str) -> None:
    done = started("qemu-aarch64", named)
    assert done.returncode == 1
    assert "git clone -b 2026.08" in done.stderr


def test_each_board_has_a_configuration(firmware: ModuleType) -> None:
    for board in BOARDS:
        assert firmware.defconfig_of(board.name).exists()


def test_progress_counts_packages_and_says_each_step_once(firmware: ModuleType) -> None:
    progress = firmware.Progress(206)
    said = [
        "\x1b[7m>>> zlib 1.3.2 Downloading\x1b[27m",
        "\x1b[7m>>> zlib 1.3.2 Building\x1b[27m",
        "cc -c adler32.c",
        "\x1b[7m>>> zlib 1.3.2 Building\x1b[27m",
        "\x1b[7m>>> python3 3.14.7 Installing to target\x1b[27m",
    ]
    told = [progress.line(line, 61.0) for line in said]
    assert [line for line in told if line] == [
        "[  1/206]   1:01 zlib 1.3.2: building",
        "[  2/206]   1:01 python3 3.14.7: installing",
    ]


def test_times_are_summed_over_a_packages_steps(firmware: ModuleType) -> None:
    log = [
        "1000.5:start:configure           : zlib",
        "1002.5:end  :configure           : zlib",
        "1002.5:start:build               : zlib",
        "1003.0:start:build               : bzip2",
        "1010.5:end  :build               : zlib",
    ]
    assert firmware.seconds_by_package(log) == {"zlib": 10.0}


def test_the_report_has_sizes_and_versions(firmware: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/sizes").write_text("2500000 root.verity\n")
    told = list(firmware.report(tmp_path, {"linux": {"version": "6.12.104"}}))
    assert "        2.5 MB  root.verity" in told
    assert "  linux 6.12.104" in told


def stand_in(folder: Path, said: str) -> None:
    """Stands for a checkout: configures, tells its packages, says something, and fails."""
    (folder / "br/package").mkdir(parents=True)
    (folder / "br/package/Config.in").touch()
    (folder / "br/Makefile").write_text(
        f"all:\n\t@printf '{said}'; false\n"
        "conclave_qemu_aarch64_virt_defconfig: ;\n"
        'show-info:\n\t@echo \'{"zlib": {"type": "target"}}\'\n'
    )


def test_sources_that_cannot_be_had_are_told_where_to_put(tmp_path: Path) -> None:
    stand_in(tmp_path, r">>> zlib 1.3.2 Downloading\nwget: unable to resolve\n")
    done = started("qemu-aarch64", tmp_path / "br", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "the sources of zlib 1.3.2 cannot be had, or are others: put them into BR2_DL_DIR" in done.stderr


def test_a_build_that_stops_shows_makes_last_words(tmp_path: Path) -> None:
    stand_in(tmp_path, r">>> zlib 1.3.2 Building\nno space left\n")
    done = started("qemu-aarch64", tmp_path / "br", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "[  1/1]   0:00 zlib 1.3.2: building" in done.stdout
    assert "no space left" in done.stderr
    assert "no space left" in (tmp_path / "out/build.log").read_text()
    assert os.access(tmp_path / "out/show-info.json", os.R_OK)
