"""A hub in this process, and bare clients of it: real TLS, real WebSocket, loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from conclaved.conference import wire
from conclaved.conference.hub import Hub, server_context
from conclaved.conference.hub_client import client_context
from tests.pki import TestAuthority

DEADLINE_S = 20
ADDRESS = bytes(range(32))

M = TypeVar("M", bound=wire.Message)


@dataclass(frozen=True, slots=True)
class Tls:
    """A hub's certificate, and what a device must trust to believe it."""

    server: ssl.SSLContext
    device: ssl.SSLContext
    authority: Path


def make_tls(folder: Path, *, dns: str = "localhost", ip: str = "127.0.0.1") -> Tls:
    """A certificate of an authority of its own for these names."""
    folder.mkdir(exist_ok=True)
    operator = TestAuthority("Hub operator")
    certificate, key = operator.server_files(folder, dns=[dns], ips=[ip])
    authority = folder / "ca.pem"
    authority.write_text(operator.root_pem)
    return Tls(server_context(certificate, key), client_context(authority), authority)


@asynccontextmanager
async def listening(hub: Hub, tls: Tls, port: int = 0) -> AsyncIterator[str]:
    """The address of a hub that listens."""
    taken = await hub.start("127.0.0.1", port, tls.server)
    try:
        yield f"wss://127.0.0.1:{taken}"
    finally:
        await hub.close()


@dataclass(eq=False)
class Device:
    """A client that says exactly what a test wants said."""

    connection: ClientConnection
    heard: list[wire.Message] = field(default_factory=list)

    async def say(self, *messages: wire.ToHub) -> None:
        for message in messages:
            await self.connection.send(wire.encode(message))

    async def hear(self, kind: type[M]) -> M:
        """The next message of that kind; what comes before it is kept in `heard`."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = wire.decode(await self.connection.recv())
                if isinstance(message, kind):
                    return message
                self.heard.append(message)

    async def barrier(self) -> None:
        """Return when the hub has done all that this device said before."""
        await self.say(wire.OpenMedia())
        await self.hear(wire.MediaPlace)

    async def until_closed(self) -> int | None:
        """Read to the end. Returns the code with which the hub closed; None for none."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                while True:
                    self.heard.append(wire.decode(await self.connection.recv()))
            except ConnectionClosed as error:
                return None if error.rcvd is None else error.rcvd.code

    def refusal(self) -> str:
        """Why the hub refused, in its words."""
        return next((m.reason for m in self.heard if isinstance(m, wire.Refused)), "")


@asynccontextmanager
async def bare(service: str, tls: Tls, **options: int) -> AsyncIterator[Device]:
    """A connection on which nothing has been said yet."""
    async with connect(service, ssl=tls.device, compression=None, proxy=None, **options) as connection:  # type: ignore[arg-type]
        yield Device(connection)


@asynccontextmanager
async def device(service: str, tls: Tls, address: bytes = ADDRESS) -> AsyncIterator[Device]:
    """A client at a meeting's address; its `Ready` is in `heard`."""
    async with bare(service, tls) as made:
        await made.say(wire.Hello(wire.VERSION, address))
        made.heard.append(await made.hear(wire.Ready))
        yield made
