"""Driver `alsa` of the slot speaker: everybody's voice, and the room's own sounds over them."""

import asyncio
import sys
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from conclave_hal.alsa.cards import is_plugged_in, require, sound_device
from conclave_hal.alsa.mixing import BLOCK_BYTES, RATE_HZ, Mixer, spread
from conclave_hal.alsa.playing import PERIOD_MS, PROGRAM, Player, playing
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceGoneError, UsageError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.media import AudioSink, Codec, EncodedFrame, StreamReport
from conclave_hal.options import Option, integer
from conclave_hal.worker import Worker

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

MAX_STREAMS = 64
"""Decoders at most: a meeting has fewer people who speak."""
MAX_ANNOUNCEMENT_S = 60
MAX_BLOCKS_A_SECOND = 100
"""Twice what a card with a clock plays."""
MAX_PACKET_BLOCKS = 6
"""An Opus packet is 120 ms at most (RFC 6716 §3.1)."""


@dataclass(frozen=True, slots=True)
class AlsaSpeakerOptions:
    """Options of a loudspeaker at a sound card."""

    device: Annotated[str, Option(sound_device(), "the card, best by its id: hw:CARD=...")]
    channels: Annotated[int, Option(integer(1, 8), "channels of the card; all hear the same")] = 2
    buffer_ms: Annotated[int, Option(integer(40, 500), "how much sound the card holds")] = 80
    jitter_ms: Annotated[
        int, Option(integer(20, 400, multiple_of=20), "how much of a voice waits before it plays")
    ] = 60


@dataclass(slots=True)
class _Stream:
    decoder: "AudioCodecContext | None" = None
    rest: bytearray = field(default_factory=bytearray)
    """Samples that do not fill a block yet."""
    report: StreamReport = field(default_factory=StreamReport)


class AlsaSpeaker(HotPlugDevice[DeviceState], AudioSink):
    """Mixes and plays. Without a card everything is decoded all the same, and heard by nobody."""

    def __init__(
        self,
        options: AlsaSpeakerOptions,
        *,
        is_there: Callable[[str], bool] = is_plugged_in,
        program: str = PROGRAM,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`program` is `aplay`; `pause` waits so many seconds."""
        super().__init__(pause=pause)
        self._options = options
        self._is_there = is_there
        self._program = program
        self._worker: Worker | None = None
        self._streams: dict[str, _Stream] = {}
        self._mixer: Mixer | None = None
        self._announcement = 0
        self._announced = asyncio.Condition()

    async def open(self) -> None:
        """Start the decoders' thread; `run` finds the card."""
        self._worker = Worker(f"speaker {self._options.device}")

    async def close(self) -> None:
        """Free the decoders. `run` has been cancelled before, and with it the sound."""
        self._streams.clear()
        if self._worker is not None:
            await self._worker.close()
        await self._publish(self._lost("closed"))

    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        """Decode a packet and queue its sound. False if it is damaged."""
        if self._worker is None:
            raise UsageError("the speaker is not open")
        if frame.codec is not Codec.OPUS:
            raise UsageError(f"a speaker was given a frame of {frame.codec.value}")
        entry = self._streams.get(stream)
        if entry is None:
            if len(self._streams) >= MAX_STREAMS:
                return False
            entry = self._streams[stream] = _Stream()
        samples = await self._worker.call(_decoded, entry, frame.data)
        before = entry.report
        entry.report = StreamReport(
            frames_decoded=before.frames_decoded + (samples is not None),
            frames_failed=before.frames_failed + (samples is None),
        )
        if samples is None:
            return False
        entry.rest += samples
        while len(entry.rest) >= BLOCK_BYTES:
            block = bytes(entry.rest[:BLOCK_BYTES])
            del entry.rest[:BLOCK_BYTES]
            if self._mixer is not None and self._streams.get(stream) is entry:
                self._mixer.say(stream, block)
        return True

    async def stop(self, stream: str) -> None:
        """Forget a stream, its decoder and what of it was not heard yet."""
        self._streams.pop(stream, None)
        if self._mixer is not None:
            self._mixer.forget(stream)

    def reports(self) -> dict[str, StreamReport]:
        """What was decoded of each stream."""
        return {name: entry.report for name, entry in self._streams.items()}

    async def announce(self, samples: bytes) -> None:
        """Play over the voices, and wait until it has been heard or another one took its place."""
        if len(samples) % 2 or len(samples) > 2 * RATE_HZ * MAX_ANNOUNCEMENT_S:
            raise UsageError("an announcement is at most a minute of 16-bit samples")
        mixer = self._mixer
        if mixer is None:
            raise DeviceGoneError(self._state.reason or f"{self._options.device} is not there")
        self._announcement += 1
        mine = self._announcement
        native = array("h", samples)
        if sys.byteorder == "big":
            native.byteswap()
        mixer.announce(native.tobytes())
        async with self._announced:
            self._announced.notify_all()
            while mine == self._announcement and self._mixer is mixer and mixer.announcement_blocks:
                await self._announced.wait()
        if self._mixer is not mixer:
            raise DeviceGoneError(f"{self._options.device} went while it played")

    async def _session(self) -> None:
        options = self._options
        require(options.device, self._is_there)
        async with playing(options.device, options.channels, options.buffer_ms, program=self._program) as out:
            mixer = Mixer(options.jitter_ms // PERIOD_MS)
            # The first block tells whether the card takes sound at all.
            await self._fill(out, mixer)
            self._mixer = mixer
            await self._publish(DeviceState(Health.READY))
            try:
                await self._keep_playing(out, mixer)
            finally:
                self._mixer = None
                await self._tell_announced()

    async def _keep_playing(self, out: Player, mixer: Mixer) -> None:
        """One block after the other: the card sets the pace."""
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        while True:
            had = mixer.announcement_blocks
            await out.write(spread(mixer.block(), self._options.channels))
            if had == 1:
                # Heard once the card has played what it holds.
                await self._fill(out, mixer)
                await self._tell_announced()
            count += 1
            if count >= MAX_BLOCKS_A_SECOND:
                # A device without a clock, such as ALSA's `null`, would take as much as the loop can make.
                await self._pause(began + 1 - loop.time())
                began, count = loop.time(), 0

    async def _fill(self, out: Player, mixer: Mixer) -> None:
        """As many blocks as card and pipe hold, so that the next one has to wait for the first."""
        for _ in range(self._options.buffer_ms // PERIOD_MS + 1):
            await out.write(spread(mixer.block(), self._options.channels))

    async def _tell_announced(self) -> None:
        async with self._announced:
            self._announced.notify_all()


def _decoded(stream: _Stream, data: bytes) -> bytes | None:
    """The samples of a packet, or None if it is damaged. Runs in the worker."""
    from conclave_hal.pyav import FFmpegError, Packet, av

    if stream.decoder is None:
        decoder = av.CodecContext.create("libopus", "r")
        decoder.sample_rate, decoder.layout = RATE_HZ, "mono"
        stream.decoder = decoder
    if not data:
        return None  # FFmpeg takes an empty packet for the end of the stream
    try:
        frames = stream.decoder.decode(Packet(data))
    except FFmpegError:
        return None
    samples = b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
    return samples[: MAX_PACKET_BLOCKS * BLOCK_BYTES] or None


DRIVER = Driver(AlsaSpeakerOptions, lambda options, made: AlsaSpeaker(options))
