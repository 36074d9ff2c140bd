"""genimage makes the disk that partitions.sfdisk tells of, on every board."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.firmware.buildroot_tree import BOARDS, EXTERNAL

LAYOUT = (EXTERNAL / "board/common/partitions.sfdisk").read_text()
SECTOR = 512


def told(layout: str) -> dict[str, dict[str, str]]:
    """The partitions of an sfdisk script."""
    lines = re.findall(r"^name=([^,]+)(.*)$", layout, re.M)
    return {name: dict(re.findall(r"(\w+)=([^, ]+)", rest)) for name, rest in lines}


def made(board: Path, folder: Path, program: Callable[[str], str]) -> dict[str, Any]:
    """The partition table of a disk with placeholders for what a build would put there."""
    program("sfdisk")
    images = folder / "images"
    images.mkdir()
    (images / "kernel.fit").write_bytes(b"FIT")
    (images / "root.verity").write_bytes(b"root")
    config = subprocess.run(
        [EXTERNAL / "board/common/genimage-config", board.name], check=True, capture_output=True, text=True
    ).stdout
    if "vfat" in config:
        program("mkdosfs")
        program("mcopy")
    for name in re.findall(r'(?:image = |^ *)"([^"]+)"', config, re.M):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        if not (images / name).exists():
            (images / name).write_bytes(b"placeholder")
    for name in re.findall(r"^image (\S+) ", config, re.M):
        (images / name).unlink(missing_ok=True)
    (folder / "genimage.cfg").write_text(config)
    (folder / "empty").mkdir()
    words: list[str | Path] = [program("genimage"), "--rootpath", folder / "empty"]
    words += ["--tmppath", folder / "work"]
    words += ["--inputpath", images, "--outputpath", folder, "--config", folder / "genimage.cfg"]
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = subprocess.run(
        [program("sfdisk"), "--json", folder / "disk.img"], check=True, capture_output=True, text=True
    )
    table: dict[str, Any] = json.loads(listed.stdout)["partitiontable"]
    return table


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_it_has_the_partitions_of_the_layout(
    board: Path, tmp_path: Path, program: Callable[[str], str]
) -> None:
    table = made(board, tmp_path, program)
    assert table["label"] == "gpt"
    found = {one["name"]: one for one in table["partitions"]}
    for name, wanted in told(LAYOUT).items():
        assert found[name]["uuid"] == wanted["uuid"]
        assert found[name]["type"] == wanted["type"]
        if "size" in wanted:
            assert found[name]["size"] == int(wanted["size"])


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_both_slots_hold_the_same_and_the_data_partition_nothing(
    board: Path, tmp_path: Path, program: Callable[[str], str]
) -> None:
    table = made(board, tmp_path, program)
    start = {one["name"]: one["start"] * SECTOR for one in table["partitions"]}
    with (tmp_path / "disk.img").open("rb") as disk:
        begun = {name: os.pread(disk.fileno(), 4, at) for name, at in start.items()}
    assert begun["kernel-a"] == begun["kernel-b"] == b"FIT\0"
    assert begun["root-a"] == begun["root-b"] == b"root"
    assert begun["data"] == begun["env"] == b"\0\0\0\0"


def test_qemus_disk_begins_where_the_layout_says() -> None:
    layout = told(LAYOUT)
    text = (EXTERNAL / "board/qemu-aarch64/board.conf").read_text()
    assert f"FIRST_SECTOR={layout['env']['start']}\n" in text
