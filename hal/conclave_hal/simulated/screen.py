"""The simulated screen: decodes H.264 and reads the picture code off the decoded pixels."""

from typing import TYPE_CHECKING

from conclave_hal.decoding_sink import DecodingSink
from conclave_hal.drivers import Driver
from conclave_hal.media import Codec, VideoSink
from conclave_hal.options import NoOptions

if TYPE_CHECKING:
    from conclave_hal.simulated.code_reader import CodeReader


class SimulatedScreen(DecodingSink["CodeReader"], VideoSink):
    """Shows every participant's picture to nobody, and reports what it saw."""

    codec = Codec.H264

    def _new_decoder(self) -> "CodeReader":
        from conclave_hal.simulated.code_reader import CodeReader  # FFmpeg: see `ffmpeg`

        return CodeReader()


DRIVER = Driver(NoOptions, lambda options, made: SimulatedScreen())
