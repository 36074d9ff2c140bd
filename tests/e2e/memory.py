"""What lies in another process's memory: every readable and writable mapping of /proc/PID/mem."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 8 << 20
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")


@dataclass(frozen=True, slots=True)
class Found:
    """One copy of something that was looked for."""

    what: str
    address: int
    mapping: str
    """`[heap]`, `[stack]`, a file, or empty for anonymous memory."""


def scan(pid: int, needles: Mapping[str, bytes]) -> tuple[list[Found], int]:
    """Every copy of every needle, and how many bytes were read."""
    found: list[Found] = []
    size = 0
    overlap = max(map(len, needles.values())) - 1
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = _MAPPING.match(line)
            if match is None or not match[3].startswith("rw") or match[4] == "[vvar]":
                continue
            start, end = int(match[1], 16), int(match[2], 16)
            at, tail = start, b""
            while at < end:
                try:
                    memory.seek(at)
                    data = memory.read(min(CHUNK_BYTES, end - at))
                except OSError:
                    break
                if not data:
                    break
                window, base = tail + data, at - len(tail)
                for what, needle in needles.items():
                    where = window.find(needle)
                    while where >= 0:
                        if base + where + len(needle) > at:
                            found.append(Found(what, base + where, match[4]))
                        where = window.find(needle, where + 1)
                size += len(data)
                at += len(data)
                tail = window[-overlap:]
    return found, size
