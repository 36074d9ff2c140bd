"""The README's walk-through, run as it stands there: its commands, its output."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.demo.bare_room import READY

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
SECTION = "## A room in three commands"
DEADLINE_S = 60.0
VARYING = (
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DATE"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"CA [0-9a-f]{6}\b", "CA HEX"),
    (r"\d+ days left", "N days left"),
)
"""What is another at each run."""


def walk_through() -> list[tuple[str, str]]:
    """The commands of the README's section, each with what it says."""
    section = (ROOT / "README.md").read_text().split(SECTION, 1)[1].split("\n## ", 1)[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in found]


def without_what_varies(text: str) -> str:
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text.strip()


@asynccontextmanager
async def bare_room(folder: Path) -> AsyncIterator[None]:
    """`make room`, in another folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.demo.bare_room"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *sys.path)))},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            line = await process.stdout.readline()
        assert READY in line.decode()
        async with asyncio.timeout(DEADLINE_S):
            while b"Ctrl-C" not in line:
                line = await process.stdout.readline()
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()
    assert process.returncode == 0


async def say(command: str, folder: Path) -> str:
    """What the command says: steps, then the answer. SSH may deliver the end of the two in either order."""
    process = await asyncio.create_subprocess_shell(
        command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return err.decode() + out.decode()


async def test_a_room_that_is_reset_comes_back_as_a_new_one_for_whom_the_image_knows(tmp_path: Path) -> None:
    ssh = "ssh -F build/room/ssh_config room"
    async with bare_room(tmp_path):
        serial = json.loads(await say(f"{ssh} status --json", tmp_path))["device"]["serial"]
        await say(f"{ssh} config set acme.email it@example.com", tmp_path)
        await say(f"{ssh} factory-reset --confirm {serial}", tmp_path)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                with suppress(AssertionError):
                    told = await say(f"{ssh} config get acme", tmp_path)
                    assert re.search(r"^acme.email +default$", told, re.MULTILINE)
                    break
                await asyncio.sleep(0.2)


async def test_a_new_admin_who_follows_the_readme_has_a_verified_room_after_three_commands(
    tmp_path: Path,
) -> None:
    steps = walk_through()
    assert len(steps) == 3
    async with bare_room(tmp_path):
        for command, promised in steps:
            assert without_what_varies(await say(command, tmp_path)) == without_what_varies(promised)
    assert not (tmp_path / "build/room").exists()
