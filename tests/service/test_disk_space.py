import asyncio
import os
from pathlib import Path

import pytest

from conclaved.service.disk_space import LEAST_BYTES, LEAST_FILES, DiskSpace
from tests.service.rooms import running_room

BLOCK = 4096
PLENTY = LEAST_BYTES // BLOCK


def disk(
    monkeypatch: pytest.MonkeyPatch, *, blocks: int = PLENTY, files: int = LEAST_FILES, flags: int = 0
) -> None:
    """A disk with so many blocks and files left for who is not root."""
    # statvfs(3): bsize, frsize, blocks, bfree, bavail, files, ffree, favail, flag, namemax.
    found = os.statvfs_result((BLOCK, BLOCK, PLENTY, PLENTY, blocks, 1000, 1000, files, flags, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: found)


@pytest.mark.parametrize("left", [{"blocks": PLENTY - 1}, {"files": LEAST_FILES - 1}, {"blocks": 0}])
def test_a_disk_that_takes_little_is_a_problem_with_a_command(
    monkeypatch: pytest.MonkeyPatch, left: dict[str, int]
) -> None:
    disk(monkeypatch, **left)
    words = DiskSpace(Path("/state")).problem
    assert words.startswith("the device's disk is full")
    assert words.endswith(": conclavectl doctor")


def test_a_disk_that_the_kernel_made_read_only_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, flags=os.ST_RDONLY)
    assert "read-only" in DiskSpace(Path("/state")).problem


def test_a_disk_with_space_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch)
    assert DiskSpace(Path("/state")).problem == ""


def test_a_state_directory_that_is_gone_is_one(tmp_path: Path) -> None:
    assert "No such file" in DiskSpace(tmp_path / "gone").problem


async def test_it_is_told_when_the_disk_is_full_and_when_it_is_not_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    steps = iter([0, 0, PLENTY])
    ended = asyncio.Event()

    async def pause(seconds: float) -> None:
        blocks = next(steps, None)
        if blocks is None:
            ended.set()
            await asyncio.Event().wait()
        disk(monkeypatch, blocks=blocks or 0)

    disk(monkeypatch)
    space = DiskSpace(Path("/state"), lambda: told.append(space.problem), pause)
    watching = asyncio.create_task(space.run())
    await ended.wait()
    watching.cancel()
    assert [bool(words) for words in told] == [True, False]


async def test_people_in_the_room_read_that_it_can_store_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_room(tmp_path) as here:
        assert not any("store nothing" in notice for notice in here.room.panel(1).notices)
        disk(monkeypatch, blocks=0)
        assert any("store nothing" in notice for notice in here.room.panel(1).notices)
        disk(monkeypatch)
        assert not any("store nothing" in notice for notice in here.room.panel(1).notices)
