"""asyncssh's client, told to use one key and nothing of this machine's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from tests.shell.sshd import USER, Sshd


@asynccontextmanager
async def connect(sshd: Sshd, key: tuple[str, str | None] | None = None) -> AsyncIterator[Any]:
    """A connection. Without a certificate said, it looks for one beside the key: None says there is none."""
    connection = await asyncssh.connect(
        "127.0.0.1",
        sshd.port,
        username=USER,
        client_keys=[key or (str(sshd.admin), None)],
        known_hosts=None,
        config=[],
        agent_path=None,
    )
    try:
        yield connection
    finally:
        connection.close()
        await connection.wait_closed()
