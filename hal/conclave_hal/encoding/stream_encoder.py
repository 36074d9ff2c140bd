"""The encoder that all drivers of the slot are: a list of codecs, the first of which that works is used.

FFmpeg is only loaded when the first stream begins, in the encoder's thread: a room without a camera pays
nothing for its encoder.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from conclave_hal.camera import Picture, PictureFormat, VideoEncoder, VideoEncoderState
from conclave_hal.device import Health
from conclave_hal.encoding.h264_stream import V4L2M2M, H264Stream, Stream, StreamSettings
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, HalError, UsageError
from conclave_hal.media import EncodedFrame
from conclave_hal.options import Option, integer
from conclave_hal.worker import Worker

DEADLINE_S = 5.0
"""For an encoder to take one picture or to begin a stream; a hung one is given up."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Options of an encoder."""

    max_kbit_s: Annotated[int, Option(integer(64, 20_000), "the most that a picture stream may take")] = 4000


@dataclass(slots=True)
class _Running:
    settings: StreamSettings
    stream: Stream


class StreamEncoder(VideoEncoder):
    """Encodes with the first of its codecs that this machine has."""

    def __init__(
        self,
        codecs: tuple[str, ...],
        options: EncoderOptions,
        *,
        begin: Callable[[StreamSettings], Stream] = H264Stream,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`begin` opens one stream, `deadline_s` is for each answer of a codec."""
        super().__init__()
        self._codecs = codecs
        self._max_bit_rate = 1000 * options.max_kbit_s
        self._begin = begin
        self._deadline_s = deadline_s
        self._worker: Worker | None = None
        self._running: _Running | None = None
        # What broke in the middle of a stream is not tried again where there is something else.
        self._broken: set[str] = set()

    async def open(self) -> None:
        """Nothing to acquire before the first stream."""
        self._worker = Worker("video encoder")
        await self._publish(VideoEncoderState(Health.READY))

    async def close(self) -> None:
        """End the stream and the thread. Safe to call twice."""
        self._running = None
        if self._worker is not None:
            await self._worker.close()

    async def configure(self, picture: PictureFormat, bit_rate: int) -> None:
        """Begin a stream with the first codec that can. Raises DeviceError if none can."""
        await self.end_stream()
        refused: list[str] = []
        for codec in [codec for codec in self._codecs if codec not in self._broken] or self._codecs:
            settings = StreamSettings(codec, picture, min(bit_rate, self._max_bit_rate))
            try:
                stream = await self._call(_begun, self._begin, settings)
            except (DeviceError, DeviceTimeoutError) as error:
                refused.append(f"{codec}: {error}")
                continue
            self._running = _Running(settings, stream)
            await self._publish(VideoEncoderState(Health.READY, "", codec, codec == V4L2M2M))
            return
        reason = "; ".join(refused)
        # Not FAILED: that would wait for a plug, and what helps is to begin another stream.
        await self._publish(VideoEncoderState(Health.DEGRADED, f"cannot encode: {reason}"))
        raise DeviceError(
            f"no encoder for {picture.width} x {picture.height}: {reason}",
            hint='driver "auto" of [video_encoder] uses what the machine has',
        )

    async def encode(self, picture: Picture, *, is_keyframe: bool = False) -> EncodedFrame | None:
        """Encode in the worker, with a deadline."""
        running = self._running
        if running is None:
            raise UsageError("the encoder has no stream; configure it first")
        wanted, size = running.settings.format, f"{picture.width} x {picture.height}"
        if (picture.width, picture.height) != (wanted.width, wanted.height):
            raise UsageError(f"a picture of {size} in a stream of {wanted.width} x {wanted.height}")
        if len(picture.data) != picture.width * picture.height * 3 // 2:
            raise UsageError(f"a picture of {size} in {len(picture.data)} bytes")
        try:
            frame = await self._call(_encoded, running.stream, picture, is_keyframe)
        except (DeviceError, DeviceTimeoutError) as error:
            if self._running is running:
                self._running = None
                await self._note_broken(running.settings.codec, error)
            raise DeviceGoneError(f"{running.settings.codec} failed: {error}") from error
        # If the stream ended meanwhile, so did every picture in it.
        return frame if self._running is running else None

    async def set_bit_rate(self, bit_rate: int) -> None:
        """FFmpeg cannot change an open encoder: a new stream begins at the next picture."""
        running = self._running
        if running is not None and min(bit_rate, self._max_bit_rate) != running.settings.bit_rate:
            await self.configure(running.settings.format, bit_rate)

    async def end_stream(self) -> None:
        """Forget the stream. What the worker still encodes comes to nobody."""
        running, self._running = self._running, None
        if running is not None:
            await self._call(running.stream.close)

    async def _call(self, function: Callable[..., T], *arguments: object) -> T:
        if self._worker is None:
            raise UsageError("the encoder is not open")
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._worker.call(function, *arguments)
        except TimeoutError as error:
            # Its thread cannot be stopped; another one goes on without it.
            self._worker.abandon()
            self._worker = Worker("video encoder")
            raise DeviceTimeoutError(f"the encoder does not answer for {self._deadline_s:g} s") from error

    async def _note_broken(self, codec: str, error: HalError) -> None:
        self._broken.add(codec)
        _log.warning("%s failed: %s", codec, error)
        await self._publish(VideoEncoderState(Health.DEGRADED, f"{codec} failed: {error}"))


def _begun(begin: Callable[[StreamSettings], Stream], settings: StreamSettings) -> Stream:
    from conclave_hal.pyav import FFmpegError, UnknownCodecError

    try:
        return begin(settings)
    except (FFmpegError, UnknownCodecError) as error:
        raise DeviceError(_reason(error)) from error


def _encoded(stream: Stream, picture: Picture, is_keyframe: bool) -> EncodedFrame | None:
    from conclave_hal.pyav import FFmpegError

    try:
        return stream.encode(picture, is_keyframe)
    except FFmpegError as error:
        raise DeviceError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
