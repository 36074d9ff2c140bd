"""A CA with faults: a proxy in front of Pebble that breaks what it is told to, and adds what Pebble lacks.

It adds to Pebble 2.4 what newer CAs have: renewal information (RFC 9773), profiles, and the refusal of an
order that replaces a certificate twice. It remembers what was asked, so that a test can look.
"""

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.pebble import Pebble
from tests.pki import TestAuthority

ERROR = "urn:ietf:params:acme:error:"
_OF_ONE_CONNECTION = ("content-length", "transfer-encoding", "connection", "date")
RENEWAL_INFO = "/renewal-info"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request. By default it is only slow, or its answer has another clock."""

    status: int | None = None
    """Answered so, in the CA's place."""
    problem: str = ""
    """With this problem document."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """And these headers."""
    drops: str = ""
    """The connection ends: `before` the CA hears of it, `after` that, or in the `middle` of the answer."""
    clock_off: timedelta = timedelta()
    """By how much the answer's Date is wrong."""
    waits_for: threading.Event | None = None
    """The request is held until this is set,"""
    began: threading.Event | None = None
    """and this is set meanwhile."""
    body: Callable[[bytes], bytes] | None = None
    """What is made of the answer's body."""


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    payload: dict[str, Any] | None
    """What was signed; None for a POST-as-GET or an unsigned request."""


class FaultyCa:
    """The proxy. `fail` says what breaks; `asked` has all requests in order."""

    def __init__(self, pebble: Pebble, directory: Path) -> None:
        self.asked: list[Asked] = []
        self.profiles: dict[str, str] = {}
        self.renewal_info: dict[str, object] | None = None
        self.renewal_headers: dict[str, str] = {}
        self.replaced: set[str] = set()
        self.meta: dict[str, object] = {}
        self.ca_file = directory / "proxy-ca.pem"
        self._faults: list[tuple[str, Fault]] = []
        self._upstream = urlsplit(pebble.directory_url).netloc
        self._trusted = ssl.create_default_context(cafile=str(pebble.ca_file))
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        authority = TestAuthority("Proxy API")
        certificate, key = authority.server_files(directory)
        self.ca_file.write_text(authority.root_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = _Server(self, context)
        self.directory_url = f"https://127.0.0.1:{self.server.server_address[1]}/dir"

    def fail(self, where: str, fault: Fault, *, times: int = 1) -> None:
        """Lets the next requests whose path begins with ``where`` go wrong."""
        with self._lock:
            self._faults += [(where, fault)] * times

    def count(self, where: str) -> int:
        """How many requests there were whose path begins with ``where``."""
        return sum(asked.path.startswith(where) for asked in self.asked)

    def orders(self) -> list[dict[str, Any]]:
        """What was signed in the requests for new orders."""
        return [asked.payload or {} for asked in self.asked if asked.path == "/order-plz"]

    def take_fault(self, path: str) -> Fault:
        """The fault that this request has."""
        with self._lock:
            for index, (where, fault) in enumerate(self._faults):
                if path.startswith(where):
                    del self._faults[index]
                    return fault
        return Fault()

    def forward(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pebble's answer. It sees the proxy's address, and so gives that in its own."""
        connection = http.client.HTTPSConnection(self._upstream, timeout=20, context=self._trusted)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def amended(self, path: str, body: bytes) -> bytes:
        """The directory with what this CA has beside Pebble's."""
        if path != "/dir":
            return body
        directory = json.loads(body)
        if self.renewal_info is not None:
            directory["renewalInfo"] = directory["newOrder"].rpartition("/")[0] + RENEWAL_INFO
        if self.profiles:
            directory["meta"]["profiles"] = self.profiles
        directory["meta"] |= self.meta
        return json.dumps(directory).encode()

    def own_answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        """What this CA answers itself."""
        if asked.path.startswith(RENEWAL_INFO):
            return 200, self.renewal_headers, json.dumps(self.renewal_info).encode()
        replaces = (asked.payload or {}).get("replaces") if asked.path == "/order-plz" else None
        if replaces is not None:
            if replaces in self.replaced:
                return 409, {}, problem("alreadyReplaced", "it is replaced already")
            self.replaced.add(replaces)
        return None


def problem(kind: str, detail: str) -> bytes:
    """A problem document."""
    return json.dumps({"type": ERROR + kind, "detail": detail}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, ca: FaultyCa, context: ssl.SSLContext) -> None:
        self.ca = ca
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is cut off is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self) -> None:
        ca = self.server.ca
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, _payload(body))
        ca.asked.append(asked)
        fault = ca.take_fault(self.path)
        if fault.began is not None:
            fault.began.set()
        if fault.waits_for is not None:
            fault.waits_for.wait(20)
        if fault.drops == "before":
            self._hang_up()
            return
        if fault.status is not None:
            content = problem(fault.problem, "as the test wants") if fault.problem else b"no document"
            nonce = self._fresh_nonce()
            self._answer(fault.status, {**nonce, **fault.headers}, content, fault)
            return
        own = ca.own_answer(asked)
        if own is not None:
            self._answer(own[0], {**self._fresh_nonce(), **own[1]}, own[2], fault)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        status, answered, content = ca.forward(self.command, self.path, headers, body)
        if fault.drops == "after":
            self._hang_up()
            return
        kept = [(name, value) for name, value in answered if name.lower() not in _OF_ONE_CONNECTION]
        self._answer(status, kept, ca.amended(self.path, content), fault)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        return

    def _answer(
        self, status: int, headers: Mapping[str, str] | list[tuple[str, str]], content: bytes, fault: Fault
    ) -> None:
        content = fault.body(content) if fault.body is not None else content
        given = list(headers.items()) if isinstance(headers, Mapping) else headers
        self.send_response_only(status)
        self.send_header("Date", format_datetime(datetime.now(UTC) + fault.clock_off, usegmt=True))
        for name, value in given:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault.drops == "middle":
            self.wfile.write(content[: len(content) // 2])
            self._hang_up()
        elif self.command != "HEAD":
            self.wfile.write(content)

    def _fresh_nonce(self) -> dict[str, str]:
        _, headers, _ = self.server.ca.forward("HEAD", "/nonce-plz", {"User-Agent": "proxy"}, b"")
        return {name: value for name, value in headers if name == "Replay-Nonce"}

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()


def _payload(body: bytes) -> dict[str, Any] | None:
    if not body:
        return None
    text = json.loads(body)["payload"]
    payload: dict[str, Any] | None = json.loads(base64.urlsafe_b64decode(text + "==")) if text else None
    return payload


@contextmanager
def faulty(pebble: Pebble, directory: Path) -> Iterator[FaultyCa]:
    """The proxy, running."""
    ca = FaultyCa(pebble, directory)
    thread = threading.Thread(target=ca.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield ca
    finally:
        ca.server.shutdown()
        thread.join()
        ca.server.server_close()
