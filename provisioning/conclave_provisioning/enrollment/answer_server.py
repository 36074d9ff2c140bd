"""What the helpers on ports 80 and 443 have in common: answers in a folder, shown to strangers for a while.

systemd starts a helper while an answer lies in the folder; `--exit-when-empty` ends it with the last one.
"""

import argparse
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

CONNECTION_TIMEOUT_S = 10
"""For all that a connection does, and for each wait in it."""
MAX_CONNECTIONS = 32


class AnswerServer(ThreadingTCPServer):
    """Serves what is in ``directory``; `serve_forever` runs it, `shutdown` ends it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(
        self,
        address: tuple[str, int],
        directory: Path,
        handler: type[BaseRequestHandler],
        *,
        is_answer: Callable[[str], bool],
        exit_when_empty: bool = False,
    ) -> None:
        """``address`` is an IPv4 or IPv6 address and a port, 0 for a free one. Raises OSError.

        ``is_answer`` tells the name of an answer from those of other files.
        """
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.directory = directory
        self._is_answer = is_answer
        self._exit_when_empty = exit_when_empty
        self._lock = threading.Lock()
        self._open: dict[Any, tuple[socket.socket, float]] = {}
        """The oldest first, each with the time that it came."""
        super().__init__(address, handler)

    def verify_request(self, request: Any, client_address: object) -> bool:
        """Takes every connection; while too many are open, in place of the oldest.

        Turned away would be the CA, whom strangers with open connections would keep out for as long as they
        like.
        """
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                _hang_up(self._open.pop(next(iter(self._open)))[0])
            try:
                # TLS takes the socket itself over: this one stays to hang up by.
                self._open[request] = request.dup(), time.monotonic()
            except OSError:
                return False
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection in its thread, and makes room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                _hang_up(self._open.pop(request, (None, 0.0))[0])

    def handle_error(self, request: object, client_address: object) -> None:
        """A stranger that hangs up is no event: nothing is printed."""

    def service_actions(self) -> None:
        """Twice a second: who has taken too long in all? Is there anything left to serve?"""
        with self._lock:
            for request, (connection, since) in list(self._open.items()):
                if time.monotonic() - since > CONNECTION_TIMEOUT_S:
                    _hang_up(connection)
                    del self._open[request]
        if self._exit_when_empty and not self._has_answers():
            raise SystemExit(0)

    def _has_answers(self) -> bool:
        try:
            return any(map(self._is_answer, os.listdir(self.directory)))  # noqa: PTH208
        except OSError:
            return False


def _hang_up(connection: socket.socket | None) -> None:
    """Ends a connection, in whatever its thread is waiting."""
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def parse_listen(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError("not ADDRESS:PORT")
    return host.strip("[]"), int(port)


def run_helper(
    make: Callable[..., AnswerServer], arguments: list[str] | None, *, name: str, description: str, port: int
) -> int:
    """A helper's command line, until it is stopped: the exit status. ``make`` is its server's class."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--directory", type=Path, required=True, help="where the answers lie")
    parser.add_argument("--listen", type=parse_listen, default=("::", port), help="ADDRESS:PORT")
    parser.add_argument("--exit-when-empty", action="store_true", help="end when no answer is left")
    options = parser.parse_args(arguments)
    try:
        server = make(options.listen, options.directory, exit_when_empty=options.exit_when_empty)
    except OSError as error:
        print(f"{name}: {options.listen[0]}:{options.listen[1]}: {error.strerror}", file=sys.stderr)
        return 1
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0
