"""The disk: partitions as the board's layout tells, the same version in both slots, data left blank."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.building.programs import BuildError, run

SIZE_BYTES = 1 << 30
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is, in bytes."""

    start: int
    length: int


def write_disk(target: Path, layout: Path, fit: Path, root: Path) -> None:
    """A sparse file of `SIZE_BYTES`. Raises BuildError if something does not fit."""
    with target.open("wb") as disk:
        disk.truncate(SIZE_BYTES)
    found = partition(target, layout)
    for slot in ("a", "b"):
        for name, content in (("kernel", fit), ("root", root)):
            _put(content, target, found[f"{name}-{slot}"], f"{name}-{slot}")


def partition(disk: Path, layout: Path) -> dict[str, Partition]:
    """Write the layout to the disk; returns the partitions by name."""
    try:
        subprocess.run(
            ["/usr/sbin/sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(disk)],
            input=layout.read_bytes(),
            capture_output=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise BuildError(f"sfdisk: {error}: {said.decode(errors='replace').strip()}") from error
    return partitions(disk)


def partitions(disk: Path) -> dict[str, Partition]:
    """The partitions of a disk by name."""
    told = json.loads(run(["sfdisk", "--json", disk]))
    return {
        one["name"]: Partition(one["start"] * SECTOR, one["size"] * SECTOR)
        for one in told["partitiontable"]["partitions"]
    }


def _put(content: Path, disk: Path, where: Partition, name: str) -> None:
    length = content.stat().st_size
    if length > where.length:
        raise BuildError(
            f"{content.name} has {length} bytes, and {name} room for {where.length}",
            hint="make it smaller, or the partition larger",
        )
    with content.open("rb") as source, disk.open("r+b") as target:
        target.seek(where.start)
        shutil.copyfileobj(source, target, 1 << 20)
