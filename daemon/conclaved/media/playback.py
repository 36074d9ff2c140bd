"""From opened frames to the sinks: one queue and one task for each stream.

A slow or broken stream costs itself frames and no other stream anything. Orders to a stream
(frames, and "forget it") stay in order.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from conclave_hal.errors import HalError
from conclave_hal.media import EncodedFrame, MediaSink

QUEUE_FRAMES = 64
"""Frames of one stream that wait for its decoder."""
DEADLINE_S = 2.0
"""For a sink to free a decoder."""
_log = logging.getLogger(__name__)


class StreamPlayer:
    """Feeds one stream to its sink."""

    def __init__(
        self,
        name: str,
        sink: MediaSink,
        on_undecodable: Callable[[], None],
        before: "StreamPlayer | None" = None,
    ) -> None:
        """`on_undecodable` is called when the sink needs a keyframe. `before` is a player of the
        same name that is ending: a new owner of its leaf must not lose its decoder to that."""
        self.name = name
        self.frames_played = 0
        self.frames_failed = 0
        self.frames_overrun = 0
        self.fault = ""
        self._sink = sink
        self._on_undecodable = on_undecodable
        self._before = before
        self._queue: deque[EncodedFrame] = deque()
        self._must_stop = False
        self._work = asyncio.Event()
        self._ended = asyncio.Event()

    def play(self, frame: EncodedFrame) -> None:
        """Take a frame. When too many wait, all of them go and a keyframe is needed: frames
        after a hole would not decode."""
        if len(self._queue) >= QUEUE_FRAMES:
            self.frames_overrun += len(self._queue)
            self._queue.clear()
            self._on_undecodable()
            if not frame.is_keyframe:
                self.frames_overrun += 1
                return
        self._queue.append(frame)
        self._work.set()

    def stop(self) -> None:
        """Forget what waits; `run` then frees the sink's decoder and ends."""
        self._queue.clear()
        self._must_stop = True
        self._work.set()

    async def run(self) -> None:
        """Play until `stop` or cancelled."""
        if self._before is not None:
            await self._before._ended.wait()
            self._before = None
        while not self._must_stop:
            await self._work.wait()
            self._work.clear()
            while self._queue and not self._must_stop:
                await self._play_one(self._queue.popleft())
        await self.forget()

    async def forget(self) -> None:
        """Free the sink's decoder."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._sink.stop(self.name)
        except (HalError, TimeoutError) as error:
            self._note(f"cannot be stopped: {error}")
        except Exception as error:  # noqa: BLE001 - a driver's bug costs its stream, not the meeting
            self._driver_failed(error)
        finally:
            self._ended.set()

    async def _play_one(self, frame: EncodedFrame) -> None:
        try:
            is_decoded = await self._sink.play(self.name, frame)
        except HalError as error:
            self.frames_failed += 1
            self._note(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a driver's bug costs its stream, not the meeting
            self.frames_failed += 1
            self._driver_failed(error)
            return
        self.fault = ""
        if is_decoded:
            self.frames_played += 1
        else:
            self.frames_failed += 1
            self._on_undecodable()

    def _driver_failed(self, error: Exception) -> None:
        if self.fault != type(error).__name__:
            _log.error("stream %s: the driver failed", self.name, exc_info=error)
        self.fault = type(error).__name__

    def _note(self, fault: str) -> None:
        if fault != self.fault:
            _log.warning("stream %s: %s", self.name, fault)
        self.fault = fault
