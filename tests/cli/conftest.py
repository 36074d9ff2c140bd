"""The real `conclavectl` in a process of its own, on a private bus with a fake room."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom

PROGRAM = Path(sys.executable).parent / "conclavectl"
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of the program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


class Cli:
    """Runs the program against one bus."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def start(self, *words: str, stdin: bytes | None = None) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM),
            *words,
            env={**os.environ, "CONCLAVE_BUS": self.address, "COLUMNS": "80", "NO_COLOR": ""},
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        if stdin is not None:
            assert process.stdin is not None
            process.stdin.write(stdin)
            process.stdin.close()
        return process

    async def __call__(self, *words: str, stdin: bytes | None = None) -> Result:
        return await self.end(await self.start(*words, stdin=stdin))

    async def end(self, process: asyncio.subprocess.Process) -> Result:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())


@pytest_asyncio.fixture(loop_scope="function")
async def bus() -> AsyncIterator[PrivateBus]:
    async with PrivateBus() as private:
        yield private


@pytest_asyncio.fixture(loop_scope="function")
async def cli(bus: PrivateBus) -> Cli:
    return Cli(bus.address)


@pytest_asyncio.fixture(loop_scope="function")
async def room(bus: PrivateBus) -> AsyncIterator[FakeRoom]:
    fake = FakeRoom()
    async with serve(fake, address=bus.address):
        yield fake
