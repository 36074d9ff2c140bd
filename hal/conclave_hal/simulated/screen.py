"""The simulated screen: decodes H.264 and reads the picture code off the decoded pixels."""

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from conclave_hal.drivers import Driver
from conclave_hal.media import Codec, VideoSink
from conclave_hal.options import NoOptions
from conclave_hal.simulated.decoding_sink import DecodingSink, StreamDecoder
from conclave_hal.simulated.picture_code import PictureCode, read_code

MAX_PIXELS = 1920 * 1088
"""A participant chooses the size of its pictures, and this bounds what one can take here."""


class PictureDecoder(StreamDecoder):
    """One participant's picture."""

    def __init__(self) -> None:
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        decoder.options = {"err_detect": "explode", "flags": "low_delay", "max_pixels": str(MAX_PIXELS)}
        self._decoder = decoder
        self._code: PictureCode | None = None
        self._advances = 0

    def decode(self, data: bytes) -> bool:
        """Decode one access unit and read its code; False if no whole picture comes out."""
        try:
            frames = self._decoder.decode(Packet(data))
        except FFmpegError:
            self._decoder.flush_buffers()
            frames = []
        whole = [frame for frame in frames if not frame.is_corrupt]
        for frame in whole:
            self._look_at(frame)
        return bool(whole)

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


class SimulatedScreen(DecodingSink[PictureDecoder], VideoSink):
    """Shows every participant's picture to nobody, and reports what it saw."""

    def __init__(self) -> None:
        super().__init__(Codec.H264)

    def _new_decoder(self) -> PictureDecoder:
        return PictureDecoder()


DRIVER = Driver(NoOptions, lambda options, made: SimulatedScreen())
