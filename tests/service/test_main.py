"""The daemon as a process, with a socket in systemd's place and a bus of its own."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclaved.service.system_units import SystemUnit
from tests.bus.bus import PrivateBus
from tests.bus.peer import Peer
from tests.service.systemd_manager import systemd_on

DEADLINE_S = 60.0
FACTORY_RESET = SystemUnit.FACTORY_RESET.value


class Daemon:
    """A running daemon, and what it tells systemd."""

    def __init__(self, bus: PrivateBus, process: asyncio.subprocess.Process, notices: socket.socket) -> None:
        self.bus = bus
        self.process = process
        self._notices = notices
        self.heard: list[str] = []

    async def hears(self, *lines: str) -> None:
        """Wait for a message with all of these lines."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self.heard.append((await loop.sock_recv(self._notices, 4096)).decode())
                if set(lines) <= set(self.heard[-1].splitlines()):
                    return

    def waiting(self) -> list[str]:
        """What has arrived and was not waited for."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self._notices.recv(4096).decode())
        return self.heard

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def daemon(
    folder: Path, *, hal: str = "", wrapping_key: bytes = b"", bus_address: str = "", **environment: str
) -> AsyncIterator[Daemon]:
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "wrapping-key").write_bytes(wrapping_key or secrets.token_bytes(32))
    (folder / "hal.toml").write_text(hal)
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(folder / "notify"))
    notices.setblocking(False)
    async with PrivateBus() as bus:
        (folder / "conclave.toml").write_text(
            f'state_directory = "{folder}/state"\nruntime_directory = "{folder}/run"\n'
            f'hal = "{folder}/hal.toml"\n[bus]\naddress = "{bus_address or bus.address}"\n'
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "conclaved.service", "--config", str(folder / "conclave.toml")),
            env={
                **os.environ,
                "CREDENTIALS_DIRECTORY": str(credentials),
                "NOTIFY_SOCKET": str(folder / "notify"),
                **environment,
            },
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield Daemon(bus, process, notices)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            notices.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Paths of sockets are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="conclave-") as name:
        yield Path(name)


async def test_it_says_what_it_does_is_ready_and_feeds_the_watchdog(short_path: Path) -> None:
    async with daemon(short_path, WATCHDOG_USEC="30000000") as one:
        await one.hears("STATUS=opening the hardware")
        await one.hears("READY=1")
        assert any("in no meeting, without a certificate" in text for text in one.heard)
        await one.hears("WATCHDOG=1")


async def test_a_reload_begins_and_ends_for_systemd_and_the_daemon_lives_on(short_path: Path) -> None:
    async with daemon(short_path) as one:
        await one.hears("READY=1")
        one.reload()
        await one.hears("RELOADING=1")
        assert "MONOTONIC_USEC=" in one.heard[-1]
        await one.hears("READY=1")
        assert one.process.returncode is None


async def test_a_wrong_file_is_said_in_the_status_and_the_daemon_lives_on(short_path: Path) -> None:
    async with daemon(short_path) as one:
        await one.hears("READY=1")
        (short_path / "conclave.toml").write_text("[")
        one.reload()
        await one.hears("RELOADING=1")
        await one.hears("READY=1")
        assert "the configuration on the disk is wrong" in one.heard[-1]
        assert one.process.returncode is None


async def test_its_end_is_told(short_path: Path) -> None:
    async with daemon(short_path) as one:
        await one.hears("READY=1")
        one.process.terminate()
        await one.hears("STOPPING=1")


async def test_a_bus_that_is_not_there_ends_it_with_a_reason_before_it_is_ready(short_path: Path) -> None:
    async with daemon(short_path, bus_address="unix:path=/nonexistent/bus") as one:
        async with asyncio.timeout(DEADLINE_S):
            _, said = await one.process.communicate()
        assert one.process.returncode == 1
        assert b"no D-Bus at unix:path=/nonexistent/bus" in said
        assert not any("READY=1" in text for text in one.waiting())


async def test_a_driver_that_is_none_ends_it_with_a_reason_before_it_is_ready(short_path: Path) -> None:
    async with daemon(short_path, hal='[panel]\ndriver = "no such"\n') as one:
        async with asyncio.timeout(DEADLINE_S):
            _, said = await one.process.communicate()
        assert one.process.returncode == 1
        assert b"no such" in said
        assert not any("READY=1" in text for text in one.waiting())


async def test_at_the_end_of_a_factory_reset_systemd_is_asked_for_the_rest(short_path: Path) -> None:
    (short_path / "state").mkdir()
    async with daemon(short_path) as one, systemd_on(one.bus.address, FACTORY_RESET) as systemd:
        await one.hears("READY=1")
        peer = await Peer.connect(one.bus.address)
        serial = await peer.get("Device", "Serial")
        await peer.call("org.conclave.Room1.Device", "FactoryReset", "sa{sv}", serial, {})
        await peer.close()
        async with asyncio.timeout(DEADLINE_S):
            await one.process.communicate()
        assert systemd.started == [(FACTORY_RESET, "replace")]


async def test_a_wrapping_key_that_is_none_does_not_keep_admins_out(short_path: Path) -> None:
    async with daemon(short_path, wrapping_key=b"too short") as one:
        await one.hears("READY=1")


async def test_a_full_disk_does_not_keep_admins_out(short_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount a disk that is full")
    state = short_path / "state"
    state.mkdir()
    mounting = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(state))
    assert await (await asyncio.create_subprocess_exec(*mounting)).wait() == 0
    try:
        with contextlib.suppress(OSError), (state / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        async with daemon(short_path) as one:
            await one.hears("READY=1")
            peer = await Peer.connect(one.bus.address)
            assert any("disk is full" in line for line in await peer.get("Device", "Problems"))
            await peer.close()
    finally:
        await (await asyncio.create_subprocess_exec("umount", str(state))).wait()
