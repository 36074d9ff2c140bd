"""The helper that serves http-01 answers on port 80 (RFC 8555 §8.3), and nothing else.

`python -m conclave_provisioning.enrollment.http01 --directory D --listen ADDRESS:PORT [--exit-when-empty]`

systemd starts it while an answer lies in the directory. It knows one kind of path, GET and HEAD, and regular
files of the directory whose name is a token.
"""

import argparse
import contextlib
import os
import socket
import stat
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from conclave_provisioning.enrollment.challenge.token_files import TOKEN

PREFIX = "/.well-known/acme-challenge/"
MAX_ANSWER_BYTES = 1024
CONNECTION_TIMEOUT_S = 10
MAX_CONNECTIONS = 32


class ChallengeServer(ThreadingHTTPServer):
    """Serves the answers in ``directory``; `serve_forever` runs it, `shutdown` ends it."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], directory: Path, *, exit_when_empty: bool = False) -> None:
        """``address`` is an IPv4 or IPv6 address and a port, 0 for a free one. Raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.directory = directory
        self._exit_when_empty = exit_when_empty
        self._free = threading.Semaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

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
            return any(TOKEN.fullmatch(name) for name in os.listdir(self.directory))  # noqa: PTH208
        except OSError:
            return False


class _Handler(BaseHTTPRequestHandler):
    server: ChallengeServer
    timeout = CONNECTION_TIMEOUT_S
    disable_nagle_algorithm = True
    server_version = "conclave"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self._find()
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")
        else:
            self._send(HTTPStatus.OK, answer, "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _find(self) -> bytes | None:
        token = self.path.removeprefix(PREFIX)
        if token == self.path or not TOKEN.fullmatch(token):
            return None
        try:
            descriptor = os.open(self.server.directory / token, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.read(descriptor, MAX_ANSWER_BYTES)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        # Strangers write the request line: a log of them belongs nowhere.
        return


def parse_listen(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError("not ADDRESS:PORT")
    return host.strip("[]"), int(port)


def main(arguments: list[str] | None = None) -> int:
    """Runs the helper until it is stopped: the exit status."""
    parser = argparse.ArgumentParser(prog="http01", description="Serves http-01 answers, and nothing else.")
    parser.add_argument("--directory", type=Path, required=True, help="where the answers lie")
    parser.add_argument("--listen", type=parse_listen, default=("::", 80), help="ADDRESS:PORT")
    parser.add_argument("--exit-when-empty", action="store_true", help="end when no answer is left")
    options = parser.parse_args(arguments)
    try:
        server = ChallengeServer(options.listen, options.directory, exit_when_empty=options.exit_when_empty)
    except OSError as error:
        print(f"http01: {options.listen[0]}:{options.listen[1]}: {error.strerror}", file=sys.stderr)
        return 1
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
