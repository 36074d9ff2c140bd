"""A fake room on a private bus, and a real sshd before it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom
from tests.shell.sshd import Sshd


@pytest_asyncio.fixture(loop_scope="function")
async def bus() -> AsyncIterator[PrivateBus]:
    async with PrivateBus() as private:
        yield private


@pytest_asyncio.fixture(loop_scope="function")
async def room(bus: PrivateBus) -> AsyncIterator[FakeRoom]:
    fake = FakeRoom()
    async with serve(fake, address=bus.address):
        yield fake


@pytest_asyncio.fixture(loop_scope="function")
async def sshd(bus: PrivateBus, room: FakeRoom, tmp_path: Path) -> AsyncIterator[Sshd]:
    async with Sshd(tmp_path, bus.address) as server:
        yield server
