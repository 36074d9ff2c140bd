"""The real daemon on a bus of its own, started and left waiting for a meeting, as systemd sees it."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from conclaved.bus.introspection import BUS_NAME
from tests.bus.bus import PrivateBus
from tests.bus.peer import Peer

DEADLINE_S = 60.0


class DaemonError(Exception):
    """The daemon did not become ready; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class WaitingDaemon:
    """A daemon that has said READY=1."""

    pid: int
    ready_s: float
    """From its start to READY=1 on the notify socket."""
    bus_address: str
    log: Path
    """All that it wrote."""

    def memory(self) -> dict[str, int]:
        """The kernel's sums over its memory (smaps_rollup), in bytes: `Rss`, `Pss`, `Private_Dirty`..."""
        sums = {}
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, value = line.partition(":")
            sums[name] = int(value.split()[0]) * 1024
        return sums


@contextlib.asynccontextmanager
async def waiting_daemon(hal: str, *options: str) -> AsyncIterator[WaitingDaemon]:
    """A room with the hardware of `hal` (the text of a hal.toml; `{folder}` stands for a folder of its own).

    `options` are the interpreter's. Raises DaemonError if it does not come up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="conclave-") as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        folder = Path(name)
        listener.bind(str(folder / "notify"))
        listener.setblocking(False)
        async with PrivateBus() as bus:
            environment = _configured(folder, bus.address, hal)
            with (folder / "log").open("wb") as log:
                begun = time.perf_counter()
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *options,
                    "-m",
                    "conclaved.service",
                    "--config",
                    str(folder / "conclave.toml"),
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            try:
                await _until_ready(process, listener, folder / "log")
                ready_s = time.perf_counter() - begun
                yield WaitingDaemon(process.pid, ready_s, bus.address, folder / "log")
            finally:
                await _stop(process)


async def loaded_modules(hal: str) -> frozenset[str]:
    """What a daemon with this hardware has imported by the time it waits and has been asked how it is."""
    async with waiting_daemon(hal, "-X", "importtime") as daemon:
        peer = await Peer.connect(daemon.bus_address)
        try:
            for interface in ("Device", "Identity", "Meeting", "Hardware"):
                await peer.call(
                    "org.freedesktop.DBus.Properties",
                    "GetAll",
                    "s",
                    f"org.conclave.Room1.{interface}",
                    destination=BUS_NAME,
                )
        finally:
            await peer.close()
        lines = daemon.log.read_text().splitlines()
    # "import time: self [us] | cumulative | name", a line each.
    fields = [line.removeprefix("import time:").split("|") for line in lines]
    return frozenset(each[2].strip() for each in fields if len(each) == 3 and each[0].strip().isdigit())


def _configured(folder: Path, bus_address: str, hal: str) -> dict[str, str]:
    """Write the configuration. Returns the environment that systemd would give."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "wrapping-key").write_bytes(secrets.token_bytes(32))
    (folder / "hal.toml").write_text(hal.replace("{folder}", str(folder)))
    paths = {
        "state_directory": folder / "state",
        "runtime_directory": folder / "run",
        "hal": folder / "hal.toml",
    }
    # A JSON string is a TOML string.
    lines = [f"{key} = {json.dumps(str(path))}\n" for key, path in paths.items()]
    (folder / "conclave.toml").write_text(f"{''.join(lines)}\n[bus]\naddress = {json.dumps(bus_address)}\n")
    return {
        **os.environ,
        "CREDENTIALS_DIRECTORY": str(credentials),
        "NOTIFY_SOCKET": str(folder / "notify"),
    }


async def _until_ready(process: asyncio.subprocess.Process, listener: socket.socket, log: Path) -> None:
    ended = asyncio.create_task(process.wait())
    ready = asyncio.create_task(_told_ready(listener))
    try:
        done, _ = await asyncio.wait((ended, ready), timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
        if ready not in done:
            words = await asyncio.to_thread(log.read_text)
            raise DaemonError(f"conclaved did not become ready: {words[-2000:]}")
    finally:
        for task in (ended, ready):
            task.cancel()
        await asyncio.gather(ended, ready, return_exceptions=True)


async def _told_ready(listener: socket.socket) -> None:
    """Returns at sd_notify(3)'s READY=1; what else is told before it is not waited for."""
    while b"READY=1" not in (await asyncio.get_running_loop().sock_recv(listener, 4096)).splitlines():
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
