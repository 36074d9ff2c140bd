"""Logs and the support bundle over SSH, where an admin can start no program and read no file."""

import asyncio
import io
import json
import tarfile

from tests.bus.fake_room import FakeRoom
from tests.shell.sshd import DEADLINE_S, USER, Sshd


async def test_the_log_is_read_by_the_room_for_its_admin(sshd: Sshd) -> None:
    code, out, err = await sshd.ssh("logs", "--since", "-1h")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "2023-11-14 22:13:20  conclaved   enrolled room.example.com"


async def test_a_bundle_comes_by_the_clients_stdout(sshd: Sshd, room: FakeRoom) -> None:
    process = await asyncio.create_subprocess_exec(
        *("ssh", *sshd.arguments(), "-p", str(sshd.port), f"{USER}@127.0.0.1", "support-bundle"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        content, words = await process.communicate()
    assert process.returncode == 0, words.decode()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = {entry.name.partition("/")[2]: entry for entry in tar}
        missing = tar.extractfile(names["missing.json"])
        assert missing is not None
        assert json.loads(missing.read()) == {}
    assert {"status.json", "settings.toml", "logs.jsonl", "doctor.json", "versions.json"} <= set(names)


async def test_settings_come_by_stdin_and_the_document_goes_by_stdout(sshd: Sshd, room: FakeRoom) -> None:
    code, out, _ = await sshd.ssh("config", "get", "--document")
    assert code == 0
    code, _, err = await sshd.ssh("config", "apply", "-", stdin=out.encode())
    assert (code, err) == (0, "")
    assert room.done[-1][:2] == ("apply_config", out)
