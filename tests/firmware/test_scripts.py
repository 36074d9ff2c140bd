"""Scripts and kernel configurations of boards."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import BOARDS, EXTERNAL, symbols

SCRIPTS = sorted(
    path
    for path in EXTERNAL.rglob("*")
    if path.is_file() and re.match(rb"#!.*\bsh\n", path.read_bytes()[:40])
)
OPTIONS = ("--exclude=SC2187",)
"""That busybox's shell is checked as dash is what is wanted."""
FRAGMENTS = sorted(path for board in BOARDS for path in board.glob("*.fragment"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXTERNAL)))
def test_shellcheck_has_no_objection(script: Path, program: Callable[[str], str]) -> None:
    done = subprocess.run([program("shellcheck"), *OPTIONS, script], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXTERNAL)))
def test_it_can_be_run(script: Path) -> None:
    # The initrd puts `init` in with its own mode.
    assert script.stat().st_mode & 0o111 or script.name == "init"


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: str(path.relative_to(EXTERNAL / "board")))
def test_a_board_takes_nothing_back_and_says_nothing_twice(fragment: Path) -> None:
    base = "linux.config" if fragment.name.startswith("linux") else "uboot.fragment"
    common = symbols((EXTERNAL / "board/common" / base).read_text())
    assert symbols(fragment.read_text()).keys() & common.keys() == set()
    names = re.findall(r"^(?:# )?(CONFIG_\w+)[= ]", fragment.read_text(), re.M)
    assert len(names) == len(set(names))
