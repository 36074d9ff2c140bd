"""What a check works with: the driver's device, made anew for each, and hands that plug and press."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from conclave_hal.config import make_devices
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Slot
from conclave_hal.hot_plug import HotPlugDevice
from tests.hal.checks.check import BrokenError, SkippedError

DEADLINE_S = 30.0
"""For what should take no time: generous, because the machine may have other things to do."""
COMMAND_DEADLINE_S = 120.0
"""For a command: a camera that is switched on looks for its zero first."""

D = TypeVar("D", bound=AnyDevice)
T = TypeVar("T")


class Hands(ABC):
    """Who does what a program cannot: a rig's counterpart, or a person."""

    deadline_s = DEADLINE_S
    """How long the driver's answer to what they do is waited for."""

    @abstractmethod
    async def do(self, what: str, device: AnyDevice | None = None) -> None:
        """`unplug`, `plug_in`, or a name of `Rig.by_hand`. Raises SkippedError if nobody can."""


class Bench:
    """One driver under test. Each device that it makes is closed when the check has ended."""

    def __init__(self, file: Path, slot: Slot, hands: Hands) -> None:
        """`file` is a hal.toml that names the driver for `slot`."""
        self.slot = slot
        self.hands = hands
        self._file = file
        self._made: list[AnyDevice] = []
        self._running: dict[AnyDevice, asyncio.Task[None]] = {}
        self._pauses: dict[AnyDevice, list[float]] = {}

    def make(self) -> AnyDevice:
        """A device that is not open yet, beside fresh ones of the slots before. Raises ConfigurationError."""
        device = make_devices(self._file)[self.slot]
        self._made.append(device)
        return device

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[AnyDevice]:
        """A device that is open and ready to be used, while the block runs."""
        async with self.started() as device:
            await self.until(
                device,
                lambda state: state.health in (Health.READY, Health.DEGRADED),
                "is not ready after `open` and while `run` runs",
            )
            yield device

    @asynccontextmanager
    async def running(self, interface: Callable[..., D]) -> AsyncIterator[D]:
        """A device of this interface that is ready. Raises BrokenError if the driver makes another."""
        # Seen as a callable because mypy wants a concrete class wherever `type[D]` is asked for.
        wanted = cast("type[D]", interface)
        async with self.ready() as device:
            if not isinstance(device, wanted):
                raise BrokenError(f"its device is a {type(device).__name__}, not a {wanted.__name__}")
            yield device

    @asynccontextmanager
    async def started(self, device: AnyDevice | None = None) -> AsyncIterator[AnyDevice]:
        """A device that is open and run, whether or not it is ready."""
        device = device or self.make()
        self._note_pauses(device)
        await device.open()
        self._running[device] = asyncio.create_task(device.run(), name=f"run of {self.slot.value}")
        try:
            yield device
        finally:
            await self.stop(device)

    async def stop(self, device: AnyDevice) -> None:
        """End `run`, if it runs, and close."""
        running = self._running.pop(device, None)
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.soon(asyncio.gather(running, return_exceptions=True), "`run` does not end")
        await self.soon(device.close(), "`close` does not return")

    async def clear(self) -> None:
        """Close whatever a check left open."""
        for device in self._made:
            await self.stop(device)

    async def until(self, device: AnyDevice, holds: Callable[[Any], bool], otherwise: str) -> Any:
        """Wait until the device's state is so. Raises BrokenError with `otherwise` past the deadline."""
        running = self._running.get(device)
        waiting = asyncio.create_task(_first(device, holds))
        try:
            tasks = {waiting} | ({running} if running is not None else set())
            await asyncio.wait(tasks, timeout=self.hands.deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            if running is not None and running.done():
                raise BrokenError(f"`run` has ended: {_how(running)}")
            state = device.state()
            raise BrokenError(f"{otherwise}: it is {state.health.value} {state.reason}".rstrip())
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def soon(self, thing: Awaitable[T], otherwise: str, within_s: float = 0) -> T:
        """The result of what should take no time. Raises BrokenError past the deadline."""
        within_s = within_s or self.hands.deadline_s
        try:
            async with asyncio.timeout(within_s):
                return await thing
        except TimeoutError as error:
            raise BrokenError(f"{otherwise} within {within_s:g} s") from error

    @asynccontextmanager
    async def next_of(self, stream: AsyncIterator[T]) -> AsyncIterator["asyncio.Task[T]"]:
        """The next one of a stream, waited for from now on; nobody waits any more when the block ends."""
        iterator: Any = stream
        waiting: asyncio.Task[T] = asyncio.create_task(anext(iterator))
        await asyncio.sleep(0)
        try:
            yield waiting
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await iterator.aclose()

    async def done(self, command: Awaitable[T]) -> T:
        """The result of a command to the device. Raises BrokenError past the deadline."""
        return await self.soon(command, "a command does not return", COMMAND_DEADLINE_S)

    async def unplugged(self, device: AnyDevice) -> DeviceState:
        """Take the hardware away: its state when the driver has noticed."""
        await self.hands.do("unplug", device)
        state: DeviceState = await self.until(
            device, lambda state: state.health is Health.FAILED, "does not notice that it is unplugged"
        )
        return state

    async def plugged_in(self, device: AnyDevice) -> float:
        """Bring it back: for how many seconds the driver paused until it was ready."""
        pauses = self._pauses.get(device, [])
        # Pauses that have ended since: the one that is under way now counts whole.
        before = len(pauses)
        await self.hands.do("plug_in", device)
        await self.until(
            device,
            lambda state: state.health in (Health.READY, Health.DEGRADED),
            "is not ready again though it is plugged in",
        )
        return sum(pauses[before:])

    def _note_pauses(self, device: AnyDevice) -> None:
        if not isinstance(device, HotPlugDevice):
            return
        pauses = self._pauses.setdefault(device, [])
        pause = device._pause

        async def noted(seconds: float) -> None:
            await pause(seconds)
            pauses.append(seconds)

        device._pause = noted


async def _first(device: AnyDevice, holds: Callable[[Any], bool]) -> Any:
    states: Any = device.watch()
    async with aclosing(states):
        async for state in states:
            if holds(state):
                return state
    raise BrokenError("`watch` has ended")


def _how(task: "asyncio.Task[None]") -> str:
    if task.cancelled():
        return "it was cancelled from within"
    error = task.exception()
    return "it returned" if error is None else f"{type(error).__name__}: {error}"


class NoHands(Hands):
    """Nobody is there."""

    async def do(self, what: str, device: AnyDevice | None = None) -> None:
        """Raises SkippedError."""
        raise SkippedError(f"nobody is there to {what.replace('_', ' ')}; --interactive asks you to")
