"""One participant's H.264, decoded. Blocking: runs in a sink's worker."""

from abc import abstractmethod

from conclave_hal.decoding_sink import StreamDecoder
from conclave_hal.pyav import FFmpegError, Packet, VideoFrame, av

MAX_PIXELS = 1920 * 1088
"""A participant chooses the size of its pictures, and this bounds what one can take here."""


class PictureDecoder(StreamDecoder):
    """Decodes; what the pictures are for, a subclass knows."""

    def __init__(self) -> None:
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        decoder.options = {"err_detect": "explode", "flags": "low_delay", "max_pixels": str(MAX_PIXELS)}
        self._decoder = decoder

    def decode(self, data: bytes) -> bool:
        """Decode one access unit and look at its picture; False if no whole picture comes out."""
        try:
            frames = self._decoder.decode(Packet(data))
        except FFmpegError:
            self._decoder.flush_buffers()
            frames = []
        whole = [frame for frame in frames if not frame.is_corrupt]
        for frame in whole:
            self._look_at(frame)
        return bool(whole)

    @abstractmethod
    def _look_at(self, frame: VideoFrame) -> None:
        """A whole picture."""
