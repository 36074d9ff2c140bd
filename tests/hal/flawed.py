"""A driver with one flaw of choice: what the conformance checks have to find."""

import asyncio
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import Annotated

from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceGoneError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, choice
from conclave_hal.switches import MuteSwitch, SwitchPosition, SwitchState

FLAWS = {
    "none": "",
    "knows too early": "starts_knowing_nothing",
    "is never ready": "becomes_ready",
    "gives no reason": "becomes_ready",
    "says control characters": "says_printable_words",
    "watches late": "tells_the_present_first",
    "does not end": "can_be_cancelled",
    "closes once": "closes_twice",
    "closes only what is open": "closes_unopened",
    "leaves a descriptor": "leaves_nothing",
    "leaves a thread": "leaves_nothing",
    "leaves a task": "leaves_nothing",
    "leaves a reader": "leaves_nothing",
    "waits in the loop": "becomes_ready",
    "believes without its device": "notices_that_it_is_unplugged",
    "ends when it is unplugged": "notices_that_it_is_unplugged",
    "comes back late": "comes_back",
    "needs its hardware at start": "starts_unplugged",
    "does not read at start": "reads_the_first_position",
    "is the wrong way round": "tells_both_positions",
}
"""Each with the check that finds it."""


class Contact:
    """The hardware: there or not, closed or not. One for all devices of a test."""

    def __init__(self) -> None:
        self.is_there = True
        self.is_blocking = False
        self.changed = asyncio.Event()

    def set(self, *, is_there: bool | None = None, is_blocking: bool | None = None) -> None:
        """Something was done with it."""
        self.is_there = self.is_there if is_there is None else is_there
        self.is_blocking = self.is_blocking if is_blocking is None else is_blocking
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


contact = Contact()


@dataclass(frozen=True, slots=True)
class FlawedOptions:
    """Options of the flawed driver."""

    flaw: Annotated[str, Option(choice(*FLAWS), "what is wrong with it")] = "none"


class FlawedSwitch(HotPlugDevice[SwitchState], MuteSwitch):
    """A mute switch that breaks one promise."""

    def __init__(self, flaw: str) -> None:
        self._flaw = flaw
        self._is_open = False
        self._times_closed = 0
        self._event = threading.Event()
        self._left: list[object] = []
        self._was_away = False
        super().__init__(pause=lambda seconds: asyncio.sleep(0))
        if flaw == "knows too early":
            self._state = replace(self._state, position=SwitchPosition.PASSING)

    async def open(self) -> None:
        self._is_open = True
        if self._flaw == "needs its hardware at start" and not contact.is_there:
            raise DeviceGoneError("it is not there")
        match self._flaw:
            case "leaves a descriptor":
                self._left += [os.dup(0)]
            case "leaves a thread":
                thread = threading.Thread(target=self._event.wait, daemon=True)
                thread.start()
            case "leaves a task":
                self._left += [asyncio.create_task(asyncio.Event().wait())]
            case "leaves a reader":
                near, far = os.pipe()
                asyncio.get_running_loop().add_reader(near, lambda: None)
                self._left += [near, far]
            case "waits in the loop":
                time.sleep(1.5)  # noqa: ASYNC251  # the flaw

    async def run(self) -> None:
        while self._flaw == "does not end":
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                if self._times_closed:
                    raise
            if self._times_closed:
                return
        if self._flaw == "ends when it is unplugged":
            await self._session()
        await super().run()

    async def _session(self) -> None:
        if self._was_away and self._flaw == "comes back late":
            await self._pause(3.0)
        while True:
            changed = contact.changed
            if not contact.is_there:
                self._was_away = True
                raise DeviceGoneError("it is not there")
            await self._publish(self._read())
            await changed.wait()

    def _read(self) -> SwitchState:
        is_blocking = contact.is_blocking is not (self._flaw == "is the wrong way round")
        position = SwitchPosition.BLOCKING if is_blocking else SwitchPosition.PASSING
        match self._flaw:
            case "is never ready":
                return SwitchState(Health.STARTING)
            case "gives no reason":
                return SwitchState(Health.DEGRADED, "", position)
            case "says control characters":
                return SwitchState(Health.DEGRADED, "\x1b[2J", position)
            case "does not read at start":
                return SwitchState(Health.READY)
        return SwitchState(Health.READY, "", position)

    def _lost(self, reason: str) -> SwitchState:
        if self._flaw == "believes without its device":
            return replace(self._state, health=Health.FAILED, reason=reason)
        return super()._lost(reason)

    async def close(self) -> None:
        self._times_closed += 1
        if self._flaw == "closes once" and self._times_closed > 1:
            raise ValueError("closed already")
        if self._flaw == "closes only what is open" and not self._is_open:
            raise ValueError("not open")


def _make(options: FlawedOptions) -> FlawedSwitch:
    switch = FlawedSwitch(options.flaw)
    if options.flaw == "watches late":

        async def watch() -> object:
            await asyncio.Event().wait()
            yield

        switch.watch = watch  # type: ignore[method-assign,assignment]
    return switch


DRIVER = Driver(FlawedOptions, lambda options, made: _make(options))
