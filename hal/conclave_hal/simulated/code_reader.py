"""One participant's pictures, decoded, and the code in them. Blocking: runs in the screen's worker."""

from conclave_hal.picture_decoder import PictureDecoder
from conclave_hal.pyav import VideoFrame
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
