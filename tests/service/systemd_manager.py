"""A stand-in for systemd's manager on a private bus, which checks a call as systemd does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import BusType, MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

NAME, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MODES = ("replace", "fail", "isolate", "ignore-dependencies", "ignore-requirements")
"""org.freedesktop.systemd1(5)."""
DBUS = "org.freedesktop.DBus.Error."


class SystemdManager:
    """Starts what it knows; a job is there for as many looks as `looks` says."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self.started: list[tuple[str, str]] = []
        self.allowed = known
        self.failing: frozenset[str] = frozenset()
        self.running: frozenset[str] = frozenset()
        self._asked = ""
        self.looks = 1

    def answer(self, message: Any) -> Any:
        """The library's handler: an answer, or None for what is not ours."""
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.path.startswith(PATH + "/"):
            return self._property(message)
        if (message.path, message.interface) != (PATH, NAME + ".Manager"):
            return Message.new_error(message, DBUS + "UnknownObject", "unknown object")
        match message.member, message.signature:
            case "StartUnit", "ss":
                return self._start(message, *message.body)
            case "LoadUnit", "s":
                (self._asked,) = message.body
                return Message.new_method_return(message, "o", [PATH + "/unit/x"])
        return Message.new_error(message, DBUS + "UnknownMethod", "unknown method")

    def _start(self, message: Any, unit: str, mode: str) -> Any:
        if mode not in MODES:
            return Message.new_error(message, DBUS + "InvalidArgs", f"Job mode {mode} invalid")
        if unit not in self._known:
            return Message.new_error(message, NAME + ".NoSuchUnit", f"Unit {unit} not found.")
        if unit not in self.allowed:
            name = DBUS + "InteractiveAuthorizationRequired"
            return Message.new_error(message, name, "Interactive authentication required.")
        self.started.append((unit, mode))
        return Message.new_method_return(message, "o", [PATH + "/job/7"])

    def _property(self, message: Any) -> Any:
        if message.path == PATH + "/job/7":
            self.looks -= 1
            if self.looks < 0:
                return Message.new_error(message, DBUS + "UnknownObject", "Unknown object")
            return Message.new_method_return(message, "v", [Variant("s", "running")])
        state = "failed" if self._asked in self.failing else "inactive"
        if self._asked in self.running:
            state = "activating"
        return Message.new_method_return(message, "v", [Variant("s", state)])


@asynccontextmanager
async def systemd_on(address: str, *known: str) -> AsyncIterator[SystemdManager]:
    """The stand-in on the bus at `address`, with these units."""
    manager = SystemdManager(frozenset(known))
    bus: Any = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
    async with asyncio.timeout(10):
        await bus.connect()
        bus.add_message_handler(manager.answer)
        await bus.request_name(NAME)
    try:
        yield manager
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()
        bus._stream.close()
        bus._sock.close()
