"""A client on the bus, made of the library's messages alone: nothing of the daemon's own code."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from dbus_next.aio.message_bus import MessageBus
from dbus_next.auth import AuthExternal
from dbus_next.constants import BusType, MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

OBJECT = "/org/conclave/Room1"
NAME = "org.conclave.Room1"
DEADLINE_S = 10.0


class PeerError(Exception):
    """A D-Bus error, as a client sees it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class _As(AuthExternal):
    def __init__(self, uid: int) -> None:
        self._uid = uid
        self.negotiate_unix_fd = False

    def _authentication_start(self, negotiate_unix_fd: bool = False) -> str:
        return "AUTH EXTERNAL " + str(self._uid).encode().hex()


@contextmanager
def acting_as(uid: int, gid: int, groups: list[int]) -> Iterator[None]:
    """Be another user for as long as it takes to connect a socket: the kernel notes who that was."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


class Peer:
    """One client. Every PropertiesChanged it hears is in `heard`."""

    def __init__(self, bus: MessageBus) -> None:
        # The library's types are half there: less than none.
        self._bus: Any = bus
        self.heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        bus.add_message_handler(self._on_message)

    @classmethod
    async def connect(cls, address: str, *, uid: int | None = None, groups: tuple[int, ...] = ()) -> Self:
        if uid is None:
            bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
        else:
            with acting_as(uid, groups[0] if groups else uid, list(groups)):
                bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM, auth=_As(uid))
        async with asyncio.timeout(DEADLINE_S):
            await bus.connect()
        return cls(bus)

    async def close(self) -> None:
        self._bus.disconnect()
        async with asyncio.timeout(DEADLINE_S):
            await self._bus.wait_for_disconnect()
        self._bus._stream.close()
        self._bus._sock.close()

    async def call(
        self,
        interface: str,
        member: str,
        signature: str = "",
        *arguments: Any,
        path: str = OBJECT,
        destination: str = NAME,
    ) -> list[Any]:
        """Call a method; the values of the answer, variants left as they are. Raises PeerError."""
        message = Message(
            destination=destination,
            path=path,
            interface=interface or None,  # type: ignore[arg-type]  # the library's hint is too narrow
            member=member,
            signature=signature,
            body=list(arguments),
        )
        async with asyncio.timeout(DEADLINE_S):
            reply = await self._bus.call(message)
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise PeerError(str(reply.error_name), str(reply.body[0]) if reply.body else "")
        return list(reply.body)

    async def get_all(self, interface: str) -> dict[str, Variant]:
        (values,) = await self.call("org.freedesktop.DBus.Properties", "GetAll", "s", f"{NAME}.{interface}")
        assert isinstance(values, dict)
        return values

    async def get(self, interface: str, name: str) -> Any:
        (value,) = await self.call(
            "org.freedesktop.DBus.Properties", "Get", "ss", f"{NAME}.{interface}", name
        )
        return value.value

    async def set_flag(self, interface: str, name: str, value: bool) -> None:
        """Set a property to a boolean. Raises PeerError, as no property of the room can be set."""
        of = f"{NAME}.{interface}"
        flag = Variant("b", value)
        await self.call("org.freedesktop.DBus.Properties", "Set", "ssv", of, name, flag)

    async def listen(self) -> None:
        """Ask for every PropertiesChanged on the bus."""
        await self.call(
            "org.freedesktop.DBus",
            "AddMatch",
            "s",
            "type='signal',interface='org.freedesktop.DBus.Properties'",
            path="/org/freedesktop/DBus",
            destination="org.freedesktop.DBus",
        )

    async def next_heard(self) -> tuple[str, dict[str, Any]]:
        async with asyncio.timeout(DEADLINE_S):
            return await self.heard.get()

    async def ping(self) -> None:
        """A barrier: what the room sent before it answers has arrived here."""
        await self.call("org.freedesktop.DBus.Peer", "Ping")

    async def ping_bus(self) -> None:
        """A barrier with the bus itself, for who may not call the room."""
        await self.call(
            "org.freedesktop.DBus", "GetId", path="/org/freedesktop/DBus", destination="org.freedesktop.DBus"
        )

    def _on_message(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL and message.member == "PropertiesChanged":
            interface, changed, _ = message.body
            self.heard.put_nowait((interface, {name: value.value for name, value in changed.items()}))
        return False


def plain(value: Any) -> Any:
    """Open the variants in a value."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
