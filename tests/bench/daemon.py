"""The daemon: from its start until its name answers on the bus, and what it then weighs.

The real `conclaved` with a simulated room, on a bus of its own. Beside it, in the same rounds: a bare
interpreter that starts and ends, and one that imports the daemon and ends.
"""

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conclaved.bus.introspection import BUS_NAME
from tests.bus.bus import PrivateBus
from tests.bus.peer import Peer, PeerError

READY_TIMEOUT_S = 60.0
POLL_S = 0.005
IMPORT = "import conclaved.service.main"
HAL = "".join(
    f'[{slot}]\ndriver = "simulated"\n'
    for slot in ("camera", "microphone", "screen", "speaker", "privacy_switch", "mute_switch")
)


class DaemonError(Exception):
    """The daemon did not become ready; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class DaemonFigures:
    """Medians over the rounds; memory in bytes."""

    ready_s: float
    ready_first_s: float
    """The first start: nothing in the file cache yet, where that is so."""
    interpreter_s: float
    import_s: float
    resident_bytes: int
    own_bytes: int
    """Of the resident memory, what no other process shares: about what a room costs."""
    interpreter_bytes: int
    heaviest: tuple[tuple[str, float], ...]
    """Packages and the share of the import time spent in their own modules, largest first."""


def measure_daemon(*, rounds: int, tell: Callable[[str], None]) -> DaemonFigures:
    """Start the daemon `rounds` times. Raises DaemonError if it does not come up."""
    return asyncio.run(_measure(rounds, tell))


async def _measure(rounds: int, tell: Callable[[str], None]) -> DaemonFigures:
    ready, bare, imported, resident, own = [], [], [], [], []
    for each in range(rounds):
        tell(f"daemon, start {each + 1} of {rounds}")
        seconds, memory = await _start_once()
        ready.append(seconds)
        resident.append(memory["Rss"])
        own.append(memory["Private_Clean"] + memory["Private_Dirty"])
        bare.append(await asyncio.to_thread(_run, "pass"))
        imported.append(await asyncio.to_thread(_run, IMPORT))
    return DaemonFigures(
        statistics.median(ready),
        ready[0],
        statistics.median(bare),
        statistics.median(imported),
        round(statistics.median(resident)),
        round(statistics.median(own)),
        await asyncio.to_thread(_interpreter_bytes),
        await asyncio.to_thread(_heaviest),
    )


async def _start_once() -> tuple[float, dict[str, int]]:
    """One start: seconds until the name answers, and the memory then."""
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as name:
        folder = Path(name)
        async with PrivateBus() as bus:
            _write_configuration(folder, bus.address)
            peer = await Peer.connect(bus.address)
            try:
                with (folder / "log").open("wb") as log:
                    begun = time.perf_counter()
                    process = await asyncio.create_subprocess_exec(
                        sys.executable,
                        "-m",
                        "conclaved.service",
                        "--config",
                        str(folder / "conclave.toml"),
                        env={**os.environ, "CREDENTIALS_DIRECTORY": str(folder / "credentials")},
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                try:
                    await _until_it_answers(peer, process, folder / "log")
                    return time.perf_counter() - begun, _memory(process.pid)
                finally:
                    await _stop(process)
            finally:
                await peer.close()


async def _until_it_answers(peer: Peer, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            await peer.call("org.freedesktop.DBus.Peer", "Ping", destination=BUS_NAME)
        except PeerError:
            if process.returncode is not None or time.monotonic() > deadline:
                words = await asyncio.to_thread(log.read_text)
                raise DaemonError(f"conclaved did not become ready: {words[-2000:]}") from None
            await asyncio.sleep(POLL_S)
        else:
            return


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _write_configuration(folder: Path, bus_address: str) -> None:
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "wrapping-key").write_bytes(secrets.token_bytes(32))
    (folder / "hal.toml").write_text(
        f'{HAL}[panel]\ndriver = "simulated"\nurl_file = {json.dumps(str(folder / "panel-url"))}\n'
    )
    paths = {
        "state_directory": folder / "state",
        "runtime_directory": folder / "run",
        "hal": folder / "hal.toml",
    }
    # A JSON string is a TOML string.
    lines = [f"{key} = {json.dumps(str(path))}\n" for key, path in paths.items()]
    (folder / "conclave.toml").write_text(f"{''.join(lines)}\n[bus]\naddress = {json.dumps(bus_address)}\n")


def _memory(pid: int) -> dict[str, int]:
    """The kernel's sums over a process's memory, in bytes."""
    sums = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        sums[name] = int(value.split()[0]) * 1024
    return sums


def _run(code: str, *options: str) -> float:
    """Seconds of an interpreter that runs `code` and ends."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *options, "-c", code], check=True)
    return time.perf_counter() - begun


def _interpreter_bytes() -> int:
    code = "print(open('/proc/self/smaps_rollup').read().split('Rss:')[1].split()[0])"
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
