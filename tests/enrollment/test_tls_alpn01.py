"""The helper on port 443: it shows one kind of certificate to one kind of handshake."""

import contextlib
import hashlib
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from conclave_provisioning.enrollment import Challenge, ChallengeKind, ChallengeSetupError, answer_server
from conclave_provisioning.enrollment.challenge import TlsAlpn01
from conclave_provisioning.enrollment.tls_alpn01 import PROTOCOL, ChallengeServer, main
from tests.enrollment.conftest import serving
from tests.pebble import free_ports

DOMAIN = "room.example.com"
CHALLENGE = Challenge(
    ChallengeKind.TLS_ALPN_01, "https://ca/1", "pending", DOMAIN, "token", "token.thumbprint"
)


class Served:
    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port

    def shake_hands(
        self, name: str | None = DOMAIN, protocols: tuple[str, ...] = (PROTOCOL,)
    ) -> tuple[x509.Certificate, str | None, bytes]:
        """The certificate, the protocol that was agreed upon, and all that comes after the handshake."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=name) as tls,
        ):
            certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
            try:
                rest = tls.recv(100)
            except OSError:
                rest = b""
            return certificate, tls.selected_alpn_protocol(), rest


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("certificates")
    server = ChallengeServer(("127.0.0.1", 0), directory)
    with serving(server):
        yield Served(directory, server.server_address[1])


@pytest.fixture
def presented(served: Served) -> Iterator[Served]:
    solver = TlsAlpn01(served.directory)
    solver.present(CHALLENGE)
    yield served
    solver.clean_up(CHALLENGE)


def test_the_certificate_has_the_one_name_and_the_digest_of_the_answer(presented: Served) -> None:
    certificate, protocol, rest = presented.shake_hands()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    identifier = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert isinstance(identifier.value, x509.UnrecognizedExtension)
    assert list(names) == [x509.DNSName(DOMAIN)]
    assert identifier.critical
    assert identifier.value.value == b"\x04\x20" + hashlib.sha256(b"token.thumbprint").digest()
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert (protocol, rest) == (PROTOCOL, b"")


def test_the_name_is_found_in_any_case(presented: Served) -> None:
    assert presented.shake_hands("Room.Example.COM")[1] == PROTOCOL


def test_no_application_is_served(presented: Served) -> None:
    assert presented.shake_hands(protocols=("http/1.1",))[1:] == (None, b"")


@pytest.mark.parametrize("name", ["other.example.com", None, "link.example.com"])
def test_without_an_answer_for_the_name_there_is_no_handshake(presented: Served, name: str | None) -> None:
    link = presented.directory / "link.example.com.pem"
    if not link.is_symlink():
        link.symlink_to(presented.directory / f"{DOMAIN}.pem")
    with pytest.raises(ssl.SSLError, match=r"UNRECOGNIZED_NAME|unrecognized"):
        presented.shake_hands(name)


def test_after_the_clean_up_there_is_no_handshake(served: Served) -> None:
    solver = TlsAlpn01(served.directory)
    solver.present(CHALLENGE)
    solver.clean_up(CHALLENGE)
    solver.clean_up(CHALLENGE)
    with pytest.raises(ssl.SSLError):
        served.shake_hands()


def test_strangers_who_hold_connections_open_keep_nobody_out(
    presented: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_server, "MAX_CONNECTIONS", 4)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stranger = socket.create_connection(("127.0.0.1", presented.port), timeout=5)
            stack.enter_context(stranger).sendall(b"\x16\x03")
        assert presented.shake_hands()[1] == PROTOCOL


def test_noise_does_not_end_it(presented: Served) -> None:
    with socket.create_connection(("127.0.0.1", presented.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    assert presented.shake_hands()[1] == PROTOCOL


def test_the_file_with_the_key_is_its_owners(presented: Served) -> None:
    assert stat.S_IMODE((presented.directory / f"{DOMAIN}.pem").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(ChallengeSetupError):
        TlsAlpn01(tmp_path / "folder").present(CHALLENGE)


def test_the_program_ends_by_itself_when_no_answer_is_left(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--directory", str(tmp_path), "--listen", "127.0.0.1:0", "--exit-when-empty"])
    assert caught.value.code == 0


def test_the_program_runs_until_it_is_stopped(tmp_path: Path) -> None:
    TlsAlpn01(tmp_path).present(CHALLENGE)
    (port,) = free_ports(1)
    command = [sys.executable, "-W", "error", "-m", "conclave_provisioning.enrollment.tls_alpn01"]
    process = subprocess.Popen([*command, "--directory", str(tmp_path), "--listen", f"127.0.0.1:{port}"])
    try:
        protocol = None
        while protocol is None and process.poll() is None:
            try:
                protocol = Served(tmp_path, port).shake_hands()[1]
            except ConnectionRefusedError:
                continue
        assert protocol == PROTOCOL
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_a_port_that_is_taken_is_told_in_one_line(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--directory", str(tmp_path), "--listen", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == f"tls_alpn01: 127.0.0.1:{port}: Address already in use\n"
