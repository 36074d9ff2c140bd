"""Programs of Debian that are another opinion on the same hardware: v4l-utils, tesseract."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

TIMEOUT_S = 60.0


def output_of(*words: str) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs meanwhile; its output can be read line by line."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)
