"""The admin's command line: how long a whole `conclavectl` takes, from its start to its end.

The real program on a bus of its own with a room that answers at once; beside it, in the same rounds, a bare
interpreter that starts and ends.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom

PROGRAM = Path(sys.executable).parent / "conclavectl"
COMMANDS = ("--help", "status", "status --json", "config get", "trust list")
ASKED_S = 0.15
"""What an admin's prompt may wait for `--help` and `status`."""
QUICK = ("--help", "status")


@dataclass(frozen=True, slots=True)
class CliFigures:
    """Medians over the rounds, in seconds."""

    interpreter_s: float
    commands: dict[str, float]
    """By the words after the program's name."""


def measure_cli(*, rounds: int, tell: Callable[[str], None]) -> CliFigures:
    """Run each command `rounds` times."""
    return asyncio.run(_measure(rounds, tell))


async def _measure(rounds: int, tell: Callable[[str], None]) -> CliFigures:
    bare: list[float] = []
    taken: dict[str, list[float]] = {words: [] for words in COMMANDS}
    async with PrivateBus() as bus, serve(FakeRoom(), address=bus.address):
        for each in range(rounds):
            tell(f"conclavectl, round {each + 1} of {rounds}")
            bare.append(await _run(bus.address, sys.executable, "-c", "pass"))
            for words, seconds in taken.items():
                seconds.append(await _run(bus.address, str(PROGRAM), *words.split()))
    return CliFigures(
        statistics.median(bare), {words: statistics.median(seconds) for words, seconds in taken.items()}
    )


async def _run(address: str, *words: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *words,
        env={**os.environ, "CONCLAVE_BUS": address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: {complaint.decode(errors='replace')}")
    return time.perf_counter() - began
