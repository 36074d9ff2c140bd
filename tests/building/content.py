"""Hashes of what a result is made of: it is made anew exactly if one of them changes."""

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = frozenset({"__pycache__"})
DIGITS = 16


def digest_of(parts: Iterable[str | bytes]) -> str:
    """A name for `parts` in their order; no two lists of parts run into each other."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:DIGITS]


def digest_of_files(*paths: Path) -> str:
    """A name for the content of files and folders: names, kinds, who may run them, bytes; no dates."""
    return digest_of(part for path in paths for part in _parts(path))


def _parts(top: Path) -> Iterable[str | bytes]:
    if not top.exists():
        yield "nothing"
        return
    for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
        name = str(path.relative_to(top))
        if LEFT_OUT.intersection(path.parts):
            continue
        if path.is_symlink():
            yield from ("link", name, str(path.readlink()))
        elif path.is_dir():
            yield from ("folder", name)
        else:
            is_program = bool(path.stat().st_mode & stat.S_IXUSR)
            yield from ("program" if is_program else "file", name, hashlib.sha256(path.read_bytes()).digest())
