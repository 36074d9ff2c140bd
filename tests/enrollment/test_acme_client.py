"""What Pebble never does: a server that limits, redirects, lies or floods. Each is one canned answer."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import (
    AcmeSettings,
    BadResponseError,
    CaTroubleError,
    Enrollment,
    EnrollmentError,
    RateLimitedError,
    RefusedError,
)
from tests.enrollment.signers import KeyInMemory
from tests.pki import TestAuthority

PROBLEM = "application/problem+json"


@contextmanager
def answering(directory: Path, status: int, body: bytes, **headers: str) -> Iterator[AcmeSettings]:
    """An https server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            return

    authority = TestAuthority("API")
    certificate, key = authority.server_files(directory)
    (directory / "ca.pem").write_text(authority.root_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield AcmeSettings(
            f"https://127.0.0.1:{server.server_address[1]}/dir",
            agree_terms=True,
            ca_file=directory / "ca.pem",
            token_directory=directory / "tokens",
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def error_of(directory: Path, status: int, body: bytes, **headers: str) -> EnrollmentError:
    with (
        answering(directory, status, body, **headers) as settings,
        pytest.raises(EnrollmentError) as caught,
    ):
        await Enrollment(settings, directory / "state").enroll("room.example.com", KeyInMemory())
    return caught.value


async def test_a_rate_limit_says_how_long_to_wait(tmp_path: Path) -> None:
    body = b'{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "50 certificates a week"}'
    error = await error_of(tmp_path, 429, body, Content_Type=PROBLEM, Retry_After="120")
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after_s, error.detail) == (120.0, "50 certificates a week")
    assert error.hint == "wait 120 s, then enroll again"


async def test_a_problem_is_shown_with_its_parts_and_without_control_characters(tmp_path: Path) -> None:
    body = (
        b'{"type": "urn:ietf:params:acme:error:compound", "detail": "two\\u001b[31m faults", "subproblems": ['
        b'{"type": "urn:ietf:params:acme:error:caa", "detail": "no CAA",'
        b' "identifier": {"type": "dns", "value": "a.example"}}]}'
    )
    error = await error_of(tmp_path, 403, body, Content_Type=PROBLEM)
    assert isinstance(error, RefusedError)
    assert str(error).endswith("compound: two [31m faults; a.example no CAA")
    assert error.subproblems == ("a.example no CAA",)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"newNonce": 1, "newAccount": [], "newOrder": {}}'),
        (200, b"[" * 200000),
        (200, b"\xff\xfe"),
        (404, b""),
        (200, b'{"newNonce": "https://x/", "newAccount": "https://x/"}'),
        (200, b'{"newNonce": "http://x/", "newAccount": "http://x/", "newOrder": "http://x/"}'),
    ],
    ids=range(10),
)
async def test_an_answer_that_is_not_acme_is_a_typed_error(tmp_path: Path, status: int, body: bytes) -> None:
    error = await error_of(tmp_path, status, body, Content_Type="application/json")
    assert isinstance(error, BadResponseError)


async def test_a_fault_of_the_cas_own_is_told_as_such(tmp_path: Path) -> None:
    error = await error_of(tmp_path, 503, b"oops", Retry_After="30")
    assert isinstance(error, CaTroubleError)
    assert (error.kind, error.retry_after_s, error.keeps_order) == ("ca_trouble", 30.0, True)


async def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    error = await error_of(tmp_path, 200, b" " * 300_000)
    assert "longer than" in str(error)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    error = await error_of(tmp_path, 302, b"", Location="http://127.0.0.1:1/")
    assert isinstance(error, BadResponseError)
    assert "HTTP 302" in str(error)
