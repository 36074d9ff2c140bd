"""The only file here that knows the D-Bus library: the room's properties, verbs and signals.

The library is imported when a command needs the room: help and usage errors come without it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from types import ModuleType
from typing import Any, Self

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.model import (
    Device,
    Hardware,
    Identity,
    Meeting,
    Policy,
    RoomView,
    Trust,
    View,
    field_name,
    read,
)

NAME = "org.conclave.Room1"
PATH = "/org/conclave/Room1"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
ERROR_PREFIX = NAME + ".Error."
READ_WITHIN_S = 10.0
# The room reaches out to a service within a verb: longer than its own deadlines.
ACT_WITHIN_S = 60.0
MAX_WAITING_SIGNALS = 4096
MAX_AUTH_LINE = 4096
# The library has this address to itself.
SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket"

NOT_RUNNING = {
    BUS + ".Error.ServiceUnknown",
    BUS + ".Error.NameHasNoOwner",
    BUS + ".Error.NoReply",
    BUS + ".Error.Disconnected",
}
# The bus answers with these in the room's place.
BY_BUS = {
    BUS + ".Error.AccessDenied": ErrorKind.NOT_PERMITTED,
    BUS + ".Error.AuthFailed": ErrorKind.NOT_PERMITTED,
    BUS + ".Error.InvalidArgs": ErrorKind.INVALID_ARGUMENT,
}


def _why(error: Exception) -> str:
    """Why there is no bus, without the number that the system has for it."""
    return (error.strerror or "" if isinstance(error, OSError) else "") or str(error) or "no answer"


def _gone() -> CommandError:
    return CommandError(ErrorKind.NOT_RUNNING, "conclaved has stopped")


def error_of(name: str, text: str) -> CommandError:
    """Return the error that a D-Bus error means: the room's text is a message, then a line of hint."""
    message, _, hint = text.partition("\n")
    if name.startswith(ERROR_PREFIX):
        values = {kind.value: kind for kind in ErrorKind}
        kind = values.get(name.removeprefix(ERROR_PREFIX), ErrorKind.FAILED)
        return CommandError(kind, message or "the room refused", hint=hint)
    if name in NOT_RUNNING:
        return CommandError(ErrorKind.NOT_RUNNING, "conclaved is not running")
    if BY_BUS.get(name) is ErrorKind.NOT_PERMITTED:
        return CommandError(ErrorKind.NOT_PERMITTED, "this user may not talk to the room")
    kind = BY_BUS.get(name, ErrorKind.FAILED)
    return CommandError(kind, f"the room does not understand: {message or name}")


class RoomClient:
    """The room on a bus. Made by `open`, ended by `close`."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        # What PropertiesChanged says, by interface; None when the room has gone.
        self._signals: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue(MAX_WAITING_SIGNALS)
        self._is_listening = False
        self._is_introduced = False
        self._watcher = asyncio.create_task(self._watch())

    @classmethod
    async def open(cls, address: str | None) -> Self:
        """Connect to the bus at `address`; None means the system bus. Raises CommandError."""
        # The library imports its GLib half as well, and with it all of PyGObject where that is installed.
        sys.modules.setdefault("dbus_next.glib", ModuleType("dbus_next.glib"))
        from dbus_next.aio.message_bus import MessageBus
        from dbus_next.constants import BusType

        class Bus(MessageBus):
            """The library's bus, but for its endless loop when the bus hangs up during authentication."""

            async def _auth_readline(self) -> str:
                line = b""
                while not line.endswith(b"\r\n"):
                    byte = await self._loop.sock_recv(self._sock, 1)
                    if not byte or len(line) > MAX_AUTH_LINE:
                        raise ConnectionError("it hung up during authentication")
                    line += byte
                return line[:-2].decode("ascii", "replace")

        where = address or os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM_BUS
        # The library connects in its constructor and forgets the socket when that fails.
        bus = Bus.__new__(Bus)
        try:
            Bus.__init__(bus, bus_address=address or "", bus_type=BusType.SYSTEM)
            async with asyncio.timeout(READ_WITHIN_S):
                await bus.connect()
        # The library's own errors have no common root; whichever it is, there is no bus for us.
        except Exception as error:
            _release(bus)
            raise CommandError(
                ErrorKind.NOT_RUNNING,
                f"no D-Bus at {where}: {_why(error)}",
                hint="on another machine: ssh admin@ROOM ...; else set CONCLAVE_BUS or use --bus",
            ) from error
        client = cls(bus)
        bus.add_message_handler(client._on_message)
        return client

    async def close(self) -> None:
        """End the connection."""
        if self._bus.connected:
            self._bus.disconnect()
        await self._watcher
        _release(self._bus)

    async def read(self, view: type[View]) -> View:
        """Return the present state of one interface. Raises CommandError."""
        return read(view, await self._values(view.INTERFACE))

    async def read_all(self) -> RoomView:
        """Return the present state of everything."""
        return RoomView(
            device=await self.read(Device),
            identity=await self.read(Identity),
            trust=await self.read(Trust),
            policy=await self.read(Policy),
            meeting=await self.read(Meeting),
            hardware=await self.read(Hardware),
        )

    async def act(
        self,
        interface: str,
        member: str,
        signature: str = "",
        *arguments: Any,
        options: Mapping[str, Any] | None = None,
        within_s: float = ACT_WITHIN_S,
    ) -> list[Any]:
        """Use a verb. `options` become the trailing a{sv}. Raises CommandError."""
        from dbus_next.signature import Variant

        await self._introduce()
        values = list(arguments)
        if options is not None:
            signature += "a{sv}"
            values.append({k: Variant(_signature(v), _listed(v)) for k, v in options.items()})
        return await self._call(
            NAME, PATH, f"{NAME}.{interface}", member, signature, values, within_s=within_s
        )

    async def _introduce(self) -> None:
        """Say for the record where the admin comes from, once, if the restricted shell knows."""
        origin = os.environ.get("CONCLAVE_ORIGIN")
        if self._is_introduced or not origin:
            return
        self._is_introduced = True
        # A daemon that does not know the method, or this user, answers the verb itself all the same.
        with contextlib.suppress(CommandError):
            await self._call(NAME, PATH, f"{NAME}.Device", "Introduce", "s", [origin])

    async def listen(self) -> None:
        """Hear of changes from now on: before the verb whose effect is waited for."""
        rules = (
            f"type='signal',sender='{NAME}',interface='{PROPERTIES}',path='{PATH}'",
            f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{NAME}'",
        )
        for rule in rules:
            await self._call(BUS, BUS_PATH, BUS, "AddMatch", "s", [rule])
        self._is_listening = True

    async def changes(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield (interface, changed fields by name) after `listen`.

        Raises CommandError when the room goes.
        """
        while True:
            signal = await self._signals.get()
            if signal is None:
                raise _gone()
            yield signal

    async def states(self, view: type[View]) -> AsyncIterator[View]:
        """Yield the present state of one interface, then each later one, after `listen`."""
        values = await self._values(view.INTERFACE)
        yield read(view, values)
        async for interface, changed in self.changes():
            if interface == view.INTERFACE:
                values |= changed
                yield read(view, values)

    async def _values(self, interface: str) -> dict[str, Any]:
        (values,) = await self._call(NAME, PATH, PROPERTIES, "GetAll", "s", [f"{NAME}.{interface}"])
        return {field_name(name): value for name, value in values.items()}

    async def _call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str,
        values: list[Any],
        within_s: float = READ_WITHIN_S,
    ) -> list[Any]:
        from dbus_next.constants import MessageType
        from dbus_next.message import Message

        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=values,
        )
        try:
            async with asyncio.timeout(within_s):
                reply = await self._bus.call(message)
        except TimeoutError as error:
            raise CommandError(ErrorKind.TIMED_OUT, "the room does not answer") from error
        except (OSError, EOFError) as error:
            raise _gone() from error
        if reply is None:
            raise _gone()
        if reply.message_type is MessageType.ERROR:
            raise error_of(str(reply.error_name), str(reply.body[0]) if reply.body else "")
        return [_plain(value) for value in reply.body]

    async def _watch(self) -> None:
        try:
            await self._bus.wait_for_disconnect()
        except (OSError, EOFError):
            # Whoever waits is told by the end of the signals, whoever calls by the call.
            pass
        finally:
            self._put(None)

    def _on_message(self, message: Any) -> bool:
        from dbus_next.constants import MessageType

        if message.message_type is not MessageType.SIGNAL or not self._is_listening:
            return False
        if message.member == "PropertiesChanged" and message.path == PATH:
            interface, changed, _ = message.body
            fields = {field_name(name): _plain(value) for name, value in changed.items()}
            self._put((interface.removeprefix(NAME + "."), fields))
        elif message.member == "NameOwnerChanged" and message.body[0] == NAME and not message.body[2]:
            self._put(None)
        return False

    def _put(self, signal: tuple[str, dict[str, Any]] | None) -> None:
        if self._signals.full():
            # Who does not read for so long has lost track: better told than silently behind.
            while not self._signals.empty():
                self._signals.get_nowait()
            signal = None
        self._signals.put_nowait(signal)


def _release(bus: Any) -> None:
    """Close what the library leaves open."""
    for attribute in ("_stream", "_sock"):
        resource = getattr(bus, attribute, None)
        if resource is not None:
            try:
                resource.close()
            except OSError:
                # Unwritten bytes for a bus that is not there: nothing to be done about them.
                continue


def _signature(value: str | bool | int | tuple[str, ...]) -> str:
    # bool before int: it is one.
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int):
        return "x"
    return "s" if isinstance(value, str) else "as"


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    from dbus_next.signature import Variant

    if isinstance(value, Variant):
        return _plain(value.value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
