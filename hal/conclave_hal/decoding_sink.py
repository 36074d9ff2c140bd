"""What screens and the simulated speaker share: one decoder for each stream, in one thread.

A stream that gets more frames than the thread can decode loses them: what waits is bounded by
`MAX_WAITING` frames a stream, and video then starts again at a keyframe.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from conclave_hal.device import DeviceState, Health
from conclave_hal.errors import UsageError
from conclave_hal.media import Codec, EncodedFrame, MediaSink, StreamReport
from conclave_hal.worker import Worker

MAX_WAITING = 8


class StreamDecoder(ABC):
    """Decodes one stream and remembers what it found. Decodes in one thread, is asked in another."""

    @abstractmethod
    def decode(self, data: bytes) -> bool:
        """Decode one frame; False if it is damaged. Never raises for a damaged one."""

    @abstractmethod
    def found(self) -> dict[str, str | int | float | bool]:
        """What the decoded frames show, for `StreamReport.detail`."""


D = TypeVar("D", bound=StreamDecoder)


@dataclass(slots=True)
class _Stream(Generic[D]):
    decoder: D | None = None
    waiting: int = 0
    """Frames handed to the worker and not decoded yet."""
    chain: int = 0
    """How often a frame was dropped: frames after a drop belong to another chain of references."""
    whole_chain: int | None = None
    """The chain whose frames so far have all been decoded, from its keyframe on. The worker's."""
    report: StreamReport = field(default_factory=StreamReport)


class DecodingSink(MediaSink, Generic[D]):
    """A sink that decodes and hands the outcome to its decoders."""

    codec: ClassVar[Codec]
    """What it takes."""

    def __init__(self) -> None:
        super().__init__()
        self._worker: Worker | None = None
        self._streams: dict[str, _Stream[D]] = {}

    def _start(self) -> None:
        """Begin to take frames."""
        self._worker = Worker(f"{self.codec.value} sink")

    def _decoders(self) -> list[D]:
        """Those of all streams, in the order in which they came."""
        return [entry.decoder for entry in self._streams.values() if entry.decoder is not None]

    @abstractmethod
    def _new_decoder(self) -> D:
        """A decoder for one stream. Runs in the worker."""

    async def open(self) -> None:
        """Start the worker."""
        self._start()
        await self._publish(DeviceState(Health.READY))

    async def close(self) -> None:
        """Free all decoders and end the thread. Safe to call twice."""
        self._streams.clear()
        if self._worker is not None:
            await self._worker.close()

    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        """Decode one frame; False if it could not be, and video then waits for a keyframe.

        Raises UsageError before `open` or for another codec's frame, DeviceGoneError after `close`.
        """
        if self._worker is None:
            raise UsageError("the sink is not open")
        if frame.codec is not self.codec:
            raise UsageError(f"a {self.codec.value} sink was given a frame of {frame.codec.value}")
        entry = self._streams.setdefault(stream, _Stream())
        if entry.waiting >= MAX_WAITING:
            entry.chain += 1
            is_decoded = False
        else:
            entry.waiting += 1
            try:
                is_decoded = await self._worker.call(self._decode, entry, frame, entry.chain)
            finally:
                entry.waiting -= 1
        before = entry.report
        entry.report = StreamReport(
            frames_decoded=before.frames_decoded + is_decoded,
            frames_failed=before.frames_failed + (not is_decoded),
            detail=entry.decoder.found() if entry.decoder is not None else {},
        )
        return is_decoded

    async def stop(self, stream: str) -> None:
        """Forget a stream and its decoder."""
        self._streams.pop(stream, None)

    def reports(self) -> dict[str, StreamReport]:
        """What was found in each stream that plays."""
        return {name: entry.report for name, entry in self._streams.items()}

    def _decode(self, entry: _Stream[D], frame: EncodedFrame, chain: int) -> bool:
        if entry.decoder is None:
            entry.decoder = self._new_decoder()
        if not frame.is_keyframe and entry.whole_chain != chain:
            return False
        # FFmpeg takes an empty packet for the end of the stream and decodes nothing after it.
        is_decoded = bool(frame.data) and entry.decoder.decode(frame.data)
        if not is_decoded:
            entry.whole_chain = None
        elif frame.is_keyframe:
            entry.whole_chain = chain
        return is_decoded
