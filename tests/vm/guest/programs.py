"""Programs of Debian that are another opinion on the same hardware: v4l-utils, alsa-utils."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 60.0


def output_of(*words: str) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def running(*words: str) -> Iterator[Path]:
    """A program that runs meanwhile; what it says grows in a file."""
    with tempfile.NamedTemporaryFile() as said:
        process = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield Path(said.name)
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)
