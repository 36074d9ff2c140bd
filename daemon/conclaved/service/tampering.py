"""Whether somebody opened the device: latched here, until an admin has looked and says so.

The latch is a file: neither a restart nor a power cut, nor a contact that is put back, makes the device say
that nobody was inside. A file that cannot be read counts as a device that was opened.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from conclave_hal.errors import HalError
from conclave_hal.none import NoTamper
from conclave_hal.switches import Tamper, TamperStatus
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity.atomic_file import fsync_directory, write_atomically

log = logging.getLogger(__name__)

TAMPER_FILE = "tampered.json"
TRIPPED = "tripped"
NOT_FITTED = "not fitted"
COMMAND = "conclavectl hardware clear-tamper"
DEADLINE_S = 5.0
"""For the contact's driver to clear its own latch."""


class Tampering:
    """Owned by the room's event loop."""

    def __init__(
        self,
        contact: Tamper,
        file: Path,
        changed: Callable[[], None],
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`changed` is called when `status` is another; `wall` gives seconds since 1970."""
        self._contact = contact
        self._file = file
        self._changed = changed
        self._wall = wall
        self._problem = ""
        self.is_tripped, self.tripped_at = self._load()
        """And when, in seconds since 1970: 0 where nobody knows, or it is not."""

    def __repr__(self) -> str:
        return f"Tampering({self.status})"

    @property
    def status(self) -> str:
        """`intact`, `tripped`, `unknown` or `not fitted`."""
        if self.is_tripped:
            return TRIPPED
        if isinstance(self._contact, NoTamper):
            return NOT_FITTED
        return self._contact.state().tamper.value

    def problems(self) -> list[str]:
        """A line each, with the command that mends it."""
        lines = [self._problem] if self._problem else []
        if self.is_tripped:
            at = time.localtime(self.tripped_at)
            when = f" at {time.strftime('%Y-%m-%d %H:%M', at)}" if self.tripped_at else ""
            lines.append(f"the case of this device was opened{when}; once you have looked: {COMMAND}")
        return lines

    async def run(self) -> None:
        """Latch whatever the contact says, until cancelled."""
        async for _ in self._contact.watch():
            self.look()

    def look(self) -> None:
        """Latch what the contact says at this moment."""
        state = self._contact.state()
        if state.tamper is TamperStatus.TRIPPED and not self.is_tripped:
            self.is_tripped, self.tripped_at = True, state.tripped_at or int(self._wall())
            log.error("the case of this device was opened")
            self._save()
            self._changed()

    async def clear(self, *, dry_run: bool = False) -> ChangeReport:
        """An admin has looked. Raises RoomError(REFUSED) while the case is open, FAILED where it stays."""
        if not self.is_tripped:
            return ChangeReport(False)
        report = ChangeReport(True, (Change("hardware.tamper", TRIPPED, "", "at once"),))
        if dry_run:
            return report
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._contact.clear()
        except HalError as error:
            raise RoomError(RoomErrorKind.REFUSED, str(error), hint=error.hint) from error
        except TimeoutError as error:
            raise RoomError(
                RoomErrorKind.TIMED_OUT,
                "the contact in the case does not answer",
                hint="see: conclavectl logs",
            ) from error
        try:
            self._file.unlink(missing_ok=True)
            fsync_directory(self._file.parent)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED, f"it cannot be stored: {error.strerror}", hint="see: conclavectl doctor"
            ) from error
        self.is_tripped, self.tripped_at, self._problem = False, 0, ""
        # It may have been opened again since the contact was cleared.
        self.look()
        self._changed()
        return report

    def _load(self) -> tuple[bool, int]:
        try:
            at = json.loads(self._file.read_bytes())["tripped_at"]
        except FileNotFoundError:
            return False, 0
        except (OSError, ValueError, KeyError, TypeError):
            return True, 0
        return True, at if isinstance(at, int) else 0

    def _save(self) -> None:
        try:
            write_atomically(self._file, json.dumps({"tripped_at": self.tripped_at}).encode())
        except OSError as error:
            self._problem = f"that the case was opened will be forgotten at a restart: {error.strerror}"
            log.error("%s", self._problem)
