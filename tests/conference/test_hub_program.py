"""The hub as a program: what it cannot do as told, it says in one line."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from tests.conference.hubs import DEADLINE_S
from tests.pki import TestAuthority


async def hub(*words: str) -> tuple[int | None, str]:
    """Run it to its end. Returns its exit code, and what it said of its failure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "conclaved.conference.hub",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    return process.returncode, err.decode()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hub-program")
    certificate, key = TestAuthority("Hub operator").server_files(folder)
    (folder / "nonsense").write_text("nonsense")
    (folder / "other").mkdir()
    _, other_key = TestAuthority("Somebody").server_files(folder / "other")
    return {"cert": certificate, "key": key, "nonsense": folder / "nonsense", "other key": other_key}


WRONG: dict[str, tuple[str, str, str, str]] = {
    "no certificate": ("127.0.0.1:0", "/nowhere/hub.pem", "key", "--cert /nowhere/hub.pem cannot be read"),
    "no key": ("127.0.0.1:0", "cert", "/nowhere/hub.key", "--key /nowhere/hub.key cannot be read"),
    "a certificate that is none": ("127.0.0.1:0", "nonsense", "key", "are not a certificate and its key"),
    "a key that is none": ("127.0.0.1:0", "cert", "nonsense", "are not a certificate and its key"),
    "another's key": ("127.0.0.1:0", "cert", "other key", "are not a certificate and its key"),
    "no port": ("127.0.0.1", "cert", "key", "--listen 127.0.0.1 is not HOST:PORT"),
    "no host": (":8443", "cert", "key", "--listen :8443 is not HOST:PORT"),
    "no such port": ("127.0.0.1:65536", "cert", "key", "--listen 127.0.0.1:65536 is not HOST:PORT"),
    "no number": ("127.0.0.1:https", "cert", "key", "--listen 127.0.0.1:https is not HOST:PORT"),
    "no name": ("a..b:0", "cert", "key", "cannot listen on a..b:0"),
    "not an address of this machine": ("192.0.2.1:0", "cert", "key", "cannot listen on 192.0.2.1:0"),
}


@pytest.mark.parametrize(("listen", "cert", "key", "says"), WRONG.values(), ids=WRONG.keys())
async def test_what_it_cannot_do_as_told_is_one_line_and_exit_code_2(
    files: dict[str, Path], listen: str, cert: str, key: str, says: str
) -> None:
    certificate, key_file = files.get(cert, Path(cert)), files.get(key, Path(key))
    code, said = await hub("--listen", listen, "--cert", str(certificate), "--key", str(key_file))
    assert code == 2
    assert says in said
    assert len(said.splitlines()) == 1, said


async def test_a_state_directory_that_is_none_is_one_line_and_exit_code_2(files: dict[str, Path]) -> None:
    listen = ("--listen", "127.0.0.1:0", "--cert", str(files["cert"]), "--key", str(files["key"]))
    code, said = await hub(*listen, "--state", str(files["nonsense"]))
    assert code == 2
    assert f"{files['nonsense']}, cannot be used" in said
    assert len(said.splitlines()) == 1, said


async def test_a_port_that_is_taken_is_one_line_and_exit_code_2(files: dict[str, Path]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await hub("--listen", listen, "--cert", str(files["cert"]), "--key", str(files["key"]))
    assert code == 2
    assert f"cannot listen on {listen}" in said
    assert len(said.splitlines()) == 1, said
