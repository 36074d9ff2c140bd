"""The files of a key store: each written in one step, in a directory that only its owner may read."""

import re
from pathlib import Path

from conclaved.identity.atomic_file import fsync_directory, write_atomically
from conclaved.identity.errors import DamagedKeyError, KeyStoreError
from conclaved.identity.key_backends.backend import ENROLL_AGAIN

STEM = re.compile(r"[0-9a-f]{64}")
"""How a key is named: the SHA-256 of its SPKI."""


class KeyFiles:
    """See the file's head. Every method raises `KeyStoreError` where the disk does not do its part."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"KeyFiles({str(self._directory)!r})"

    def read(self, name: str) -> bytes | None:
        """A file's content; None if it is not there."""
        path = self._directory / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be read: {error.strerror}") from error

    def write(self, name: str, content: bytes, *, mode: int = 0o600) -> None:
        """Replaces a file, or makes it."""
        path = self._directory / name
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, content, mode=mode)
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        path = self._directory / name
        try:
            path.unlink(missing_ok=True)
            if self._directory.exists():
                fsync_directory(self._directory)
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be removed: {error.strerror}") from error

    def names(self) -> list[Path]:
        """The files that there are, in order."""
        try:
            return sorted(self._directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise KeyStoreError(f"{self._directory} cannot be read: {error.strerror}") from error

    def pointer(self, name: str) -> str | None:
        """The key that a pointer names; None if there is none. Raises `DamagedKeyError` for nonsense."""
        content = self.read(name)
        if content is None:
            return None
        stem = content.decode("ascii", "replace").strip()
        if not STEM.fullmatch(stem):
            raise DamagedKeyError(f"the key store's file {name} is damaged", hint=ENROLL_AGAIN)
        return stem

    def point(self, name: str, stem: str) -> None:
        """Lets a pointer name a key."""
        self.write(name, f"{stem}\n".encode())
