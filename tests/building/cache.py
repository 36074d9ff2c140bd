"""Results of builds in the user's cache: made by one builder at a time, there in whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder `conclave/NAME` in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "conclave" / name


@contextmanager
def only_one_builder(lock: Path) -> Iterator[None]:
    """Hold `lock`, a file whose folder need not be there yet; waits for whoever holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def made(wanted: Path, make: Callable[[Path], None], *, keep: int) -> Path:
    """The folder `wanted`, made by `make` in a scratch folder beside it if it is not there.

    Its name is NAME-HASH: of older ones with the same NAME, the `keep` - 1 last used stay.
    """
    if not wanted.exists():
        name = wanted.name.rpartition("-")[0]
        with only_one_builder(wanted.parent / f"{name}.lock"):
            if not wanted.exists():
                # What builders left who were killed: who holds the lock is the only one.
                for left in wanted.parent.glob(f".{name}.*"):
                    shutil.rmtree(left, ignore_errors=True)
                with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=f".{name}.") as scratch:
                    part = Path(scratch, "part")
                    part.mkdir()
                    make(part)
                    part.rename(wanted)
                _forget(wanted.parent, name, keep)
    os.utime(wanted)
    return wanted


def _forget(folder: Path, name: str, keep: int) -> None:
    found = [path for path in folder.iterdir() if path.name.rpartition("-")[0] == name]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)
