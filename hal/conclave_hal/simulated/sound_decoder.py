"""One participant's Opus, decoded, and the pitch of its samples. Blocking: runs in the speaker's worker."""

from array import array

from conclave_hal.decoding_sink import StreamDecoder
from conclave_hal.pyav import FFmpegError, Packet, av
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
