"""The only file that knows the D-Bus library: a connection, calls in and out, values to and fro.

It uses what `dbus-next` and its fork `dbus-fast` have in common, and only their message level. Their service
level hands a handler's traceback to the caller, does not say who called, and broadcasts every property
(`InterfacesAdded`) before the bus name is owned, when the bus's `deny receive_sender` does not apply yet.
So each call is answered here, and the library's own handlers are never reached.

A message with a NUL or with half a surrogate in a string would make the bus cut us off, and names come from
strangers: every string that leaves is cleaned here.
"""

import asyncio
import dataclasses
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, Self

from conclaved.bus.errors import (
    ERROR_PREFIX,
    UNKNOWN_OBJECT,
    BusError,
    BusGoneError,
    BusRefusedError,
    BusTimeoutError,
    CallError,
    NameTakenError,
    answer_to,
)
from conclaved.bus.room import RoomError

# The library imports its GLib half as well, and with it all of PyGObject where that is installed.
sys.modules.setdefault("dbus_next.glib", ModuleType("dbus_next.glib"))

from dbus_next.aio.message_bus import MessageBus  # noqa: E402
from dbus_next.constants import (  # noqa: E402
    BusType,
    MessageFlag,
    MessageType,
    NameFlag,
    RequestNameReply,
)
from dbus_next.message import Message  # noqa: E402
from dbus_next.signature import SignatureTree, Variant  # noqa: E402

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 10.0
# More calls than this at once are refused: each is a task, and anybody on the bus may send them.
MAX_CALLS = 64
# Unique names are never used twice on one bus, so what was learnt about one stays true.
MAX_CALLERS = 256
MAX_AUTH_LINE = 4096

BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"

Encoded = Any
"""A value as the library wants it in a `v`: opaque outside this file."""


@dataclass(frozen=True, slots=True)
class Call:
    """An incoming method call."""

    sender: str
    """Unique name of the caller, set by the bus."""
    path: str
    interface: str
    """Empty if the caller left it out."""
    member: str
    signature: str
    arguments: list[Any] = dataclasses.field(repr=False)
    """Plain values: variants are opened. An invitation's link may be among them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a unique name, as the bus saw it connect."""

    uid: int
    gids: frozenset[int]


class Handler(Protocol):
    """Answers a call with a signature and one plain value for each of its types, or raises
    RoomError or CallError."""

    def __call__(self, call: Call) -> Awaitable[tuple[str, list[Any]]]: ...


def encode(signature: str, value: object) -> Encoded:
    """Return `value` as a variant of one complete type. Accepts tuples, mappings and dataclasses.

    Raises TypeError when the value does not fit the signature.
    """
    return Variant(signature, _to_wire(SignatureTree(signature).types[0], value))


def clean(text: str) -> str:
    """Return `text` with what D-Bus cannot carry (NUL, lone surrogates) as U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _to_wire(kind: Any, value: Any) -> Any:
    # An array's element, a dictionary's key and value.
    inner = [child.token for child in kind.children]
    match kind.token:
        case "s":
            if not isinstance(value, str):
                raise TypeError(f"a string is wanted, not {type(value).__name__}")
            return clean(value)
        case "v":
            return value if isinstance(value, Variant) else _guess(value)
        case "a" if inner == ["y"]:
            return bytes(value)
        case "a" if inner == ["{"]:
            key, item = kind.children[0].children
            return {_to_wire(key, k): _to_wire(item, v) for k, v in _mapping(value).items()}
        case "a":
            return [_to_wire(kind.children[0], item) for item in value]
        case _:
            return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"a dictionary is wanted, not {type(value).__name__}")


def _guess(value: Any) -> Any:
    """The variant of a value in an a{sv}, as the interface's source says."""
    # bool before int: it is one.
    for kind, signature in (
        (bool, "b"),
        (int, "x"),
        (float, "d"),
        (str, "s"),
        (bytes, "ay"),
        (Mapping, "a{sv}"),
    ):
        if isinstance(value, kind):
            return encode(signature, value)
    return encode("as" if isinstance(value, tuple | list) else "a{sv}", value)


def _from_wire(value: Any) -> Any:
    if isinstance(value, Variant):
        return _from_wire(value.value)
    if isinstance(value, list | tuple):
        return [_from_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: _from_wire(item) for key, item in value.items()}
    return value


class _Bus(MessageBus):
    """The library's bus, but for one endless loop: it reads on for ever when the bus hangs up during
    authentication, and blocks the whole event loop with it."""

    async def _auth_readline(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = await self._loop.sock_recv(self._sock, 1)
            if not byte or len(line) > MAX_AUTH_LINE:
                raise ConnectionError("the bus hung up during authentication")
            line += byte
        return line[:-2].decode("ascii", "replace")


async def _nobody(call: Call) -> tuple[str, list[Any]]:
    raise CallError(UNKNOWN_OBJECT, f"there is no object {call.path}")


class Connection:
    """One connection to a bus. Made by `open`, ended by `close`."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self._handler: Handler = _nobody
        self._calls: set[asyncio.Task[None]] = set()
        self._callers: dict[str, Caller] = {}
        self._lost = asyncio.Event()
        self._watcher = asyncio.create_task(self._watch(), name="bus connection")

    def __repr__(self) -> str:
        state = "lost" if self._lost.is_set() else "open"
        return f"<Connection {self._bus.unique_name} {state}, {len(self._calls)} calls>"

    @classmethod
    async def open(cls, address: str | None = None) -> Self:
        """Connect to the bus at `address`; None means the system bus.

        Raises BusGoneError when nobody is there, BusTimeoutError, BusRefusedError when it lets us not in.
        """
        where = address or "the system bus"
        # The library connects in its constructor and forgets the socket when that fails.
        bus = _Bus.__new__(_Bus)
        try:
            # An empty address is how the library is told to look up that of the bus type.
            _Bus.__init__(bus, bus_address=address or "", bus_type=BusType.SYSTEM)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await bus.connect()
        except TimeoutError as error:
            _release(bus)
            raise BusTimeoutError(f"{where} did not answer") from error
        except (OSError, EOFError) as error:
            _release(bus)
            raise BusGoneError(f"no D-Bus at {where}: {error}", hint="start dbus-daemon") from error
        # The library's own errors have no common root.
        except Exception as error:
            _release(bus)
            raise BusRefusedError(f"{where} lets us not in: {error}") from error
        return cls(bus)

    async def own(self, name: str) -> None:
        """Become the owner of a bus name.

        Raises NameTakenError, or BusRefusedError when the bus's policy forbids it.
        """
        flags = int(NameFlag.DO_NOT_QUEUE.value)
        (result,) = await self.call(BUS, BUS_PATH, BUS, "RequestName", "su", [name, flags])
        if result not in (RequestNameReply.PRIMARY_OWNER.value, RequestNameReply.ALREADY_OWNER.value):
            raise NameTakenError(
                f"the bus name {name} is taken by another process",
                hint="is conclaved running already? systemctl status conclaved",
            )

    def serve(self, handler: Handler) -> None:
        """Answer every method call with `handler` from now on. Once a connection."""
        if self._handler is not _nobody:
            raise BusError("this connection is served already")
        self._handler = handler
        self._bus.add_message_handler(self._on_message)

    async def call(
        self, destination: str, path: str, interface: str, member: str, signature: str, arguments: list[Any]
    ) -> list[Any]:
        """Call a method and return the plain values of its answer.

        Raises BusRefusedError with the peer's words, BusTimeoutError after ten seconds, BusGoneError.
        """
        if self._lost.is_set():
            raise BusGoneError("the connection to the bus has ended")
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=arguments,
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reply = await self._bus.call(message)
        except TimeoutError as error:
            raise BusTimeoutError(f"{destination} did not answer {member}") from error
        except (OSError, EOFError) as error:
            raise BusGoneError("the connection to the bus has ended") from error
        if reply is None:
            raise BusGoneError("the connection to the bus has ended")
        if reply.message_type is MessageType.ERROR:
            text = reply.body[0] if reply.body and isinstance(reply.body[0], str) else ""
            words = f"{destination} refused {member}: {reply.error_name}: {text}"
            raise BusRefusedError(words, name=reply.error_name or "")
        return [_from_wire(value) for value in reply.body]

    async def caller(self, unique_name: str) -> Caller:
        """Return who a unique name is.

        Raises BusRefusedError when it has gone, BusTimeoutError, BusGoneError.
        """
        known = self._callers.get(unique_name)
        if known is not None:
            return known
        (found,) = await self.call(BUS, BUS_PATH, BUS, "GetConnectionCredentials", "s", [unique_name])
        if "UnixUserID" not in found:
            raise BusRefusedError(f"the bus does not know the user of {unique_name}")
        caller = Caller(found["UnixUserID"], frozenset(found.get("UnixGroupIDs", ())))
        while len(self._callers) >= MAX_CALLERS:
            self._callers.pop(next(iter(self._callers)))
        self._callers[unique_name] = caller
        return caller

    def emit(self, path: str, interface: str, member: str, signature: str, values: list[Any]) -> None:
        """Broadcast a signal; values as `encode` made them, or plain. A lost connection sends nothing."""
        if not self._lost.is_set():
            self._send(Message.new_signal(path, interface, member, signature, _body(signature, values)))

    async def wait_lost(self) -> None:
        """Return when the connection has ended, by whomever."""
        await self._lost.wait()

    async def close(self) -> None:
        """End calls that are being answered, and the connection. Safe to call twice."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if not self._lost.is_set():
            self._bus.disconnect()
        await self._lost.wait()
        await self._watcher
        _release(self._bus)

    async def _watch(self) -> None:
        try:
            await self._bus.wait_for_disconnect()
        except (OSError, EOFError) as error:
            log.warning("the connection to the bus has ended: %s", error)
        except Exception:
            log.exception("the connection to the bus broke")
        finally:
            self._lost.set()

    def _on_message(self, message: Any) -> bool:
        """Take every method call out of the library's hands."""
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        if len(self._calls) >= MAX_CALLS:
            self._refuse(message, ERROR_PREFIX + "Busy", "too many calls at once\ntry again in a moment")
            return True
        task = asyncio.create_task(self._answer(message), name=f"call {message.member}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return True

    async def _answer(self, message: Any) -> None:
        call = Call(
            sender=message.sender or "",
            path=message.path,
            interface=message.interface or "",
            member=message.member,
            signature=message.signature,
            arguments=[_from_wire(value) for value in message.body],
        )
        try:
            signature, values = await self._handler(call)
            reply = Message.new_method_return(message, signature, _body(signature, values))
            if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
                self._send(reply)
        except (RoomError, CallError) as error:
            self._refuse(message, *answer_to(error))
        # A task's root: a bug of ours is logged here, and the caller learns nothing of our insides.
        except Exception:
            log.exception("%s.%s failed", call.interface, call.member)
            self._refuse(
                message,
                ERROR_PREFIX + "Failed",
                "the request failed inside the device\nsee: conclavectl logs",
            )

    def _refuse(self, message: Any, name: str, text: str) -> None:
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            self._send(Message.new_error(message, name, clean(text)))

    def _send(self, message: Any) -> None:
        sent = self._bus.send(message)
        if sent is not None:
            # A lost connection is told once, by the watcher, and not by every message under way.
            sent.add_done_callback(lambda future: future.cancelled() or future.exception())


def _body(signature: str, values: list[Any]) -> list[Any]:
    kinds = SignatureTree(signature).types
    return [_to_wire(kind, value) for kind, value in zip(kinds, values, strict=True)]


def _release(bus: Any) -> None:
    """Close what the library leaves open after the connection has ended."""
    for attribute in ("_stream", "_sock"):
        resource = getattr(bus, attribute, None)
        if resource is not None:
            close: Callable[[], None] = resource.close
            try:
                close()
            except OSError:
                # Unwritten bytes for a peer that is not there.
                log.debug("closing the bus's socket failed", exc_info=True)
