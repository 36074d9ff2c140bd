"""The other stacks: each runs its own bench and prints a figure a line."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.mls.figure import Figure
from tests.peers.build import NAMES, PeerMissing, command


class NotMeasured(Exception):  # noqa: N818 - says what is the case
    """A stack has no figures, for the reason that the message gives."""


def measure_peer(name: str, n: int, credential: str, folder: Path, limit_s: float) -> Iterator[Figure]:
    """A peer's figures, as far as it comes within `limit_s` seconds; NotMeasured where there are none."""
    if name not in NAMES:
        raise NotMeasured("there is no such peer")
    try:
        program = command(name)
    except PeerMissing as error:
        raise NotMeasured(str(error)) from None
    words = [*program, "bench", "--n", str(n), "--credential", credential]
    if credential == "x509":
        words += ["--certificates", str(folder)]
    yield from run_bench(words, limit_s)


def run_bench(words: list[str], limit_s: float) -> Iterator[Figure]:
    """The figures that a program prints, one JSON object a line; NotMeasured where it prints none."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=limit_s, check=False, env=dict(os.environ)
        )
        output, trouble = done.stdout, done.stderr.strip().splitlines()
        reason = trouble[-1] if trouble else f"it ended with {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        raw = expired.stdout or b""
        output = raw.decode() if isinstance(raw, bytes) else raw
        reason = f"it took more than {limit_s:.0f} s"
    lines = [line for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    if not lines:
        raise NotMeasured(reason)
    yield from (Figure.parse(line) for line in lines)
