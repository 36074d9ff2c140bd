"""The record of one meeting, kept on disk while the meeting lasts.

It is signed and written anew when it has grown, at most every ten seconds, since a signature may
take a TPM half a second, and once more at the end. A record that cannot be kept is logged and ends
no meeting.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from conclaved.bus.room import RoomError
from conclaved.identity import IdentityError
from conclaved.service.audit_files import AuditFiles

log = logging.getLogger(__name__)

R = TypeVar("R")
WRITE_EVERY_S = 10.0


class Recording(Generic[R]):
    """Owned by one meeting's task."""

    def __init__(
        self,
        files: AuditFiles,
        name: str,
        sign: Callable[[R], Awaitable[str]],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`sign` makes the token of a record, and raises RoomError or IdentityError."""
        self._files = files
        self.name = name
        self._sign = sign
        self._pause = pause
        self._newest: R | None = None
        self._written: R | None = None
        self._grown = asyncio.Event()
        # An older state must not be written over a newer one.
        self._writing = asyncio.Lock()

    def note(self, record: R) -> None:
        """The record as it is now."""
        if record is not self._newest:
            self._newest = record
            self._grown.set()

    async def run(self) -> None:
        """Write what is new, now and then, until cancelled."""
        while True:
            await self._grown.wait()
            self._grown.clear()
            await self.write()
            await self._pause(WRITE_EVERY_S)

    async def write(self) -> None:
        """Write what is new, now. Raises nothing that a meeting would end by."""
        if self._newest is None or self._newest is self._written:
            return
        try:
            await self.token()
        except (RoomError, IdentityError, OSError) as error:
            log.warning("the meeting's record is not kept: %s", error)

    async def token(self) -> str | None:
        """The record of this moment, signed, and kept with that; None where nothing has happened yet.

        Raises RoomError, IdentityError, or OSError where it was signed and cannot be kept.
        """
        async with self._writing:
            newest = self._newest
            if newest is None:
                return None
            token = await self._sign(newest)
            await asyncio.to_thread(self._files.save, self.name, token)
            self._written = newest
            return token
