"""A reboot that an admin asks for: never out of a meeting unasked, and never without a word on the panel."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.system_units import SystemUnit, SystemUnitError

log = logging.getLogger(__name__)

ANNOUNCED_S = 3.0
"""For people in the room to read it."""
NOTICE = "this device restarts now: its admin asked for it"


class Rebooting:
    """One event loop owns it."""

    def __init__(
        self,
        start: Callable[[SystemUnit], Awaitable[None]],
        is_busy: Callable[[], bool],
        changed: Callable[[], None],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`start` starts a unit; `is_busy`: in a meeting; `changed` is called when `notice` is another."""
        self._start = start
        self._is_busy = is_busy
        self._changed = changed
        self._pause = pause
        self.notice = ""
        """What people in the room read; empty for nothing."""

    async def reboot(self, *, is_forced: bool = False, dry_run: bool = False) -> ChangeReport:
        """Reboot, after a word on the panel. Raises RoomError: BUSY in a meeting unless `is_forced`."""
        self._refuse_meeting(is_forced)
        report = ChangeReport(True, (Change("device.power", '"on"', '"restarting"', "at once"),))
        if dry_run:
            return report
        if self.notice:
            raise RoomError(RoomErrorKind.BUSY, "the device restarts already", hint="wait for it")
        self._say(NOTICE)
        try:
            await self._pause(ANNOUNCED_S)
            # Somebody may have joined one meanwhile.
            self._refuse_meeting(is_forced)
            await self._start(SystemUnit.REBOOT)
        except SystemUnitError as error:
            self._say("")
            raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error
        except BaseException:
            self._say("")
            raise
        return report

    def _refuse_meeting(self, is_forced: bool) -> None:
        if self._is_busy() and not is_forced:
            raise RoomError(
                RoomErrorKind.BUSY,
                "the room is in a meeting",
                hint="wait for its end, or if that is meant: conclavectl reboot --force",
            )

    def _say(self, notice: str) -> None:
        self.notice = notice
        self._changed()
