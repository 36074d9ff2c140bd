"""What drivers of plain lamps have in common: they light steps, and this makes patterns of them."""

import asyncio
import itertools
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError, HalError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.indicator import Indicator, IndicatorState, Shown
from conclave_hal.lamp_patterns import PATTERNS, Colour

SHOW_DEADLINE_S = 2.0


class Lamps(Protocol):
    """Lamps that are there now."""

    def light(self, ring: Colour, *, is_mute_lit: bool, is_camera_lit: bool) -> None:
        """Light exactly these; quick. Raises OSError or HalError when they have gone."""

    def release(self) -> None:
        """Give them back."""


class PatternIndicator(HotPlugDevice[IndicatorState], Indicator):
    """Lights a pattern's steps one after another, again and again."""

    def __init__(self, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(pause=pause)
        self._wanted = Shown()
        self._lit: Shown | None = None
        self._is_there = False
        self._wake = asyncio.Event()
        self._lighted = asyncio.Condition()

    @abstractmethod
    def _acquire(self) -> Lamps:
        """Take the lamps. Raises OSError or HalError where they are not there."""

    async def close(self) -> None:
        """Nothing is kept between sessions: the lamps went dark with the last one."""

    async def show(self, shown: Shown) -> None:
        """Show this. Returns when the lamps have been set, or are not there: then when they come."""
        self._wanted = shown
        self._wake.set()
        try:
            async with asyncio.timeout(SHOW_DEADLINE_S), self._lighted:
                await self._lighted.wait_for(lambda: not self._is_there or self._lit is self._wanted)
        except TimeoutError:
            raise DeviceGoneError("the lamps cannot be set") from None

    async def _session(self) -> None:
        lamps = self._acquire()
        self._is_there = True
        try:
            while True:
                await self._show_pattern(lamps)
        finally:
            self._is_there = False
            self._lit = None
            with suppress(OSError, HalError):
                lamps.light(Colour.DARK, is_mute_lit=False, is_camera_lit=False)
            lamps.release()
            async with self._lighted:
                self._lighted.notify_all()

    async def _show_pattern(self, lamps: Lamps) -> None:
        """Until something else is to be shown."""
        self._wake.clear()
        wanted = self._wanted
        for step in itertools.cycle(PATTERNS[wanted.ring]):
            lamps.light(
                step.colour, is_mute_lit=wanted.is_microphone_muted, is_camera_lit=wanted.is_camera_live
            )
            if self._lit is not wanted:
                self._lit = wanted
                await self._publish(IndicatorState(Health.READY, "", wanted))
                async with self._lighted:
                    self._lighted.notify_all()
            if await self._is_woken_within(step.seconds):
                return

    async def _is_woken_within(self, seconds: float) -> bool:
        waiting = asyncio.ensure_future(self._wake.wait())
        pausing = asyncio.ensure_future(self._pause(seconds))
        try:
            await asyncio.wait({waiting, pausing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (waiting, pausing):
                each.cancel()
            await asyncio.gather(waiting, pausing, return_exceptions=True)
        return self._wake.is_set()
