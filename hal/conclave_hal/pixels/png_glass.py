"""A glass that is a PNG file: to see the panel without a screen, in tests and in the demo."""

import os
import secrets
from pathlib import Path

from PIL import Image

from conclave_hal.pixels.glass import Glass


class PngGlass(Glass):
    """Writes each picture to a file, in one step: a reader sees the old one or the new one."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        """Raises OSError without the folder for it."""
        self.name = str(path)
        self.width = width
        self.height = height
        self._path = path
        # As a monitor that is not plugged in: without its folder there is no picture.
        path.parent.stat()
        self._identity: tuple[int, int] | None = None

    def show(self, picture: Image.Image) -> None:
        """Mode 0600: the security code is on it."""
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                # Palette pictures are small, but letters on them look worse.
                picture.save(file, "PNG", compress_level=1)
                kept = os.fstat(file.fileno())
                self._identity = (kept.st_dev, kept.st_ino)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def check(self) -> None:
        """The folder is there, and the file is still the one that was written."""
        self._path.parent.stat()
        if self._identity is not None:
            found = self._path.stat()
            if (found.st_dev, found.st_ino) != self._identity:
                raise FileNotFoundError(2, "another file stands in the picture's place", self.name)

    def close(self) -> None:
        """Take the file away: nobody is to take an old picture for the present one."""
        if self._identity is not None:
            self._identity = None
            self._path.unlink(missing_ok=True)
