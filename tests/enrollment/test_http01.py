"""The helper that serves http-01 answers, and the files that it serves."""

import contextlib
import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import BadResponseError, ChallengeSetupError, TokenFiles, answer_server
from conclave_provisioning.enrollment.answer_server import parse_listen
from conclave_provisioning.enrollment.http01 import PREFIX, ChallengeServer, main
from tests.pebble import free_ports


@dataclass(frozen=True)
class Served:
    directory: Path
    port: int

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served") / "tokens"
    directory.mkdir()
    server = ChallengeServer(("127.0.0.1", 0), directory)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Served(directory, server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_is_served_while_its_file_is_there(served: Served) -> None:
    files = TokenFiles(served.directory)
    files.present("to-ken_1", "to-ken_1.thumbprint")
    assert served.ask(PREFIX + "to-ken_1") == (200, b"to-ken_1.thumbprint")
    assert served.ask(PREFIX + "to-ken_1", "HEAD") == (200, b"")
    files.clean_up("to-ken_1")
    assert served.ask(PREFIX + "to-ken_1")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        PREFIX,
        PREFIX + "absent",
        PREFIX + "../secret",
        PREFIX + "..%2fsecret",
        PREFIX + "%2e%2e/secret",
        "//" + "secret",
        PREFIX + ".",
        PREFIX + "folder",
        PREFIX + "link",
        PREFIX + "pipe",
        PREFIX + "a" * 129,
        PREFIX + "token?x=1",
        "/other/token",
        "http://127.0.0.1" + PREFIX + "token",
    ],
)
def test_nothing_but_an_answer_is_served(served: Served, path: str) -> None:
    (served.directory.parent / "secret").write_text("secret")
    (served.directory / "token").write_text("answer")
    (served.directory / "folder").mkdir(exist_ok=True)
    if not (served.directory / "link").is_symlink():
        (served.directory / "link").symlink_to(served.directory.parent / "secret")
        os.mkfifo(served.directory / "pipe")
    assert served.ask(path) == (404, b"not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_known(served: Served, method: str) -> None:
    assert served.ask(PREFIX + "token", method)[0] == 501


def test_strangers_who_hold_connections_open_keep_nobody_out(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_server, "MAX_CONNECTIONS", 4)
    (served.directory / "token").write_text("token.thumbprint")
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stranger = socket.create_connection(("127.0.0.1", served.port), timeout=5)
            stack.enter_context(stranger).sendall(b"GET / HT")
        assert served.ask(f"{PREFIX}token") == (200, b"token.thumbprint")


def test_a_connection_that_trickles_is_ended(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_server, "CONNECTION_TIMEOUT_S", 0.05)
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as stranger:
        stranger.sendall(b"GET / HT")
        assert stranger.recv(1) == b""


def test_the_answer_says_nothing_about_what_serves_it(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        head = connection.makefile("rb").read()
    assert b"Python" not in head


@pytest.mark.parametrize("token", ["", ".", "..", "a/b", "../a", "a.b", "a" * 129, "ä", "a\n"])
def test_a_token_that_could_leave_the_folder_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(BadResponseError, match="token"):
        TokenFiles(tmp_path / "tokens").present(token, "x")
    assert not (tmp_path / "tokens").exists()


def test_the_helper_may_read_an_answer_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    old = os.umask(0o077)
    try:
        folder.mkdir(mode=0o755)  # As the daemon does when it starts.
        TokenFiles(folder).present("token", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o644


def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("in the way")
    with pytest.raises(ChallengeSetupError):
        TokenFiles(tmp_path / "tokens").present("token", "x")


def test_the_program_ends_by_itself_when_no_answer_is_left(tmp_path: Path) -> None:
    arguments = ["--directory", str(tmp_path), "--listen", "127.0.0.1:0", "--exit-when-empty"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0


def test_the_program_runs_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("answer")
    (port,) = free_ports(1)
    command = [sys.executable, "-W", "error", "-m", "conclave_provisioning.enrollment.http01"]
    process = subprocess.Popen([*command, "--directory", str(tmp_path), "--listen", f"127.0.0.1:{port}"])
    try:
        served = Served(tmp_path, port)
        status = None
        while status is None and process.poll() is None:
            try:
                status = served.ask(PREFIX + "token")
            except ConnectionRefusedError:
                continue
        assert status == (200, b"answer")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_a_port_that_is_taken_is_told_in_one_line(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--directory", str(tmp_path), "--listen", f"127.0.0.1:{served.port}"]) == 1
    assert capsys.readouterr().err == f"http01: 127.0.0.1:{served.port}: Address already in use\n"


def test_addresses_to_listen_on_are_read() -> None:
    assert parse_listen("0.0.0.0:80") == ("0.0.0.0", 80)  # noqa: S104 - read, not bound
    assert parse_listen("[::]:80") == ("::", 80)
    for wrong in ("80", "a:b", "a:70000", ":"):
        with pytest.raises(ValueError, match="ADDRESS:PORT"):
            parse_listen(wrong)
