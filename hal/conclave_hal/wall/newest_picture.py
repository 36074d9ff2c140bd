"""One participant's pictures, decoded, for the wall. Blocking: runs in the screen's worker."""

from collections.abc import Callable

from conclave_hal.picture_decoder import PictureDecoder
from conclave_hal.pyav import VideoFrame


class NewestPicture(PictureDecoder):
    """One participant's newest picture, and when it came."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self.newest: VideoFrame | None = None
        self.came_at = 0.0

    def _look_at(self, frame: VideoFrame) -> None:
        self.newest, self.came_at = frame, self._clock()

    def found(self) -> dict[str, str | int | float | bool]:
        """The size of the pictures."""
        newest = self.newest
        return {} if newest is None else {"width": newest.width, "height": newest.height}
