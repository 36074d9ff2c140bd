"""The daemon: from its start until READY=1, and what it then weighs, before any meeting.

The real `conclaved` on a bus of its own: with a simulated room, and with a panel on pixels as well. Beside
it, in the same rounds, its floor: an interpreter that imports asyncio, `cryptography` and the D-Bus library.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.service.waiting_daemon import waiting_daemon

IMPORT = "import conclaved.service.main"
FLOOR = "import asyncio, cryptography.x509, dbus_next.aio"
ASKED_READY_S = 1.0
ASKED_BYTES = 60_000_000
ROOM = "".join(
    f'[{slot}]\ndriver = "simulated"\n'
    for slot in ("camera", "microphone", "screen", "speaker", "privacy_switch", "mute_switch")
)
ROOMS = {
    "simulated room": ROOM + '[panel]\ndriver = "simulated"\nurl_file = "{folder}/panel-url"\n',
    "with a panel on pixels": ROOM
    + '[panel]\ndriver = "pixels"\nbackend = "png"\npng_file = "{folder}/panel.png"\n',
}


@dataclass(frozen=True, slots=True)
class StartFigures:
    """One room; medians over the rounds, memory in bytes."""

    ready_s: float
    resident_bytes: int
    proportional_bytes: int
    """Pss: what is shared with other processes counts by its share."""
    own_bytes: int
    """What no other process shares."""


@dataclass(frozen=True, slots=True)
class DaemonFigures:
    """Medians over the rounds."""

    rooms: dict[str, StartFigures]
    floor_s: float
    floor_bytes: int
    """Resident memory of the floor."""
    import_s: float
    """Importing the daemon and ending."""
    heaviest: tuple[tuple[str, float], ...]
    """Packages and the share of the import time spent in their own modules, largest first."""


def measure_daemon(*, rounds: int, tell: Callable[[str], None]) -> DaemonFigures:
    """Start the daemon `rounds` times with each room. Raises DaemonError if it does not come up."""
    return asyncio.run(_measure(rounds, tell))


async def _measure(rounds: int, tell: Callable[[str], None]) -> DaemonFigures:
    floor, imported = [], []
    starts: dict[str, list[tuple[float, dict[str, int]]]] = {name: [] for name in ROOMS}
    # Once for nothing: what was not compiled yet is now.
    await _start(ROOM)
    for each in range(rounds):
        tell(f"daemon, start {each + 1} of {rounds}")
        for name, hal in ROOMS.items():
            starts[name].append(await _start(hal))
        floor.append(await asyncio.to_thread(_run, FLOOR))
        imported.append(await asyncio.to_thread(_run, IMPORT))
    return DaemonFigures(
        {name: _figures(taken) for name, taken in starts.items()},
        statistics.median(floor),
        await asyncio.to_thread(_floor_bytes),
        statistics.median(imported),
        await asyncio.to_thread(_heaviest),
    )


async def _start(hal: str) -> tuple[float, dict[str, int]]:
    async with waiting_daemon(hal) as daemon:
        return daemon.ready_s, daemon.memory()


def _figures(starts: list[tuple[float, dict[str, int]]]) -> StartFigures:
    def median(*names: str) -> int:
        return round(statistics.median(sum(memory[name] for name in names) for _, memory in starts))

    ready_s = statistics.median(seconds for seconds, _ in starts)
    return StartFigures(ready_s, median("Rss"), median("Pss"), median("Private_Clean", "Private_Dirty"))


def _run(code: str) -> float:
    """Seconds of an interpreter that runs `code` and ends."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def _floor_bytes() -> int:
    code = f"{FLOOR}\nprint(open('/proc/self/smaps_rollup').read().split('Rss:')[1].split()[0])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024


def _heaviest(count: int = 8) -> tuple[tuple[str, float], ...]:
    """What `-X importtime` says, summed by top-level package."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", IMPORT], check=True, capture_output=True, text=True
    )
    spent: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[0].strip().isdigit():
            spent[fields[2].strip().partition(".")[0]] += int(fields[0])
    total = sum(spent.values())
    return tuple((name, time_us / total) for name, time_us in spent.most_common(count))
