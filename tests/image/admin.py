"""An admin at a desk: commands over SSH, as the account `admin` of the device."""

import asyncio
import contextlib
import json
import shlex
from pathlib import Path
from typing import Any

import asyncssh

from tests.image.console import Done

USER = "admin"
COMMAND_S = 180.0
CONNECT_S = 60.0


class AdminError(Exception):
    """A command was refused or failed; the device's own words are in the message."""


class Admin:
    """Commands of `conclavectl` over one SSH connection, made when it is first needed and when it broke."""

    def __init__(self, port: int, key: Path) -> None:
        self.port = port
        self.key = key
        self._connection: asyncssh.SSHClientConnection | None = None

    async def ctl(self, *words: str, stdin: str = "", timeout_s: float = COMMAND_S) -> Any:
        """Run `conclavectl WORDS --json` there; its JSON. Raises AdminError."""
        done = await self.run(shlex.join([*words, "--json"]), stdin=stdin, timeout_s=timeout_s)
        if done.code != 0:
            raise AdminError(f"conclavectl {' '.join(words[:2])}: exit {done.code}: {done.out} {done.err}")
        return json.loads(done.out)

    async def run(self, command: str, *, stdin: str = "", timeout_s: float = COMMAND_S) -> Done:
        """Run a command line there, whatever its exit code. Raises AdminError if nobody answers."""
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.connection()
                done = await connection.run(command, input=stdin, encoding="utf-8", errors="replace")
        except (TimeoutError, OSError, asyncssh.Error) as error:
            await self.close()
            raise AdminError(f"ssh {command[:60]}: {type(error).__name__}: {error}") from error
        code = -1 if done.exit_status is None else done.exit_status
        return Done(code, str(done.stdout or ""), str(done.stderr or ""))

    async def until_answers(self, timeout_s: float = 300.0) -> Any:
        """Wait until the daemon answers, and return its `status`. Raises AdminError with the last refusal."""
        last = ""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        return await self.ctl("status")
                    except AdminError as error:
                        last = str(error)
                        await asyncio.sleep(0.5)
        except TimeoutError as error:
            raise AdminError(f"no status after {timeout_s:g} s; last: {last}") from error

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The connection itself, for what is no command. Raises OSError, asyncssh.Error."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncssh.connect(
                "127.0.0.1",
                self.port,
                username=USER,
                client_keys=[(str(self.key), None)],
                known_hosts=None,
                config=[],
                agent_path=None,
                connect_timeout=CONNECT_S,
                login_timeout=CONNECT_S,
            )
        return self._connection

    async def close(self) -> None:
        """Hang up; the next command connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
            with contextlib.suppress(OSError, asyncssh.Error):
                await connection.wait_closed()

    def arguments(self, key: Path | None = None) -> list[str]:
        """Options of OpenSSH's own programs that make them believe this device and use one key."""
        return [
            *("-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"),
            *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", f"ConnectTimeout={CONNECT_S:.0f}", "-i", str(key or self.key)),
        ]
