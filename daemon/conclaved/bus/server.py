"""Serves a room on a bus: connect, own the name, answer, tell of changes; and come back when the bus does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from conclaved.bus.connection import Connection
from conclaved.bus.errors import BusError, BusGoneError, BusRefusedError, NameTakenError
from conclaved.bus.interfaces import PEER, RoomObject
from conclaved.bus.introspection import BUS_NAME, OBJECT_PATH
from conclaved.bus.permissions import Permissions
from conclaved.bus.record import Recorder
from conclaved.bus.room import Room, Topic

log = logging.getLogger(__name__)

RETRY_AFTER_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class RoomServer:
    """A room that is on the bus. Made by `serve`."""

    def __init__(self, connection: Connection, telling: asyncio.Task[None]) -> None:
        self._connection = connection
        self._telling = telling

    async def give_sign_of_life(self) -> None:
        """Have the bus bring a call to this room and its answer back. Raises BusTimeoutError.

        One that is refused, because too many call, has come here; a bus that has gone is waited for by `run`.
        """
        with contextlib.suppress(BusGoneError, BusRefusedError):
            await self._connection.call(BUS_NAME, OBJECT_PATH, PEER, "Ping", "", [])

    async def wait_lost(self) -> None:
        """Wait until the API can no longer be reached. Raises BusGoneError then, and never returns."""
        lost = asyncio.create_task(self._connection.wait_lost())
        try:
            await asyncio.wait({lost, self._telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        raise BusGoneError("the room is no longer on the bus")


@asynccontextmanager
async def serve(
    room: Room,
    *,
    address: str | None = None,
    permissions: Permissions | None = None,
    record: Recorder = lambda record: None,
) -> AsyncIterator[RoomServer]:
    """Put `room` on the bus at `address` (None: the system bus) while the block runs.

    `record` is given a record of each verb that is asked for. Once the block is entered the name
    org.conclave.Room1 is owned and every call is answered. Raises BusGoneError, BusTimeoutError,
    BusRefusedError, or NameTakenError when another process has the name.
    """
    room_object = RoomObject(room, permissions or Permissions.of_system(), record)
    connection = await Connection.open(address)
    try:
        connection.serve(partial(room_object.answer, connection))
        await connection.own(BUS_NAME)
        # No await in between: nobody has read a state older than the one remembered here.
        room_object.remember()
        telling = asyncio.create_task(_tell(room, room_object, connection), name="bus signals")
        try:
            yield RoomServer(connection, telling)
        finally:
            telling.cancel()
            await asyncio.wait({telling})
    finally:
        await connection.close()


async def run(
    room: Room,
    *,
    address: str | None = None,
    permissions: Permissions | None = None,
    record: Recorder = lambda record: None,
    served: Callable[[RoomServer], None] = lambda server: None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Serve until cancelled, and come back after each loss of the bus; the meeting goes on meanwhile.

    `served` is called each time the room is on the bus, with what serves it there. `pause` waits between
    attempts. Raises BusError when the first attempt fails, and NameTakenError always: waiting mends neither.
    """
    is_first = True
    attempt = 0
    while True:
        try:
            async with serve(room, address=address, permissions=permissions, record=record) as server:
                is_first, attempt = False, 0
                served(server)
                await server.wait_lost()
        except NameTakenError:
            raise
        except BusError as error:
            if is_first:
                raise
            delay_s = RETRY_AFTER_S[min(attempt, len(RETRY_AFTER_S) - 1)]
            attempt += 1
            log.warning("%s; next attempt in %g s", error, delay_s)
            await pause(delay_s)


async def _tell(room: Room, room_object: RoomObject, connection: Connection) -> None:
    changes = room.changes()
    try:
        # What has changed since it was remembered, up to the very step that begins to listen.
        room_object.tell(connection, frozenset(Topic))
        async for topics in changes:
            room_object.tell(connection, topics)
    # A task's root: without signals the API would lie, so the loss of it is the loss of the API.
    except Exception:
        log.exception("the room's changes can no longer be told")
