"""The helper that shows tls-alpn-01 answers on port 443 (RFC 8737), and nothing else.

`python -m conclave_provisioning.enrollment.tls_alpn01 --directory D --listen ADDRESS:PORT`

systemd starts it while an answer lies in the directory, as the daemon's user and with the right to the port;
`--exit-when-empty` ends it with the last answer. It takes a TLS handshake for a domain of which the directory
has `DOMAIN.pem`, and hangs up after it: no byte of an application is read or sent.
"""

import argparse
import contextlib
import os
import re
import socket
import ssl
import sys
import threading
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from conclave_provisioning.enrollment.http01 import parse_listen

PROTOCOL = "acme-tls/1"
CONNECTION_TIMEOUT_S = 10
MAX_CONNECTIONS = 32
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
"""As a domain becomes a file's name, nothing else may pass."""


class ChallengeServer(ThreadingTCPServer):
    """Shows the certificates in ``directory``; `serve_forever` runs it, `shutdown` ends it."""

    daemon_threads = True
    allow_reuse_address = True
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
        """Asks twice a second whether there is anything left to show."""
        if self._exit_when_empty and not self._has_answers():
            raise SystemExit(0)

    def _has_answers(self) -> bool:
        try:
            return any(name.endswith(".pem") for name in os.listdir(self.directory))  # noqa: PTH208
        except OSError:
            return False


class _Handler(BaseRequestHandler):
    server: ChallengeServer

    def handle(self) -> None:
        self.request.settimeout(CONNECTION_TIMEOUT_S)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([PROTOCOL])
        context.sni_callback = self._choose
        with contextlib.suppress(OSError, ssl.SSLError):
            context.wrap_socket(self.request, server_side=True).close()

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        """Puts the domain's certificate into the handshake; anything else ends it."""
        if name is None or not _DOMAIN.fullmatch(name.lower()):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        path = self.server.directory / f"{name.lower()}.pem"
        chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chosen.set_alpn_protocols([PROTOCOL])
        try:
            if path.is_symlink():
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            chosen.load_cert_chain(path)
        except (OSError, ssl.SSLError):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = chosen
        return None


def main(arguments: list[str] | None = None) -> int:
    """Runs the helper until it is stopped: the exit status."""
    parser = argparse.ArgumentParser(
        prog="tls_alpn01", description="Shows tls-alpn-01 answers, and nothing else."
    )
    parser.add_argument("--directory", type=Path, required=True, help="where the answers lie")
    parser.add_argument("--listen", type=parse_listen, default=("::", 443), help="ADDRESS:PORT")
    parser.add_argument("--exit-when-empty", action="store_true", help="end when no answer is left")
    options = parser.parse_args(arguments)
    try:
        server = ChallengeServer(options.listen, options.directory, exit_when_empty=options.exit_when_empty)
    except OSError as error:
        print(f"tls_alpn01: {options.listen[0]}:{options.listen[1]}: {error.strerror}", file=sys.stderr)
        return 1
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
