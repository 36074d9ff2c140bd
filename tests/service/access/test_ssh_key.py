"""Lines of public keys: what OpenSSH makes is taken, what would do more or less than let in is refused."""

import base64
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from conclaved.service.access import AccessFiles, SshKeyError, parse_key, parse_keys
from conclaved.service.access.access_config import AccessConfig, principal_names
from conclaved.service.access.ssh_key import KINDS as KNOWN_KINDS

KINDS = [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")]


def make(folder: Path, kind: str, bits: str = "", comment: str = "ana@example.com") -> str:
    """A public key by ssh-keygen."""
    size = ["-b", bits] if bits else []
    path = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", comment, "-f", str(path)], check=True
    )
    return path.with_suffix(".pub").read_text().strip()


def fingerprint_by_openssh(line: str) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", "-"], input=line, capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def packed(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def line(kind: str, *parts: bytes) -> str:
    return f"{kind} {base64.b64encode(packed(kind.encode(), *parts)).decode()} ana"


ED25519 = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
P256 = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
GOOD = line("ssh-ed25519", ED25519)
TOKENS = [
    line("sk-ssh-ed25519@openssh.com", ED25519, b"ssh:"),
    line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", P256, b"ssh:room"),
]


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_key_of_openssh_is_taken_as_it_is(tmp_path: Path, kind: str, bits: str) -> None:
    text = make(tmp_path, kind, bits)
    key = parse_key(text)
    assert key.line == text
    assert key.comment == "ana@example.com"
    assert key.fingerprint == fingerprint_by_openssh(text)


@pytest.mark.parametrize("text", TOKENS)
def test_a_key_on_a_security_token_is_taken(text: str) -> None:
    assert parse_key(text).fingerprint == fingerprint_by_openssh(text)


REFUSED = {
    "options": f'command="id" {GOOD}',
    "authority by option": f"cert-authority {GOOD}",
    "environment by option": f'environment="LD_PRELOAD=/x" {GOOD}',
    "second line": f"{GOOD}\n{GOOD}",
    "carriage return": f"{GOOD}\r{GOOD}",
    "terminal escape": f"{GOOD}\x1b[2J",
    "no key": "ssh-ed25519",
    "empty": "",
    "not base64": "ssh-ed25519 %%%% ana",
    "cut short": GOOD[:60],
    "of another kind": line("ssh-ed25519", ED25519).replace("ssh-ed25519", "ssh-rsa", 1),
    "too short": line("ssh-ed25519", ED25519[:31]),
    "something behind": line("ssh-ed25519", ED25519, b"x"),
    "not on the curve": line("ecdsa-sha2-nistp256", b"nistp256", P256[:-1] + bytes([P256[-1] ^ 1])),
    "another curve": line("ecdsa-sha2-nistp256", b"nistp384", P256),
    "for another use": line("sk-ssh-ed25519@openssh.com", ED25519, b"https://example.com"),
    "dsa": line("ssh-dss", b"\x01", b"\x01", b"\x01", b"\x01"),
    "rsa of small exponent": line("ssh-rsa", b"\x03", b"\x00" + b"\xff" * 384),
    "rsa below zero": line("ssh-rsa", b"\x01\x00\x01", b"\xff" * 384),
    "nothing but its kind": line("ssh-ed25519"),
    "a token's, nothing but its kind": line("sk-ssh-ed25519@openssh.com"),
    "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA ana",
    "private": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "too long": GOOD + "x" * 10_000,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_plain_strong_key_is_refused(what: str) -> None:
    with pytest.raises(SshKeyError):
        parse_key(REFUSED[what])


@given(st.text() | st.binary().map(lambda blob: f"ssh-ed25519 {base64.b64encode(blob).decode()}"))
def test_no_line_whatever_raises_anything_else(text: str) -> None:
    with suppress(SshKeyError):
        parse_key(text)


@given(
    st.sampled_from(sorted(KNOWN_KINDS)),
    st.lists(st.binary(max_size=70) | st.sampled_from([b"nistp256", b"ssh:", P256, ED25519])),
)
def test_no_key_of_any_parts_raises_anything_else(kind: str, parts: list[bytes]) -> None:
    with suppress(SshKeyError):
        parse_key(line(kind, *parts))


def test_a_short_rsa_key_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(SshKeyError, match="3072 bits or more: make one of kind ed25519"):
        parse_key(make(tmp_path, "rsa", "2048"))


def test_a_key_is_kept_once_whatever_its_comment() -> None:
    assert [key.comment for key in parse_keys([GOOD, GOOD + " again"])] == ["ana"]


@pytest.mark.parametrize("name", ["a b", 'x" command="id', "", "a,b", "x\ny", "é"], ids=ascii)
def test_a_principal_carries_no_options(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a principal"):
        principal_names([name])


def test_files_are_for_sshd_to_read(tmp_path: Path) -> None:
    AccessFiles(tmp_path / "access").write(AccessConfig((GOOD,), (), ("room-admin", "ana@example.com")))
    assert (tmp_path / "access/authorized_keys").read_text() == f"{GOOD}\n"
    assert (tmp_path / "access/authorities").read_text() == ""
    assert (tmp_path / "access/principals").read_text() == "room-admin\nana@example.com\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = AccessFiles(tmp_path / "file" / "access")
    files.write(AccessConfig((GOOD,)))
    assert "the admins' keys cannot be stored" in files.problem


@pytest.mark.parametrize(
    ("access", "lets_in"),
    [
        (AccessConfig(), False),
        (AccessConfig((GOOD,)), True),
        (AccessConfig((), (GOOD,)), True),
        (AccessConfig((), (GOOD,), ()), False),
    ],
)
def test_a_way_in_is_a_key_or_an_authority_with_principals(access: AccessConfig, lets_in: bool) -> None:
    assert access.lets_anybody_in is lets_in
