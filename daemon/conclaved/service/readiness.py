"""What systemd is told of the daemon: that it is ready, what it does, and that it lives."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from conclaved.bus.room import Room
from conclaved.bus.server import RoomServer
from conclaved.service.liveness import Liveness
from conclaved.service.status_line import status_line

log = logging.getLogger(__name__)

KEY_WITHIN_S = 60.0
"""For a TPM that is slow. One that hangs must not keep admins out of the room that it is in."""

Notify = Callable[[str], None]
"""Sends a state to systemd: sd_notify(3)."""


class LivingRoom(Room, Protocol):
    """A room that runs here."""

    key_was_looked_at: asyncio.Event

    async def give_sign_of_life(self) -> None: ...


class Readiness:
    """One event loop owns it."""

    def __init__(self, notify: Notify, room: LivingRoom, watchdog_s: float | None) -> None:
        """`watchdog_s` is what systemd allows between two signs of life; None: it has no watchdog."""
        self._notify = notify
        self._room = room
        self._watchdog_s = watchdog_s
        self._server: RoomServer | None = None
        self._is_served = asyncio.Event()
        self._refused = ""

    def is_served(self, server: RoomServer) -> None:
        """The room is on the bus, with its name; called again when it has come back there."""
        self._server = server
        self._is_served.set()

    async def run(self) -> None:
        """Say that the daemon is ready once it is, and from then on what it does, until cancelled.

        The hardware is open already. The name on the bus comes before the key, because a TPM is slow.
        """
        await self._is_served.wait()
        self._notify("STATUS=looking at the room's key")
        try:
            async with asyncio.timeout(KEY_WITHIN_S):
                await self._room.key_was_looked_at.wait()
        except TimeoutError:
            log.error("the device that has the room's key does not answer: conclavectl doctor")
        told = self.status
        self._notify(f"READY=1\nSTATUS={told}")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_status(told))
            if self._watchdog_s is not None:
                questions = {"the room": self._room.give_sign_of_life, "the bus": self._ask_bus}
                feed = Liveness(questions, lambda: self._notify("WATCHDOG=1"), self._watchdog_s)
                tasks.create_task(feed.run())

    def reload(self, read: Callable[[], bool]) -> None:
        """Read the configuration anew by `read`, with systemd told of the beginning and the end.

        systemd 252 learns of no failure: it is in the status line, the journal and the room's problems.
        """
        # Both clocks are one: time.monotonic() is CLOCK_MONOTONIC on Linux.
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reading anew")
        self._refused = "" if read() else "the configuration on the disk is wrong and not in force; "
        self._notify(f"READY=1\nSTATUS={self.status}")

    @property
    def status(self) -> str:
        """What the room does, in one line."""
        return self._refused + status_line(self._room.device(), self._room.identity(), self._room.meeting())

    async def _tell_status(self, told: str) -> None:
        changes = self._room.changes()
        while True:
            # Before the first wait as well: it may have changed since it was told.
            if self.status != told:
                told = self.status
                self._notify(f"STATUS={told}")
            await anext(changes)

    async def _ask_bus(self) -> None:
        if self._server is not None:
            await self._server.give_sign_of_life()
