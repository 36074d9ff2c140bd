"""The records of meetings, as D-Bus hands them out: those on the disk, and the one that is being made."""

import asyncio
from dataclasses import dataclass
from typing import Any

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import IdentityError
from conclaved.service.audit_files import AuditFiles
from conclaved.service.recording import Recording


@dataclass(frozen=True, slots=True)
class Audits:
    """The files that they lie in."""

    files: AuditFiles

    async def names(self) -> tuple[str, ...]:
        """The records that are kept, the newest first."""
        return await asyncio.to_thread(self.files.names)

    async def read(self, which: str, recording: Recording[Any] | None) -> str:
        """Return a record's signed token; `recording` is the present meeting's. Raises RoomError.

        An empty name means the present meeting's record, or else the last one's.
        """
        try:
            token = None
            if recording is not None and which in ("", recording.name):
                token = await recording.token()
            if token is None:
                name = which or next(iter(await self.names()), "")
                token = await asyncio.to_thread(self.files.read, name)
        except (IdentityError, OSError) as error:
            raise RoomError(
                RoomErrorKind.FAILED, f"the record cannot be read or signed: {error}", hint="try again"
            ) from error
        if token is None:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                "there is no such record of a meeting",
                hint="see: conclavectl meeting audit --list",
            )
        return token
