"""The programs that the image has in /usr/bin."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("bin/conclaved", 0, "usage: conclaved"),
        ("bin/conclavectl", 0, "Usage: conclavectl"),
        ("ssh/conclave-shell", 2, "conclave-shell: option --help not recognized"),
    ],
)
def test_a_program_of_the_device_starts(name: str, code: int, words: str) -> None:
    program = ROOT / "systemd" / name
    assert program.read_text().startswith("#!/usr/bin/python3 -I\n")
    done = subprocess.run(
        [sys.executable, program, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert words in done.stdout + done.stderr
    assert done.returncode == code
