"""Root's hands inside a machine: scripts over a port of the virtual machine, run by `layer/`'s console.

Only the image of the tests has the other end (conclave-test-console.service).
"""

import asyncio
import base64
import contextlib
from dataclasses import dataclass
from pathlib import Path

ANSWER_S = 60.0
_GRACE_S = 30.0
"""What the answer may come later than the script's own limit: the machine is emulated."""


class RootError(Exception):
    """A script failed, or nobody answers."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a program has done."""

    code: int
    out: str
    err: str


class RootConsole:
    """The host's end. Scripts run one after the other; none is heard before the machine's end is there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0
        self._one_script = asyncio.Lock()

    @classmethod
    async def connect(cls, path: Path) -> "RootConsole":
        """Raises OSError while QEMU does not listen yet."""
        return cls(*await asyncio.open_unix_connection(path, limit=2**26))

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def run(self, script: str, *, timeout_s: float = ANSWER_S) -> str:
        """What a POSIX shell's script, run as root, says on stdout. Raises RootError if it fails."""
        done = await self.try_run(script, timeout_s=timeout_s)
        if done.code != 0:
            raise RootError(f"{script!r}: exit {done.code}: {done.out[-1000:]} {done.err[-1000:]}")
        return done.out

    async def try_run(self, script: str, *, timeout_s: float = ANSWER_S) -> Done:
        """Run it, whatever its exit code; 124 says that it took longer than `timeout_s`. Raises RootError."""
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S), self._one_script:
                return await self._ask(script, timeout_s)
        except TimeoutError as error:
            raise RootError(f"the machine's root console does not answer; asked: {script!r}") from error
        except OSError as error:
            raise RootError("the machine has ended") from error

    async def until_it_answers(self, timeout_s: float) -> None:
        """Wait for a machine that starts. Raises RootError."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    # What is asked before a machine starts anew is lost with it.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_GRACE_S), self._one_script:
                            await self._ask("true", _GRACE_S)
                            return
        except TimeoutError as error:
            raise RootError(f"no root console after {timeout_s:g} s") from error
        except OSError as error:
            raise RootError("the machine has ended") from error

    async def _ask(self, script: str, timeout_s: float) -> Done:
        self._number += 1
        mine = self._number
        packed = base64.b64encode(script.encode()).decode()
        self._writer.write(f"{mine} {timeout_s:g} .{packed}\n".encode())
        await self._writer.drain()
        while True:
            line = await self._reader.readline()
            if not line:
                raise ConnectionError("closed")
            words = line.split()
            # Answers to what nobody waits for any more come first; a line may be cut off by a restart.
            if len(words) == 4 and words[0] == str(mine).encode():
                return Done(int(words[1]), _unpacked(words[2]), _unpacked(words[3]))


def _unpacked(word: bytes) -> str:
    return base64.b64decode(word[1:]).decode(errors="replace")
