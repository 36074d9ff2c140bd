"""Who came, from where and with which key, as OpenSSH itself would name it."""

import base64
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_provisioning.shell.environment import clean
from conclave_provisioning.shell.origin import key_words, origin
from tests.shell.sshd import make_key, run_program

CONNECTION = {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"}
KINDS = ("ed25519", "ecdsa", "rsa")


async def fingerprint_of(path: Path) -> str:
    _, out, _ = await run_program("ssh-keygen", "-lf", str(path))
    return out.split()[1]


def with_auth(folder: Path, line: str) -> dict[str, str]:
    file = folder / "auth"
    file.write_text(line)
    return {**CONNECTION, "SSH_USER_AUTH": str(file)}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_is_named_by_its_fingerprint(tmp_path: Path, kind: str) -> None:
    key = await make_key(tmp_path / "key", kind)
    public = key.with_suffix(".pub").read_text()
    said = origin(with_auth(tmp_path, f"publickey {' '.join(public.split()[:2])}\n"), "admin")
    assert said == f"ssh admin from 192.0.2.7 key {await fingerprint_of(Path(f'{key}.pub'))}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_is_named_by_id_serial_authority_and_key(tmp_path: Path, kind: str) -> None:
    key, authority = await make_key(tmp_path / "key", kind), await make_key(tmp_path / "ca")
    await run_program(
        "ssh-keygen", "-q", "-s", str(authority), "-I", 'ana "x"', "-n", "a,b", "-z", "7", "-O",
        "source-address=192.0.2.0/24", f"{key}.pub",
    )  # fmt: skip
    certificate = (tmp_path / "key-cert.pub").read_text()
    said = origin(with_auth(tmp_path, f"publickey {' '.join(certificate.split()[:2])}\n"), "admin")
    assert said == (
        f'ssh admin from 192.0.2.7 certificate "ana ?x?" serial 7'
        f" of CA {await fingerprint_of(tmp_path / 'ca.pub')}"
        f" key {await fingerprint_of(tmp_path / 'key.pub')}"
    )


@pytest.mark.parametrize(
    "line",
    ["", "publickey", "password", "publickey ssh-ed25519 %%%", "publickey x-cert-v01@openssh.com AAAA"],
)
def test_what_cannot_be_told_is_left_out(tmp_path: Path, line: str) -> None:
    assert origin(with_auth(tmp_path, line), "admin") == "ssh admin from 192.0.2.7"


@given(
    st.sampled_from(["ssh-ed25519-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "ssh-ed25519"]),
    st.lists(st.binary(max_size=40) | st.just(b"ssh-rsa-cert-v01@openssh.com")),
)
def test_no_certificate_whatever_raises(kind: str, parts: list[bytes]) -> None:
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    assert key_words(kind, base64.b64encode(blob).decode()).isprintable()


def test_a_missing_file_is_left_out() -> None:
    assert origin({**CONNECTION, "SSH_USER_AUTH": "/nowhere"}, "admin") == "ssh admin from 192.0.2.7"


def test_an_address_is_one_or_is_not_told() -> None:
    assert origin({"SSH_CONNECTION": "evil\x1b 1 2 3"}, "admin") == "ssh admin from an unknown address"


def test_without_ssh_it_is_the_console() -> None:
    assert origin({}, "admin") == "console admin"


def test_the_environment_is_made_anew() -> None:
    given = {
        "CONCLAVE_BUS": "x",
        "CONCLAVE_DEBUG": "1",
        "PYTHONINSPECT": "1",
        "LESSOPEN": "|id",
        "TERM": "xterm",
    }
    assert set(clean(given, "ssh admin")) == {
        "PATH",
        "LANG",
        "LC_ALL",
        "TERM",
        "INPUTRC",
        "CONCLAVE_SHELL",
        "CONCLAVE_ORIGIN",
    }


@pytest.mark.parametrize("term", ["../../tmp/x", "x\x1b", "", "x" * 40, "a b"], ids=ascii)
def test_a_terminal_with_an_odd_name_is_a_dumb_one(term: str) -> None:
    assert clean({"TERM": term}, "")["TERM"] == "dumb"
