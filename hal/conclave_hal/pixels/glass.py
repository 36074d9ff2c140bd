"""A glass: something that shows a picture and can say whether it still does.

Everything here blocks and belongs to one thread (the panel's worker).
"""

from abc import ABC, abstractmethod

from PIL import Image

from conclave_hal.errors import DeviceError
from conclave_hal.pixels.kernel import Mapping

CHECKED_ROWS = 64
"""So many rows, spread over the picture, are read back: graphics memory is slow to read on small boards."""


class Glass(ABC):
    """What a picture goes to."""

    name: str
    """For messages: which device, and which connector of it."""
    width: int
    height: int
    """As the hardware has them, before the panel's rotation."""

    @abstractmethod
    def show(self, picture: Image.Image) -> None:
        """Put a picture (mode RGB, of the glass's size) on the screen; returns when it is there.

        Raises OSError or DeviceGoneError when the screen has gone, DeviceError when another picture
        is on it afterwards.
        """

    @abstractmethod
    def check(self) -> None:
        """Whether what was shown last is still what the screen shows. Raises as `show` does."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back. Safe to call twice."""


class MappedPicture:
    """A picture in mapped memory: written row by row where the rows are padded, and read back."""

    def __init__(self, memory: Mapping, width_bytes: int, height: int, pitch: int, start: int = 0) -> None:
        self._memory = memory
        self._width = width_bytes
        self._height = height
        self._pitch = pitch
        self._start = start
        self._written = b""

    def write(self, data: bytes, name: str) -> None:
        """All rows, and read some back. Raises DeviceError if the memory holds something else."""
        if self._pitch == self._width:
            self._memory[self._start : self._start + len(data)] = data
        else:
            for row in range(self._height):
                at = self._start + row * self._pitch
                self._memory[at : at + self._width] = data[row * self._width : (row + 1) * self._width]
        self._written = data
        self.check(name)

    def check(self, name: str) -> None:
        """Raises DeviceError if what was written is not there any more."""
        if not self._written:
            return
        for row in range(0, self._height, max(1, self._height // CHECKED_ROWS)):
            at = self._start + row * self._pitch
            if (
                self._memory[at : at + self._width]
                != self._written[row * self._width : (row + 1) * self._width]
            ):
                raise DeviceError(f"{name} shows something else than what was drawn")
