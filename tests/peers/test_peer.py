"""The driver of a peer's program, against programs that misbehave."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from conclaved.mls import CipherSuite, SoftwareSigner
from tests.peers import peer
from tests.peers.client import Basic, Kind, Received
from tests.peers.peer import PeerGone, PeerRefused, PeerTimeout, Program, raw_key_pair

HELLO = """
import json, sys
def answer(value):
    print(json.dumps(value), flush=True)
sys.stdin.readline()
answer({"ok": {"peer": "fake", "version": "1", "suites": [2]}})
"""
SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, script: str, **options: float) -> Iterator[Program]:
    monkeypatch.setattr(peer, "command", lambda name: [sys.executable, "-c", script])
    with Program("fake", **options) as program:
        yield program


def test_a_program_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch, HELLO) as program:
        assert (program.hello.version, program.hello.suites) == ("1", (SUITE,))


def test_what_a_peer_says_comes_back_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    script = HELLO + "sys.stdin.readline()\nanswer({'ok': None})\n"
    script += "sys.stdin.readline()\nanswer({'ok': {'kind': 'application', 'data': '6869'}})\n"
    with running(monkeypatch, script) as program:
        client = program.client(SUITE, Basic(b"someone"), encrypts_handshake=True)
        assert client.process(b"message") == Received(Kind.APPLICATION, b"hi")


def test_what_a_peer_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    script = HELLO + "sys.stdin.readline()\nanswer({'error': 'bad epoch'})\n"
    with (
        running(monkeypatch, script) as program,
        pytest.raises(PeerRefused, match="fake refuses client: bad epoch"),
    ):
        program.client(SUITE, Basic(b"someone"), encrypts_handshake=True)


def test_a_program_that_ends_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch, HELLO) as program, pytest.raises(PeerGone):
        program.ask({"operation": "state"})


def test_a_program_that_says_no_json_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    script = HELLO + "sys.stdin.readline()\nprint('panic!', flush=True)\nsys.stdin.readline()\n"
    with running(monkeypatch, script) as program, pytest.raises(PeerGone, match="no JSON"):
        program.ask({"operation": "state"})


def test_a_program_that_is_silent_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    script = HELLO + "for line in sys.stdin: pass\n"
    with running(monkeypatch, script) as program:
        program.answer_timeout_s = 0.05
        with pytest.raises(PeerTimeout):
            program.ask({"operation": "state"})
        with pytest.raises(PeerGone):
            program.ask({"operation": "state"})


@pytest.mark.parametrize(
    ("suite", "key"),
    [
        (2, ec.generate_private_key(ec.SECP256R1())),
        (5, ec.generate_private_key(ec.SECP521R1())),
        (7, ec.generate_private_key(ec.SECP384R1())),
        (1, ed25519.Ed25519PrivateKey.generate()),
        (4, ed448.Ed448PrivateKey.generate()),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else type(value).__name__,
)
def test_a_raw_key_pair_is_the_one_that_mls_encodes(
    suite: int,
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
) -> None:
    private_key, public_key = raw_key_pair(key)
    assert SoftwareSigner.from_private_bytes(CipherSuite(suite), private_key).public_key == public_key


def test_a_key_of_no_cipher_suite_has_no_raw_pair() -> None:
    with pytest.raises(TypeError):
        raw_key_pair(rsa.generate_private_key(65537, 2048))
