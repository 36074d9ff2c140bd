"""The cache of builds: whole results only, and not for ever."""

import os
from pathlib import Path

import pytest

from tests.building.cache import made


def write_into(part: Path) -> None:
    (part / "result").write_text("whole")


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails(part: Path) -> None:
        (part / "result").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        made(tmp_path / "root-1", fails, keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["root.lock"]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    def never(part: Path) -> None:
        raise AssertionError

    made(tmp_path / "root-1", write_into, keep=2)
    assert (made(tmp_path / "root-1", never, keep=2) / "result").read_text() == "whole"


def test_the_results_that_were_used_last_stay_and_those_of_other_stages_too(tmp_path: Path) -> None:
    for number, name in enumerate(("base-1", "root-1", "root-2")):
        made(tmp_path / name, write_into, keep=2)
        os.utime(tmp_path / name, (number, number))
    made(tmp_path / "root-1", write_into, keep=2)
    made(tmp_path / "root-3", write_into, keep=2)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"base-1", "root-1", "root-3"}


def test_what_a_killed_builder_left_is_gone_with_the_next_build(tmp_path: Path) -> None:
    (tmp_path / ".root.abc/part").mkdir(parents=True)
    made(tmp_path / "root-1", write_into, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root-1", "root.lock"]
