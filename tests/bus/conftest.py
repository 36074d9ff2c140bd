"""A private bus with a fake room on it, and clients."""

from collections.abc import AsyncIterator

import pytest_asyncio

from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom
from tests.bus.peer import Peer


@pytest_asyncio.fixture(loop_scope="function")
async def bus() -> AsyncIterator[PrivateBus]:
    async with PrivateBus() as private:
        yield private


@pytest_asyncio.fixture(loop_scope="function")
async def room(bus: PrivateBus) -> AsyncIterator[FakeRoom]:
    """A fake room that is on the bus."""
    fake = FakeRoom()
    async with serve(fake, address=bus.address):
        yield fake


@pytest_asyncio.fixture(loop_scope="function")
async def peer(bus: PrivateBus) -> AsyncIterator[Peer]:
    client = await Peer.connect(bus.address)
    yield client
    await client.close()
