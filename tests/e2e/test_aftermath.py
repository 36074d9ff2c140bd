"""What is left of an end-to-end test that has failed."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tests.bus.bus import PrivateBus
from tests.demo.stage import Part, RoomProcess, StageError
from tests.e2e.aftermath import LONGEST, in_short, keep
from tests.e2e.glass import VIEWS, Glass, are_locked, looking_at, when

BROKEN = {
    "state": "in_meeting",
    "lock": "broken",
    "epoch": 3,
    "notices": ["a second commit"],
    "participants": [{}, {}],
}


class StillRoom(RoomProcess):
    """Its panel shows one thing for ever."""

    async def panel(self) -> dict[str, Any]:
        return BROKEN


def still_room(folder: Path) -> RoomProcess:
    folder.mkdir()
    return StillRoom(Part("berlin.example.net", "127.0.0.1", 0), folder, cast("PrivateBus", None))


async def test_what_was_waited_for_in_vain_is_said_in_one_line_and_all_views_are_written(
    tmp_path: Path,
) -> None:
    async with looking_at([still_room(tmp_path / "berlin")]) as glasses:
        await glasses[0].next_view()
        with pytest.raises(StageError) as raised:
            await when(glasses, lambda views: are_locked(views, 2), "both to meet", timeout_s=0.01)
    assert (
        str(raised.value)
        == "waited 0.01 s for both to meet: berlin in_meeting broken, 2 in epoch 3, 'a second commit'"
    )
    (line,) = (tmp_path / "berlin" / VIEWS).read_text().splitlines()
    assert BROKEN.items() <= json.loads(line).items()


async def test_a_panel_that_was_never_seen_is_told_too(tmp_path: Path) -> None:
    glass = Glass(still_room(tmp_path / "berlin"))
    with pytest.raises(StageError, match=r"berlin shows nothing$"):
        await when([glass], lambda views: False, "it", timeout_s=0.01)


def test_logs_and_views_of_the_stage_are_kept_and_nothing_else(tmp_path: Path) -> None:
    stage, where = tmp_path / "stage", tmp_path / "kept"
    (stage / "hub").mkdir(parents=True)
    (stage / "hub/hub.log").write_text("said")
    (stage / "hub/server.key").write_text("secret")
    (stage / VIEWS).write_text("shown")
    (where / "test_it-1-").mkdir(parents=True)
    (where / "test_it-1-/old.log").write_text("of another run")
    kept = keep(stage, "test_it[1]", where)
    files = {str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()}
    assert files == {"hub/hub.log", VIEWS}


def test_the_line_is_short_whatever_was_said() -> None:
    line = in_short("test_it", StageError("one\n" + "x" * 10_000), Path("kept"))
    assert line.startswith("test_it: one x")
    assert line.endswith("… (all of it: kept)")
    assert len(line) < LONGEST + 100
    assert in_short("test_it", TimeoutError(), None) == "test_it: TimeoutError"
