"""The simulated speaker: decodes Opus and measures the pitch of the decoded samples."""

from array import array

import av
from av.error import FFmpegError
from av.packet import Packet

from conclave_hal.decoding_sink import DecodingSink, StreamDecoder
from conclave_hal.drivers import Driver
from conclave_hal.errors import UsageError
from conclave_hal.media import AudioSink, Codec, StreamReport
from conclave_hal.options import NoOptions
from conclave_hal.simulated.tone import FRAME_SAMPLES, SAMPLE_RATE_HZ, dominant_frequency_hz, samples_of

BLOCK_SAMPLES = 5 * FRAME_SAMPLES
"""100 ms: ten periods of the lowest tone."""
INTERVAL_SAMPLES = SAMPLE_RATE_HZ
"""A second from one measurement to the next, because a tone seldom changes and counting costs."""


class SoundDecoder(StreamDecoder):
    """One participant's sound."""

    def __init__(self) -> None:
        decoder = av.CodecContext.create("libopus", "r")
        decoder.sample_rate, decoder.layout = SAMPLE_RATE_HZ, "mono"
        self._decoder = decoder
        self._block: array[int] = array("h")
        # The first packets fade in; the first block starts after them.
        self._until_block = BLOCK_SAMPLES
        self._samples = 0
        self._frequency_hz: float | None = None

    def decode(self, data: bytes) -> bool:
        """Decode one packet; False if it is no Opus packet."""
        try:
            frames = self._decoder.decode(Packet(data))
        except FFmpegError:
            return False
        for frame in frames:
            self._listen(samples_of(bytes(frame.planes[0])[: 2 * frame.samples]))
        return bool(frames)

    def _listen(self, samples: "array[int]") -> None:
        self._samples += len(samples)
        if self._until_block > 0:
            self._until_block -= len(samples)
            return
        self._block += samples
        if len(self._block) >= BLOCK_SAMPLES:
            self._frequency_hz = dominant_frequency_hz(self._block)
            self._block = array("h")
            self._until_block = INTERVAL_SAMPLES - BLOCK_SAMPLES

    def found(self) -> dict[str, str | int | float | bool]:
        """`seconds` decoded, and `frequency_hz` once it has been measured (0.0 is silence)."""
        found: dict[str, str | int | float | bool] = {"seconds": self._samples / SAMPLE_RATE_HZ}
        if self._frequency_hz is not None:
            found["frequency_hz"] = round(self._frequency_hz, 1)
        return found


class SimulatedSpeaker(DecodingSink[SoundDecoder], AudioSink):
    """Plays every participant's sound to nobody, and reports what it heard."""

    codec = Codec.OPUS

    def __init__(self) -> None:
        super().__init__()
        self._announced = 0
        self._announced_samples = 0

    async def announce(self, samples: bytes) -> None:
        """Heard by nobody and counted: as the stream `announcements` of the reports."""
        if len(samples) % 2 or len(samples) > 2 * 60 * SAMPLE_RATE_HZ:
            raise UsageError("an announcement is at most a minute of 16-bit samples")
        self._announced += bool(samples)
        self._announced_samples += len(samples) // 2

    def reports(self) -> dict[str, StreamReport]:
        """What was found in each stream that plays, and what was announced."""
        if not self._announced:
            return super().reports()
        seconds = self._announced_samples / SAMPLE_RATE_HZ
        heard = StreamReport(frames_decoded=self._announced, detail={"seconds": seconds})
        return {**super().reports(), "announcements": heard}

    def _new_decoder(self) -> SoundDecoder:
        return SoundDecoder()


DRIVER = Driver(NoOptions, lambda options, made: SimulatedSpeaker())
