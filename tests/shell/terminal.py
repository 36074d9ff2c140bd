"""A person at the prompt: types into a terminal over SSH, and reads what appears."""

import asyncio
import re
from typing import Any, Self

from tests.shell.connecting import connect
from tests.shell.sshd import Sshd

DEADLINE_S = 20.0
PROMPT = re.compile(r"(?:^|\n)[^\r\n>]*> $")
NEXT_PROMPT = re.compile(r"\n[^\r\n>]*> $")
# Colours, bracketed paste and erasures: how it looks is not what it says.
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """An interactive session, as long as its `async with`."""

    def __init__(self, sshd: Sshd) -> None:
        self._connecting = connect(sshd)
        self._process: Any = None

    async def __aenter__(self) -> Self:
        connection = await self._connecting.__aenter__()
        self._process = await connection.create_process(term_type="xterm", term_size=(100, 40))
        self.greeting = await self.read()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._process.close()
        await self._connecting.__aexit__(None, None, None)

    def type(self, keys: str) -> None:
        """Press keys."""
        self._process.stdin.write(keys)

    async def read(self, until: str | re.Pattern[str] = PROMPT) -> str:
        """What appears up to a pattern; by default, up to a new prompt."""
        pattern = re.compile(until) if isinstance(until, str) else until
        seen = ""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not pattern.search(seen):
                    new = await self._process.stdout.read(4096)
                    assert new, f"the session ended after {seen!r}"
                    seen = _CONTROLS.sub("", seen + new)
        except TimeoutError:
            raise AssertionError(f"{pattern.pattern} did not come; what came is {seen!r}") from None
        return seen

    async def say(self, line: str) -> str:
        """Type a line; what appears before the next prompt."""
        self.type(line + "\r")
        return await self.read(NEXT_PROMPT)

    async def ended(self) -> tuple[int | None, str]:
        """Wait until the session ends: exit code, and what appeared last."""
        async with asyncio.timeout(DEADLINE_S):
            done = await self._process.wait()
        return done.exit_status, _CONTROLS.sub("", done.stdout)
