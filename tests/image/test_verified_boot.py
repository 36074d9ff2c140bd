"""One byte on the disk is not the maker's: that slot does not start, and the other one does.

Slots are tried once here, not three times as a device does: the boot loader's counters are set so.
"""

import asyncio
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.image.build.disk import Partition, partitions
from tests.image.build.image import Image
from tests.image.conftest import Make
from tests.image.machine import Machine

TAKES_OVER_S = 240.0
GIVES_UP_S = 240.0
ENVIRONMENT_SIZE = 512
HASH_DOES_NOT_HOLD = "Bad hash value for 'hash' hash node in 'kernel' image node"
SIGNATURE_DOES_NOT_HOLD = "Failed to verify required signature"
"""U-Boot's words: the signature is over the hashes, and the hashes over what boots."""
GZIP = b"\x1f\x8b\x08"
BLOCK = 4096


def superblock(built: Image) -> int:
    """The number of inodes, in the root's superblock: read first of all."""
    return 4


def directories(built: Image) -> int:
    """The table of directories, which nothing is found without (the superblock has its place at 72)."""
    with built.root.open("rb") as root:
        root.seek(72)
        return int.from_bytes(root.read(8), "little") + 16


def hash_tree(built: Image) -> int:
    """The top of dm-verity's tree: the block after the one that describes it."""
    with built.root.open("rb") as root:
        root.seek(40)
        length = int.from_bytes(root.read(8), "little")
    return -(-length // BLOCK) * BLOCK + BLOCK


def kernel(built: Image) -> int:
    """In the middle of the kernel's image."""
    return 4_000_000


Place = Callable[[Image], int]


@pytest.mark.parametrize("place", [superblock, directories, hash_tree], ids=lambda place: place.__name__)
async def test_a_slot_with_an_altered_root_does_not_start(
    make_machine: Make, built: Image, place: Place
) -> None:
    machine = make_machine()
    alter(machine.disk, "root-a", place(built))
    await _starts_from_b(machine)


async def test_a_slot_with_an_altered_kernel_does_not_start(make_machine: Make, built: Image) -> None:
    machine = make_machine()
    alter(machine.disk, "kernel-a", kernel(built))
    await _starts_from_b(machine)
    assert HASH_DOES_NOT_HOLD in machine.console_text()


async def test_a_slot_with_an_altered_kernel_and_its_right_hash_does_not_start(
    make_machine: Make,
) -> None:
    machine = make_machine()
    forge(machine.disk, "kernel-a")
    await _starts_from_b(machine)
    assert SIGNATURE_DOES_NOT_HOLD in machine.console_text()


@pytest.mark.parametrize("part", ["root", "kernel"])
async def test_with_both_slots_altered_nothing_of_ours_ever_runs(
    make_machine: Make, built: Image, part: str
) -> None:
    machine = make_machine()
    for slot in "ab":
        alter(machine.disk, f"{part}-{slot}", superblock(built) if part == "root" else kernel(built))
    try_once(machine.disk)
    await machine.start()
    # Both have been tried, and the first one again.
    await has_started(machine, 4)
    said = machine.console_text()
    assert "systemd" not in said.lower().replace("systemd.show_status", "")
    assert not (await root_console_has_answered(machine))


async def _starts_from_b(machine: Machine) -> None:
    try_once(machine.disk)
    await machine.start()
    await machine.until_ready(TAKES_OVER_S)
    assert "rauc.slot=B" in await machine.root.run("cat /proc/cmdline")
    assert starts(machine) >= 2


def alter(disk: Path, name: str, offset: int) -> None:
    """Change one byte of a partition."""
    where: Partition = partitions(disk)[name]
    with disk.open("r+b") as file:
        file.seek(where.start + offset)
        byte = file.read(1)[0]
        file.seek(where.start + offset)
        file.write(bytes([byte ^ 0x01]))


def forge(disk: Path, name: str) -> None:
    """Change one byte of a slot's kernel, and its hash in the FIT with it."""
    where = partitions(disk)[name]
    with disk.open("r+b") as file:
        file.seek(where.start)
        held = file.read(where.length)
        # A property's length and the offset of its name come before it (Devicetree Specification §5.4.1).
        begin = held.index(GZIP)
        kernel = held[begin : begin + int.from_bytes(held[begin - 8 : begin - 4], "big")]
        forged = bytearray(kernel)
        forged[len(forged) // 2] ^= 0x01
        assert held.count(sha256(kernel).digest()) == 1
        held = held.replace(kernel, forged).replace(sha256(kernel).digest(), sha256(forged).digest())
        file.seek(where.start)
        file.write(held)


def try_once(disk: Path) -> None:
    """Let the boot loader try each slot once."""
    text = b"BOOT_A_LEFT=1\0BOOT_B_LEFT=1\0BOOT_ORDER=A B\0\0".ljust(ENVIRONMENT_SIZE - 4, b"\0")
    with disk.open("r+b") as file:
        file.seek(partitions(disk)["env"].start)
        file.write(zlib.crc32(text).to_bytes(4, "little") + text)


async def has_started(machine: Machine, times: int) -> None:
    """Wait until the boot loader has begun so often."""
    async with asyncio.timeout(GIVES_UP_S):
        while True:
            if starts(machine) >= times:
                return
            await asyncio.sleep(0.2)


def starts(machine: Machine) -> int:
    """How often the boot loader has begun."""
    return machine.console_text().count("U-Boot 20")


async def root_console_has_answered(machine: Machine) -> bool:
    """Whether something of the root runs."""
    try:
        async with asyncio.timeout(5):
            return (await machine.root.try_run("true", timeout_s=5)).code == 0
    except TimeoutError:
        return False
