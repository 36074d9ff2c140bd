"""What an SSH connection can ask for beside a command: all of it is refused by sshd's settings."""

import json
import os
from pathlib import Path

import asyncssh
import pytest

from tests.bus.fake_room import FakeRoom
from tests.shell.connecting import connect
from tests.shell.sshd import USER, Sshd, make_key, run_program

HOSTILE = {
    "LD_PRELOAD": "/nowhere/evil.so",
    "BASH_ENV": "/nowhere/evil.sh",
    "PYTHONPATH": "/nowhere",
    "PYTHONINSPECT": "1",
    "CONCLAVE_DEBUG": "1",
    "CONCLAVE_BUS": "unix:path=/nowhere",
    "CONCLAVE_ORIGIN": "somebody-else",
    "_CONCLAVECTL_COMPLETE": "bash_source",
    "INPUTRC": "/nowhere/inputrc",
    "PAGER": "id",
    "LESSOPEN": "|id",
    "EDITOR": "id",
    "LC_ALL": "C",
    "TERMINFO": "/nowhere",
}


async def test_no_variable_of_the_client_arrives_even_if_sshd_accepts_all_elsewhere(sshd: Sshd) -> None:
    # ssh takes the first SetEnv only: one with all of them.
    options = ["-o", "SetEnv=" + " ".join(f"{name}={value}" for name, value in HOSTILE.items())]
    code, _, err = await sshd.ssh("status", options=tuple(options))
    assert (code, err) == (0, "")
    seen = json.loads(sshd.seen.read_text())
    assert not {f"{name}={value}" for name, value in HOSTILE.items()} & {f"{n}={v}" for n, v in seen.items()}


async def test_what_arrives_all_the_same_changes_nothing(sshd: Sshd) -> None:
    kept = {name: value for name, value in HOSTILE.items() if name != "LD_PRELOAD"}
    code, out, err = await run_program(
        str(sshd.shell), "--bus", sshd.bus, "-c", "status --json", env={**os.environ, **kept}
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["device"]["health"] == "ready"


@pytest.mark.parametrize("options", [[], ["-O"]])
async def test_scp_copies_nothing(sshd: Sshd, tmp_path: Path, options: list[str]) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.write_text("x")
    code, _, _ = await run_program(
        "scp", *sshd.arguments(), *options, "-P", str(sshd.port), str(mine), f"{USER}@127.0.0.1:{theirs}"
    )
    assert code != 0
    assert not theirs.exists()


async def test_sftp_opens_no_session(sshd: Sshd) -> None:
    async with connect(sshd) as connection:
        with pytest.raises((asyncssh.SFTPError, asyncssh.Error)):
            await connection.start_sftp_client()


async def test_a_subsystem_is_answered_by_the_shell(sshd: Sshd) -> None:
    async with connect(sshd) as connection:
        process = await connection.create_process(subsystem="sftp", encoding="utf-8")
        done = await process.wait()
    assert (done.exit_status, done.stdout) == (2, "")


async def test_no_connection_is_made_for_the_client(sshd: Sshd) -> None:
    async with connect(sshd) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", sshd.port)


async def test_no_connection_to_a_socket_is_made_for_the_client(sshd: Sshd) -> None:
    path = sshd.bus.removeprefix("unix:path=")
    async with connect(sshd) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection(path)


async def test_no_port_is_opened_for_the_client(sshd: Sshd) -> None:
    async with connect(sshd) as connection:
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", sshd.port)


async def test_no_socket_is_opened_for_the_client(sshd: Sshd, tmp_path: Path) -> None:
    async with connect(sshd) as connection:
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_path(str(tmp_path / "socket"), str(tmp_path / "other"))
    assert not (tmp_path / "socket").exists()


async def test_openssh_is_told_that_no_port_is_forwarded(sshd: Sshd) -> None:
    code, _, err = await sshd.ssh("status", options=("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"))
    assert code == 255
    assert "remote port forwarding failed" in err


async def test_the_clients_agent_is_not_asked_for(sshd: Sshd) -> None:
    agent = await run_program("ssh-agent", "-s")
    settings = dict(
        line.split(";")[0].split("=", 1) for line in agent[1].splitlines() if line.startswith("SSH_")
    )
    try:
        code, _, err = await run_program(
            "ssh", *sshd.arguments(), "-A", "-p", str(sshd.port), f"{USER}@127.0.0.1", "status",
            env={**os.environ, **settings},
        )  # fmt: skip
    finally:
        await run_program("ssh-agent", "-k", env={**os.environ, **settings})
    assert (code, err) == (0, "")
    assert "SSH_AUTH_SOCK" not in json.loads(sshd.seen.read_text())


async def test_no_x11_is_forwarded(sshd: Sshd) -> None:
    await sshd.ssh("status", options=("-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"))
    assert "DISPLAY" not in json.loads(sshd.seen.read_text())


async def test_another_command_set_by_the_client_is_refused_like_any(sshd: Sshd) -> None:
    code, out, err = await sshd.ssh(options=("-o", "RemoteCommand=id"))
    assert (code, out) == (2, "")
    assert "No such command 'id'" in err


async def test_a_command_with_a_nul_runs_nothing(sshd: Sshd, room: FakeRoom) -> None:
    async with connect(sshd) as connection:
        with pytest.raises((asyncssh.Error, OSError)):
            await connection.run("mute --camera\0 --x", check=True)
    assert room.done == []


async def test_a_certificate_of_the_authority_lets_in(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ana")
    await sshd.certify(key)
    code, _, err = await sshd.ssh("status", key=key)
    assert (code, err) == (0, "")


async def test_the_key_without_its_certificate_does_not(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ana")
    code, _, err = await sshd.ssh("status", key=key)
    assert code == 255
    assert "Permission denied (publickey)" in err


async def test_a_certificate_for_another_principal_does_not(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ana")
    await sshd.certify(key, principals=f"{USER},database-admin")
    code, _, err = await sshd.ssh("status", key=key)
    assert code == 255
    assert "Permission denied" in err


async def test_asyncssh_comes_in_by_certificate_too(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ana")
    await sshd.certify(key)
    async with connect(sshd, key=(str(key), f"{key}-cert.pub")) as connection:
        done = await connection.run("policy show --json")
    assert done.exit_status == 0
    assert json.loads(str(done.stdout))["schema"] == 1
