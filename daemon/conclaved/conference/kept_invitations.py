"""The sealed invitations that a service keeps for those who have a link: opaque bytes under their hash.

In memory, and where the operator gives a directory in one file each, so that links still lead
somewhere after the service has been restarted. A file is named by the SHA-256 of what it holds,
which is also what a device asks for: whatever became of the disk, nobody is given another
invitation than the one that was left. How many and how much is bounded; beyond it the one that was
left longest ago goes.
"""

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from conclaved.conference.errors import ConferenceError
from conclaved.identity.atomic_file import write_atomically

log = logging.getLogger(__name__)

MAX_INVITATIONS = 10_000
MAX_BYTES = 256 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{64}")
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{64}\..*")


class StateError(ConferenceError):
    """The directory for invitations, or a file in it, cannot be used."""


class KeptInvitations:
    """One event loop owns it; files are read and written in threads, one at a time."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        max_invitations: int = MAX_INVITATIONS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Keep them in `directory`, which is made if it is not there; None: in memory only.

        Raises StateError when the directory cannot be used.
        """
        self._directory = directory
        self._max_invitations = max_invitations
        self._max_bytes = max_bytes
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        """By hash, the one left longest ago first."""
        self._in_memory: dict[bytes, bytes] = {}
        self._bytes = 0
        self._one_at_a_time = asyncio.Lock()
        if directory is not None:
            self._take_stock(directory)

    def __len__(self) -> int:
        return len(self._sizes)

    async def keep(self, sealed: bytes) -> bytes:
        """Keep one; returns its SHA-256. One that is there already is as good as new.

        Raises StateError when the disk does not take it: then nothing has changed.
        """
        digest = hashlib.sha256(sealed).digest()
        async with self._one_at_a_time:
            if self._directory is None:
                self._in_memory[digest] = sealed
            else:
                await asyncio.to_thread(_write, self._directory / digest.hex(), sealed)
            self._bytes += len(sealed) - self._sizes.pop(digest, 0)
            self._sizes[digest] = len(sealed)
            for oldest in self._beyond_the_limits():
                await self._drop(oldest)
        return digest

    async def find(self, digest: bytes) -> bytes | None:
        """The invitation of that hash, or None. A damaged file is none, and is removed."""
        if digest not in self._sizes or self._directory is None:
            return self._in_memory.get(digest)
        async with self._one_at_a_time:
            sealed = await asyncio.to_thread(_read, self._directory / digest.hex())
            if sealed is None or hashlib.sha256(sealed).digest() != digest:
                log.warning("the file of an invitation is lost or damaged: %s", digest.hex())
                self._bytes -= self._sizes.pop(digest, 0)
                await self._drop(digest)
                return None
        return sealed

    def _beyond_the_limits(self) -> list[bytes]:
        dropped = []
        while len(self._sizes) > self._max_invitations or self._bytes > self._max_bytes:
            digest, size = self._sizes.popitem(last=False)
            self._bytes -= size
            dropped.append(digest)
        return dropped

    async def _drop(self, digest: bytes) -> None:
        self._in_memory.pop(digest, None)
        if self._directory is not None:
            await asyncio.to_thread(_remove, self._directory / digest.hex())

    def _take_stock(self, directory: Path) -> None:
        """What is there from before; what is half written goes, what is not ours stays untouched."""
        found = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in directory.iterdir():
                if _HALF_WRITTEN.fullmatch(path.name):
                    path.unlink()
                elif _NAME.fullmatch(path.name):
                    status = path.stat()
                    found.append((status.st_mtime_ns, bytes.fromhex(path.name), status.st_size))
        except OSError as error:
            raise StateError(
                f"the directory for invitations, {directory}, cannot be used: {error.strerror}",
                hint="choose another --state",
            ) from error
        for _, digest, size in sorted(found):
            self._sizes[digest] = size
            self._bytes += size
        for digest in self._beyond_the_limits():
            _remove(directory / digest.hex())


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data, mode=0o600)
    except OSError as error:
        raise StateError(f"an invitation cannot be stored: {error.strerror}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
