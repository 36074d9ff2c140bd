"""The simulated screen: decodes H.264 and reads the picture code off the decoded pixels."""

from av.video.frame import VideoFrame

from conclave_hal.decoding_sink import DecodingSink
from conclave_hal.drivers import Driver
from conclave_hal.media import Codec, VideoSink
from conclave_hal.options import NoOptions
from conclave_hal.picture_decoder import PictureDecoder
from conclave_hal.simulated.picture_code import PictureCode, read_code


class CodeReader(PictureDecoder):
    """One participant's picture."""

    def __init__(self) -> None:
        super().__init__()
        self._code: PictureCode | None = None
        self._advances = 0

    def _look_at(self, frame: VideoFrame) -> None:
        if not frame.format.name.startswith("yuv"):
            return
        plane = frame.planes[0]
        code = read_code(memoryview(plane), plane.line_size, frame.width, frame.height)
        if code is None:
            return
        if self._code is not None and 0 < (code.counter - self._code.counter) % 2**32 < 2**31:
            self._advances += 1
        self._code = code

    def found(self) -> dict[str, str | int | float | bool]:
        """`counter`, `counter_advances` and `name`, once a code has been read."""
        if self._code is None:
            return {}
        return {
            "counter": self._code.counter,
            "counter_advances": self._advances,
            "name": self._code.name,
        }


class SimulatedScreen(DecodingSink[CodeReader], VideoSink):
    """Shows every participant's picture to nobody, and reports what it saw."""

    codec = Codec.H264

    def _new_decoder(self) -> CodeReader:
        return CodeReader()


DRIVER = Driver(NoOptions, lambda options, made: SimulatedScreen())
