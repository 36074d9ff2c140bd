"""What the room's lamps show: from what is, never from what was asked for.

`shown` is a pure function of snapshots. A lamp that says "muted" is lit by the mutes that the gates are
already closed by, the one of the camera by frames that have left; the ring is green by the lock of the
meeting only. What people must not overlook comes first.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from conclave_hal.errors import HalError
from conclave_hal.indicator import Indicator, Light, Shown
from conclaved.bus.room import HardwareStatus, MeetingStatus

log = logging.getLogger(__name__)

DEADLINE_S = 3.0
"""For lamps to obey; drivers have a shorter one of their own."""
SHOW_AGAIN_S = 1.0
"""Lamps that did not obey may still show a lock, and nothing else may change for hours."""


def shown(meeting: MeetingStatus, hardware: HardwareStatus) -> Shown:
    """All lamps, for this meeting and this hardware."""
    return Shown(
        ring=_ring(meeting, hardware),
        is_microphone_muted=hardware.microphone_off,
        is_camera_live=hardware.camera_live,
    )


def _ring(meeting: MeetingStatus, hardware: HardwareStatus) -> Light:
    is_there = meeting.state in ("joining", "lobby", "in_meeting")
    if hardware.tamper == "tripped":
        return Light.TAMPERED
    if is_there and (meeting.lock == "broken" or hardware.panel_problem):
        return Light.ALARM
    if meeting.joining_in_s:
        return Light.CALLING
    if not is_there:
        return Light.OFF
    if meeting.state == "in_meeting" and meeting.lock == "locked":
        return Light.ENCRYPTED
    return Light.JOINING


class Lamps:
    """Keeps the indicator at what it was given last."""

    def __init__(self, indicator: Indicator) -> None:
        self._indicator = indicator
        self._lit: Shown | None = None
        self._failure = ""

    async def show(self, wanted: Shown) -> None:
        """Show this, if it is another than before. Lamps that do not obey cost nothing but themselves."""
        if wanted == self._lit:
            return
        self._lit = None
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._indicator.show(wanted)
        except (HalError, TimeoutError) as error:
            failure = str(error) or "they do not answer"
            if failure != self._failure:
                log.warning("the lamps do not obey: %s", failure)
            self._failure = failure
        else:
            self._lit, self._failure = wanted, ""

    async def follow(
        self,
        wanted: Callable[[], Shown],
        changes: AsyncGenerator[object, None],
        *,
        again_s: float = SHOW_AGAIN_S,
    ) -> None:
        """Show what is `wanted` at each of `changes`, and until the lamps obey, until cancelled."""
        async with aclosing(changes):
            coming = asyncio.ensure_future(anext(changes))
            try:
                while True:
                    await self.show(wanted())
                    await asyncio.wait({coming}, timeout=again_s if self._lit is None else None)
                    if coming.done():
                        coming.result()
                        coming = asyncio.ensure_future(anext(changes))
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
