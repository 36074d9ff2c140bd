"""The records of meetings on disk: one signed token a file, the newest hundred, and 64 MiB at most.

A record is written anew while its meeting lasts, whole each time: whoever pulls the plug leaves
the one before. A file's name is all that the bus hands in and out, and it is checked before it
becomes a path.
"""

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically

AUDIT_DIRECTORY = "audit"
"""In the state directory."""
KEPT = 100
SUFFIX = ".jws"
KEPT_BYTES = 64 * 1024 * 1024
MAX_RECORD_BYTES = 16 * 1024 * 1024
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def audit_name(began: int, meeting_id: bytes) -> str:
    """The name of a meeting's record: `began` is seconds since 1970. Names sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(began))}-{meeting_id[:4].hex()}"


@dataclass(frozen=True, slots=True)
class AuditFiles:
    """The directory that they lie in."""

    directory: Path

    def names(self) -> tuple[str, ...]:
        """The records that are kept, the newest first. A directory that is not there has none."""
        try:
            found = [path.stem for path in self.directory.glob(f"*{SUFFIX}")]
        except OSError:
            return ()
        return tuple(sorted((name for name in found if _NAME.fullmatch(name)), reverse=True))

    def read(self, name: str) -> str | None:
        """The token of that name, or None where there is no such record. Raises OSError."""
        if not _NAME.fullmatch(name):
            return None
        try:
            with self._path(name).open("rb") as file:
                return file.read(MAX_RECORD_BYTES).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None

    def save(self, name: str, token: str) -> None:
        """Write a record in one step, mode 0600, and drop the oldest beyond what is kept. Raises OSError."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        write_atomically(self._path(name), token.encode("ascii") + b"\n", mode=0o600)
        size = 0
        for number, old in enumerate(self.names()):
            with contextlib.suppress(OSError):
                size += self._path(old).stat().st_size
                if old != name and (number >= KEPT or size > KEPT_BYTES):
                    self._path(old).unlink()

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}{SUFFIX}"
