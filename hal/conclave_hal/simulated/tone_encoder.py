"""The tone that the simulated microphone hears, as Opus. Blocking: runs in the device's worker."""

from fractions import Fraction

from conclave_hal.pyav import AudioFrame, av
from conclave_hal.simulated.tone import FRAME_SAMPLES, SAMPLE_RATE_HZ, tone_frames

_BIT_RATE = 32_000


class ToneEncoder:
    """One Opus stream. Raises FFmpegError or UnknownCodecError where FFmpeg refuses."""

    def __init__(self, frequency_hz: int) -> None:
        self._tone = tone_frames(frequency_hz)
        encoder = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.format, encoder.layout = SAMPLE_RATE_HZ, "s16", "mono"
        encoder.time_base = Fraction(1, SAMPLE_RATE_HZ)
        encoder.bit_rate = _BIT_RATE
        encoder.options = {"frame_duration": "20", "application": "audio", "compression_level": "4"}
        encoder.open()
        self._encoder = encoder

    def packet(self, tick: int, *, is_silent: bool) -> bytes:
        """The 20 ms that begin at `tick` times 20 ms; empty while the encoder still holds them."""
        heard = bytes(2 * FRAME_SAMPLES) if is_silent else self._tone[tick % len(self._tone)]
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = tick * FRAME_SAMPLES
        frame.planes[0].update(heard)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))
