"""Who trickles an answer holds no thread beyond the deadline: in TLS, in the headers, in the body."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from conclaved.service import crl_fetching
from conclaved.service.deadline import hanging_up

LETTERS = 250


class Trickling:
    """Says `first`, and then a letter every now and then, until the client hangs up or for five seconds."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.was_left = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            try:
                connection.sendall(self.first)
                for _ in range(LETTERS):
                    if not self._is_over.wait(0.02):
                        connection.sendall(b"x")
            except OSError:
                self.was_left = True

    def joined(self) -> bool:
        """Wait until it has ended: whether the client hung up."""
        self._thread.join()
        return self.was_left

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture(
    params=[b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["status", "headers", "body"]
)
def server(request: pytest.FixtureRequest) -> Iterator[Trickling]:
    found = Trickling(request.param)
    yield found
    found.close()


def test_an_answer_that_trickles_ends_at_the_deadline(
    server: Trickling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crl_fetching, "WHOLE_WITHIN_S", 0.1)
    with pytest.raises((OSError, http.client.HTTPException)):
        crl_fetching.fetch(f"http://127.0.0.1:{server.port}/office.crl")
    assert server.joined()


def test_a_handshake_that_trickles_ends_at_the_deadline() -> None:
    # The head of a record of sixteen thousand bytes.
    server = Trickling(b"\x16\x03\x03\x40\x00")
    try:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=5, context=ssl.create_default_context()
        )
        with pytest.raises(OSError), hanging_up(connection, 0.1):
            connection.request("GET", "/")
        assert server.joined()
    finally:
        server.close()
