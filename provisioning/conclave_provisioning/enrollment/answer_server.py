"""What the helpers on ports 80 and 443 have in common: answers in a folder, shown to strangers for a while.

systemd starts a helper while an answer lies in the folder; `--exit-when-empty` ends it with the last one.
"""

import argparse
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

CONNECTION_TIMEOUT_S = 10
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
        self._free = threading.Semaphore(MAX_CONNECTIONS)
        super().__init__(address, handler)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Turns connections away while too many are open."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection in its thread, and makes room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A stranger that hangs up is no event: nothing is printed."""

    def service_actions(self) -> None:
        """Asks twice a second whether there is anything left to serve."""
        if self._exit_when_empty and not self._has_answers():
            raise SystemExit(0)

    def _has_answers(self) -> bool:
        try:
            return any(map(self._is_answer, os.listdir(self.directory)))  # noqa: PTH208
        except OSError:
            return False


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
