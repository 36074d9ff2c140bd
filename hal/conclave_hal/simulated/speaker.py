"""The simulated speaker: decodes Opus and measures the pitch of the decoded samples."""

from typing import TYPE_CHECKING

from conclave_hal.decoding_sink import DecodingSink
from conclave_hal.drivers import Driver
from conclave_hal.errors import UsageError
from conclave_hal.media import AudioSink, Codec, StreamReport
from conclave_hal.options import NoOptions
from conclave_hal.simulated.tone import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from conclave_hal.simulated.sound_decoder import SoundDecoder


class SimulatedSpeaker(DecodingSink["SoundDecoder"], AudioSink):
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

    def _new_decoder(self) -> "SoundDecoder":
        from conclave_hal.simulated.sound_decoder import SoundDecoder  # FFmpeg: see `ffmpeg`

        return SoundDecoder()


DRIVER = Driver(NoOptions, lambda options, made: SimulatedSpeaker())
