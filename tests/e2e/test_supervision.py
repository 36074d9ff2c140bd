"""The daemon as systemd sees it: what it says on the notify socket, and how it refuses to start."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from tests.bus.bus import PrivateBus

DEADLINE_S = 30.0


def configure(folder: Path, bus: str, *, extra: str = "") -> dict[str, str]:
    """A room without hardware. Returns the environment that systemd would give."""
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "wrapping-key").write_bytes(secrets.token_bytes(32))
    (folder / "hal.toml").write_text("")
    (folder / "conclave.toml").write_text(
        f'state_directory = "{folder}/state"\nruntime_directory = "{folder}/run"\n'
        f'hal = "{folder}/hal.toml"\n{extra}\n[bus]\naddress = "{bus}"\n'
    )
    return {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)}


async def start(folder: Path, environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "conclaved.service",
        "--config",
        str(folder / "conclave.toml"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_daemon_is_ready_on_the_bus_feeds_the_watchdog_and_stops_in_order(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        async with PrivateBus() as bus:
            environment = configure(tmp_path, bus.address)
            environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
            process = await start(tmp_path, environment)
            try:
                async with asyncio.timeout(DEADLINE_S):
                    # A message is lines (sd_notify(3)): what the room does stands beside some of them.
                    said: list[bytes] = []
                    while said.count(b"WATCHDOG=1") < 3 or b"READY=1" not in said:
                        said += (await loop.sock_recv(listener, 4096)).splitlines()
                    process.send_signal(signal.SIGTERM)
                    while b"STOPPING=1" not in said:
                        said += (await loop.sock_recv(listener, 4096)).splitlines()
                    _, words = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    assert process.returncode == 0, words.decode()
    assert words == b""


async def test_a_daemon_without_a_bus_says_so_in_one_line(tmp_path: Path) -> None:
    process = await start(tmp_path, configure(tmp_path, "unix:path=/nonexistent/bus"))
    async with asyncio.timeout(DEADLINE_S):
        _, words = await process.communicate()
    assert process.returncode == 1
    assert len(words.decode().splitlines()) == 1, words.decode()


async def test_a_daemon_with_damaged_settings_starts_trusts_nobody_and_says_why(tmp_path: Path) -> None:
    async with PrivateBus() as bus:
        environment = configure(tmp_path, bus.address)
        (tmp_path / "state").mkdir()
        (tmp_path / "state/settings.toml").write_text("[")
        process = await start(tmp_path, environment)
        try:
            status = await _status(bus.address)
        finally:
            process.terminate()
            _, words = await process.communicate()
    assert status["anchors"] == []
    assert any("settings" in problem["text"] for problem in status["problems"]), status["problems"]
    assert "settings.toml" in words.decode()


async def _status(bus: str) -> dict[str, Any]:
    """What `conclavectl status` says, as soon as the daemon is there."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            asking = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("conclavectl")), "status", "--json",
                env={**os.environ, "CONCLAVE_BUS": bus},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await asking.communicate()
            if asking.returncode == 0:
                found: dict[str, Any] = json.loads(out)
                return found
