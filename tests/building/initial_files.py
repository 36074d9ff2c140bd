"""Writes an initial file system for Linux: a cpio archive in its `newc` form.

(Documentation/driver-api/early-userspace/buffer-format.rst.) Several such archives one after the other
are one file system, a later one added to those before it.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a folder or a link, owned by root."""

    path: str
    """Without a leading slash; its folders come before it."""
    mode: int
    """Kind and rights, as `stat` has them."""
    content: bytes = b""
    """A link's is its target."""


def file(path: str, content: bytes, *, is_program: bool = False) -> Entry:
    """A plain file."""
    return Entry(path, stat.S_IFREG | (0o755 if is_program else 0o644), content)


def folder(path: str) -> Entry:
    """An empty folder."""
    return Entry(path, stat.S_IFDIR | 0o755)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive of `entries`, its length a multiple of four."""
    made = [_one(number, entry) for number, entry in enumerate(entries, 1)]
    return b"".join([*made, _one(0, Entry(_TRAILER, 0))])


def _one(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    # inode, mode, uid, gid, links, time, size, device, node's device, length of the name, check
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(head + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
