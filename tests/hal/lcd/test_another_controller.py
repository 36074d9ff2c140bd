"""The simulated LCD does what a controller expects that we did not write: LCDd, Debian's package lcdproc."""

import asyncio
import os
import pwd
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclave_hal.lcd.charset import encode
from conclave_hal.lcd.link import Key
from conclave_hal.simulated.lcd import SimulatedLcd
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal.eventually import eventually

LCDD = shutil.which("LCDd") or shutil.which("LCDd", path="/usr/sbin")
DRIVERS = next(Path("/usr/lib").glob("*/lcdproc/CFontzPacket.so"), Path("/nowhere/CFontzPacket.so")).parent
DEADLINE_S = 30
CONFIGURATION = """
[server]
DriverPath={drivers}/
Driver=CFontzPacket
Bind=127.0.0.1
Port={port}
ReportToSyslog=no
User={user}
ServerScreen=off
[CFontzPacket]
Model=635
Device={device}
Reboot=no
Speed=115200
"""

pytestmark = pytest.mark.skipif(
    LCDD is None or not DRIVERS.is_dir(), reason="lcdproc, a controller of LCDs, is not installed here"
)


class Client:
    """One client of LCDd, by its protocol of lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, *lines: str) -> None:
        """Say lines, and hear that each was understood."""
        for line in lines:
            self._writer.write(line.encode("latin-1") + b"\n")
            await self.hears("success", "connect")

    async def hears(self, *begins: str) -> None:
        """Wait for a line that begins so."""
        while not (await self._reader.readline()).decode().startswith(begins):
            pass

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def controlled(folder: Path) -> AsyncIterator[tuple[SimulatedLcd, Client]]:
    """An LCD, and a client of LCDd that drives it."""
    assert LCDD is not None
    lcd = SimulatedLcd(PtyWire(folder / "lcd"))
    lcd.wire.plug_in()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "LCDd.conf"
    user = pwd.getpwuid(os.getuid()).pw_name
    file.write_text(
        CONFIGURATION.format(drivers=DRIVERS, port=port, user=user, device=lcd.wire.link.resolve())
    )
    running = asyncio.create_task(lcd.run())
    with (folder / "LCDd.log").open("wb") as log:
        program = await asyncio.create_subprocess_exec(LCDD, "-f", "-c", str(file), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(DEADLINE_S):
            client = await connected(port)
            yield lcd, client
            client.close()
    finally:
        program.terminate()
        await program.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        lcd.wire.unplug()


async def connected(port: int) -> Client:
    while True:
        try:
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
        except OSError:
            await asyncio.sleep(0.05)  # it has no other sign of being there
            continue
        await client.say("hello", "screen_add s", "screen_set s -heartbeat off -priority alert")
        return client


async def test_its_text_stands_where_it_was_put_and_in_the_numbers_that_we_use(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (lcd, client):
        await client.say(
            "widget_add s a string",
            'widget_set s a 1 1 "Größe 12$@[] ÄÉñ"',
            "widget_add s b string",
            'widget_set s b 1 3 "48217 09356 71140"',
        )
        await eventually(lambda: bytes(lcd.memory[2]).rstrip() == b"48217 09356 71140")
        await eventually(lambda: bytes(lcd.memory[0]).rstrip() == encode("Größe 12$@[] ÄÉñ"))


async def test_it_understands_a_key(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (lcd, client):
        await client.say("client_add_key Up Enter")
        lcd.press(Key.ENTER)
        await client.hears("key Enter")
