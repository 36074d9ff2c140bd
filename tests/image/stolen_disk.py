"""What somebody reads who has a device's disk and nothing else of it."""

import json
import mmap
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECTOR_BYTES = 512
PARTITION = "data"
CORRECTED = 1
"""What e2fsck says after it has replayed what the power cut left in the journal (e2fsck(8))."""


class DiskError(Exception):
    """The disk cannot be read."""


def steal(disk: Path, folder: Path) -> Path:
    """A copy of the data partition in `folder`, with its file system in order. Raises DiskError."""
    table = json.loads(_run("sfdisk", "--json", str(disk)))["partitiontable"]["partitions"]
    start, size = next((part["start"], part["size"]) for part in table if part.get("name") == PARTITION)
    copy = folder / "stolen"
    words = (f"if={disk}", f"of={copy}", f"skip={start * SECTOR_BYTES}", f"count={size * SECTOR_BYTES}")
    _run("dd", *words, "bs=4M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none")
    _run("e2fsck", "-fy", str(copy), may_end_with=CORRECTED)
    return copy


def take(partition: Path, path: str, folder: Path) -> Path:
    """Copy what is at `path` of the partition, `/lib/conclave` for the device's `/var/lib/conclave`."""
    folder.mkdir(exist_ok=True)
    _run("debugfs", "-R", f'rdump "{path}" "{folder}"', str(partition))
    found = folder / path.rsplit("/", 1)[-1]
    if not found.exists():
        raise DiskError(f"nothing is at {path}")
    return found


@contextmanager
def raw(partition: Path) -> Iterator[mmap.mmap]:
    """All bytes of the partition, deleted files and the journal of its file system among them."""
    with partition.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _run(*words: str, may_end_with: int = 0) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DiskError(f"{words[0]}: {error} (apt-get install fdisk e2fsprogs)") from error
    if done.returncode not in (0, may_end_with):
        raise DiskError(f"{words[0]} failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout
