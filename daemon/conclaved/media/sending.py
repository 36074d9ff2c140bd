"""Our own streams: source -> SFrame -> RTP -> SRTP.

A frame leaves only if the gate is open at the moment when it exists. Nothing is stored: what is
muted, or made before there is an epoch, is gone.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from conclave_hal.device import Health
from conclave_hal.errors import HalError
from conclave_hal.media import EncodedFrame, MediaSource
from conclaved.media.stats import SentStats
from conclaved.media.streams import StreamContext, metadata_of
from conclaved.media.transport import MediaTransport
from conclaved.rtp import Packetizer, Unit
from conclaved.sframe import MediaKeyring, SframeError

RETRY_S = 0.5
"""Between two looks at a source that has ended."""
DEADLINE_S = 2.0
"""For a source to obey."""
LIVE_S = 0.5
"""A stream whose last frame left longer ago is not live. Pictures come fifteen times a second or more."""
_log = logging.getLogger(__name__)
T = TypeVar("T")


@contextlib.asynccontextmanager
async def _closing(iterator: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """End a generator where it is left, not when the garbage is collected."""
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


class SendingStream:
    """One source and its way out."""

    def __init__(
        self,
        context: StreamContext,
        source: MediaSource,
        keyring: MediaKeyring,
        clock: Callable[[], float],
    ) -> None:
        self.context = context
        self.is_muted = False
        self.name = context.name.lower()
        self._source_fault = ""
        self._switch_fault = ""
        self._source = source
        self._keyring = keyring
        self._clock = clock
        self._transport: MediaTransport | None = None
        self._packetizer: Packetizer | None = None
        self._is_sending = False
        self._enabled: bool | None = None
        self._switching = asyncio.Lock()
        self._sent = self._withheld = self._packets = self._bytes = 0
        self._sent_at: float | None = None

    @property
    def stats(self) -> SentStats:
        """A snapshot."""
        return SentStats(self._sent, self._withheld, self._packets, self._bytes)

    @property
    def disobeys(self) -> str:
        """Why the source may still capture though nothing of it may leave; empty while it does not."""
        return self._switch_fault if not self._is_open and self._enabled is None else ""

    def is_live(self, now: float) -> bool:
        """Whether frames leave: one has a moment ago, and the gate is open. `now` is the clock's."""
        return self._is_open and self._sent_at is not None and now - self._sent_at < LIVE_S

    @property
    def fault(self) -> str:
        """What is wrong with the source, or empty."""
        return "; ".join(fault for fault in (self._source_fault, self._switch_fault) if fault)

    def connect(self, transport: MediaTransport, packetizer: Packetizer) -> None:
        """From now on send here."""
        self._transport, self._packetizer = transport, packetizer

    def disconnect(self) -> None:
        """From now on send nowhere."""
        self._transport = self._packetizer = None

    def set_sending(self, is_sending: bool) -> None:
        """Open or close the gate. Takes effect with the next frame; `apply` then tells the source."""
        self._is_sending = is_sending

    @property
    def _is_open(self) -> bool:
        return self._is_sending and not self.is_muted and self._transport is not None

    async def apply(self) -> bool:
        """Let the source capture exactly while its frames may leave; returns whether it obeyed.

        A source that fails or does not answer is a fault; the gate holds whatever it does.
        """
        async with self._switching:
            wanted = self._is_open
            if wanted == self._enabled:
                return True
            # Unknown until the source has obeyed.
            self._enabled = None
            self._switch_fault = await self._ask(self._source.set_enabled(wanted))
            if self._switch_fault:
                self._switch_fault = f"cannot be switched {'on' if wanted else 'off'}: {self._switch_fault}"
                _log.warning("%s %s", self.name, self._switch_fault)
                return False
            self._enabled = wanted
            return True

    async def request_keyframe(self) -> None:
        """Ask the source for a frame that decodes alone."""
        fault = await self._ask(self._source.request_keyframe())
        if fault:
            self._note(f"gives no keyframe: {fault}")

    async def _ask(self, action: Awaitable[None]) -> str:
        """Wait for the source to do something; returns what went wrong, or an empty text."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await action
        except HalError as error:
            return str(error)
        except TimeoutError:
            return "it does not answer"
        except Exception as error:  # noqa: BLE001 - a driver's bug costs its stream, not the meeting
            _log.exception("%s: the driver failed", self.name)
            return type(error).__name__
        return ""

    async def run(self) -> None:
        """Read the source until cancelled. When it ends or fails, wait until it is ready again."""
        while True:
            reason = "delivers nothing"
            try:
                async with _closing(self._source.frames()) as frames:
                    async for frame in frames:
                        self._note("")
                        self._send(frame)
            except HalError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a driver's bug costs its stream, not the meeting
                _log.exception("%s: the driver failed", self.name)
                reason = type(error).__name__
            self._note(reason)
            await asyncio.sleep(RETRY_S)
            async with _closing(self._source.watch()) as states:
                async for state in states:
                    if state.health in (Health.READY, Health.DEGRADED):
                        break
            # It may have forgotten whether it was on.
            self._enabled = None
            while True:
                if await self.apply():
                    break
                await asyncio.sleep(RETRY_S)

    def _note(self, fault: str) -> None:
        if fault and fault != self._source_fault:
            _log.warning("%s %s", self.name, fault)
        self._source_fault = fault

    def _send(self, frame: EncodedFrame) -> None:
        transport, packetizer = self._transport, self._packetizer
        if not self._is_open or transport is None or packetizer is None or transport.is_full:
            self._withheld += 1
            return
        if frame.codec is not self.context.codec:
            self._withheld += 1
            self._note(f"delivers {frame.codec.value} instead of {self.context.codec.value}")
            return
        try:
            metadata = metadata_of(frame.timestamp)
            sealed = self._keyring.protect(self.context, frame.data, metadata, self._clock())
        except SframeError as error:
            # No epoch yet, or the key has reached its limit: the next epoch brings another.
            self._withheld += 1
            _log.debug("%s: frame not sealed: %s", self.name, error)
            return
        is_audio = self.context is StreamContext.MICROPHONE
        packets = packetizer.packetize(
            sealed, frame.timestamp, unit=Unit.PACKET if is_audio else Unit.FRAME, marker=not is_audio
        )
        self._bytes += transport.send(packets)
        self._packets += len(packets)
        self._sent += 1
        self._sent_at = self._clock()
