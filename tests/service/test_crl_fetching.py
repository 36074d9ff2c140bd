"""Lists of revoked certificates that a room fetches by itself, from a real web server."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError
from conclaved.identity import Assurance
from tests.crl import crl_of, serial_of
from tests.service.rooms import DEADLINE_S, PUBLIC_CA, TestRoom, running_room
from tests.service.test_trusting import CHAIN, assurance


class Publisher:
    """A CA's web server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.content = b""
        self.status = 200


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(made.status)
            self.end_headers()
            self.wfile.write(made.content)

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Publisher(f"http://127.0.0.1:{server.server_port}/office.crl")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


async def fetched(here: TestRoom, publisher: Publisher) -> None:
    """Let the room fetch once more, and wait until it has an answer."""
    here.room._trusting.fetching.wake()
    async with asyncio.timeout(DEADLINE_S):
        while not here.room.trust().crls and not here.room._trusting.fetching.problems():  # noqa: ASYNC110  # a thread answers
            await asyncio.sleep(0.01)


async def test_a_list_is_fetched_once_its_address_is_set_and_revokes(
    tmp_path: Path, publisher: Publisher
) -> None:
    publisher.content = crl_of(PUBLIC_CA, [serial_of(CHAIN)])
    async with running_room(tmp_path) as here:
        assert assurance(here) is Assurance.VERIFIED
        await here.room.set_config({"trust.crl_urls": publisher.address})
        await fetched(here, publisher)
        assert assurance(here) is Assurance.UNKNOWN


async def test_what_is_no_list_is_told_with_its_address(tmp_path: Path, publisher: Publisher) -> None:
    publisher.status = 404
    async with running_room(tmp_path) as here:
        await here.room.set_config({"trust.crl_urls": publisher.address})
        await fetched(here, publisher)
        problems = " ".join(here.room.device().problems)
        assert publisher.address in problems
        assert "status 404" in problems


async def test_an_older_list_than_the_one_at_hand_is_not_taken(tmp_path: Path, publisher: Publisher) -> None:
    publisher.content = crl_of(PUBLIC_CA, number=1)
    async with running_room(tmp_path) as here:
        await here.room.add_crl(crl_of(PUBLIC_CA, [serial_of(CHAIN)], number=2))
        await here.room.set_config({"trust.crl_urls": publisher.address})
        async with asyncio.timeout(DEADLINE_S):
            while not here.room._trusting.fetching.problems():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "older" in here.room._trusting.fetching.problems()[0]
        assert assurance(here) is Assurance.UNKNOWN


@pytest.mark.parametrize(
    "url", ["ftp://a.example/x", "a.example", "http://", "file:///etc/passwd", "http://a b"]
)
async def test_what_is_no_address_of_the_web_is_refused(tmp_path: Path, url: str) -> None:
    async with running_room(tmp_path) as here:
        with pytest.raises(RoomError, match=r"trust\.crl_urls"):
            await here.room.set_config({"trust.crl_urls": url})
