"""A link on the event loop: commands and inquiries that can be awaited.

One task, `run`, owns the wire and the link's timers. Whoever waits is told how its request ended; a caller
that is cancelled while it waits cancels its command in the camera too.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from conclave_hal.errors import (
    DeviceError,
    DeviceGoneError,
    DeviceTimeoutError,
    HalError,
)
from conclave_hal.visca.commands import Command
from conclave_hal.visca.inquiries import Inquiry
from conclave_hal.visca.link import Link
from conclave_hal.visca.link_events import Changed, Died, Ended, Event, Outcome, Ready
from conclave_hal.visca.replies import IN_WORDS, ErrorCode
from conclave_hal.visca.transport import Transport

T = TypeVar("T")


class RefusedError(DeviceError):
    """The camera refused, and said why."""

    def __init__(self, message: str, code: ErrorCode) -> None:
        super().__init__(message)
        self.code = code


class CancelledCommandError(DeviceError):
    """The command was cancelled: by us, or by another who controls the camera."""


class ViscaClient:
    """One camera behind a transport, which it closes."""

    def __init__(
        self,
        name: str,
        link: Link,
        transport: Transport,
        *,
        advice: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`name` says in messages which camera it is, `advice` what to look at if it is not found."""
        self._name = name
        self._advice = advice
        self._link = link
        self._transport = transport
        self._clock = clock or asyncio.get_running_loop().time
        self._wake = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self._is_ready = asyncio.Event()
        self._end: HalError | None = None
        self.changes = 0
        """How often the chain of cameras has changed: what was set in the camera may be lost."""
        self.clearings = 0
        """How often the link was cleared: the camera was silent, perhaps because it had no power."""

    async def run(self) -> None:
        """Serve until the link dies. Raises DeviceGoneError or DeviceTimeoutError then."""
        reading = asyncio.create_task(self._read())
        try:
            self._link.start(self._clock())
            while True:
                for outgoing in self._link.take_outgoing():
                    await self._transport.send(outgoing)
                for event in self._link.take_events():
                    self._settle(event)
                self._wake.clear()
                if reading.done():
                    reading.result()
                await self._sleep()
                self._link.tick(self._clock())
        except HalError as error:
            self._end = error
            raise
        finally:
            self._transport.close()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, HalError):
                await reading
            self._fail_all(self._end or DeviceGoneError(f"{self._name}: closed"))

    async def ready(self) -> None:
        """Wait until the link works. Raises what ended it if it never does."""
        await self._is_ready.wait()
        self.check()

    def check(self) -> None:
        """Raises what ended the link, if something did."""
        if self._end is not None:
            raise self._end

    async def execute(self, command: Command) -> None:
        """Have it done. Raises RefusedError, CancelledCommandError, DeviceTimeoutError, DeviceGoneError."""
        ended = await self._request(command)
        if ended.outcome is not Outcome.DONE:
            raise self._failure(f"cannot {command.name}", ended)

    async def ask(self, inquiry: Inquiry[T]) -> T:
        """Ask. Raises as `execute`, and DeviceError for an answer that means nothing."""
        ended = await self._request(inquiry)
        if ended.outcome is not Outcome.DONE:
            raise self._failure(f"does not tell {inquiry.name}", ended)
        return inquiry.parse(ended.data)

    async def _request(self, what: "Command | Inquiry[T]") -> Ended:
        self.check()
        ident = self._link.submit(what, self._clock())
        self._waiting[ident] = asyncio.get_running_loop().create_future()
        self._wake.set()
        try:
            return await self._waiting[ident]
        except asyncio.CancelledError:
            self._link.cancel(ident, self._clock())
            self._wake.set()
            raise
        finally:
            self._waiting.pop(ident, None)

    def _failure(self, problem: str, ended: Ended) -> HalError:
        message = f"{self._name} {problem}"
        if ended.outcome is Outcome.REFUSED and ended.code is not None:
            return RefusedError(f"{message}: {IN_WORDS[ended.code]}", ended.code)
        if ended.outcome is Outcome.CANCELLED:
            return CancelledCommandError(f"{message}: it was cancelled")
        if ended.outcome is Outcome.INTERRUPTED:
            return DeviceError(f"{message}: the link was interrupted")
        return DeviceTimeoutError(f"{message}: it did not answer in time")

    async def _read(self) -> None:
        try:
            while True:
                await self._transport.read_into(self._link)
                self._wake.set()
        finally:
            self._wake.set()

    async def _sleep(self) -> None:
        timer = self._link.next_timer()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timer is None else max(0.0, timer - self._clock())):
                await self._wake.wait()

    def _settle(self, event: Event) -> None:
        match event:
            case Ended():
                waiting = self._waiting.get(event.request)
                if waiting is not None and not waiting.done():
                    waiting.set_result(event)
            case Ready():
                self.clearings += 1
                self._is_ready.set()
            case Changed():
                self.changes += 1
            case Died():
                if event.is_silence:
                    # In the message, because it becomes the reason of the state that people read.
                    advice = f": {self._advice}" if self._advice else ""
                    raise DeviceTimeoutError(f"{self._name} {event.reason}{advice}")
                raise DeviceGoneError(f"{self._name} {event.reason}")

    def _fail_all(self, error: HalError) -> None:
        self._end = error
        self._is_ready.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
