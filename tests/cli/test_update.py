"""A new firmware comes by `conclavectl update`, from a file or over SSH's stdin."""

import asyncio
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind, Topic
from conclaved.bus.update_verbs import UpdateStatus
from tests.bus.fake_room import FakeRoom
from tests.cli.conftest import DEADLINE_S, Cli

BUNDLE = bytes(range(256)) * 5000
"""A little more than two parts of it."""
INSTALLED = UpdateStatus("installed", 100, bundle_version="1.2.0", version="1.1.0", slot="A")
COURSE = (
    UpdateStatus("checking", step="checking the bundle"),
    UpdateStatus("installing", 40, "Copying image to root.1", bundle_version="1.2.0"),
    INSTALLED,
)


def will(room: FakeRoom, *course: UpdateStatus) -> None:
    """What becomes of the update when it is installed."""
    room.then["install"] = [(Topic.UPDATE, status) for status in course]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    place = tmp_path / "new.raucb"
    place.write_bytes(BUNDLE)
    return place


async def test_a_file_is_sent_whole_and_in_order_and_its_length_is_told_first(
    room: FakeRoom, cli: Cli, bundle: Path
) -> None:
    will(room, *COURSE)
    result = await cli("update", "install", str(bundle))
    assert (result.code, room.bundle) == (0, BUNDLE)
    assert room.done[0] == ("begin", len(BUNDLE))
    assert [verb for verb, *_ in room.done] == ["begin", "send", "send", "send", "install"]
    assert result.out.splitlines() == ["installed: 1.2.0", "it runs after: conclavectl reboot"]


async def test_people_see_how_far_it_is(room: FakeRoom, cli: Cli, bundle: Path) -> None:
    will(room, COURSE[0])
    process = await cli.start("update", "install", str(bundle))
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        for words, then in (
            (b"sent 100 % of 1 MB\n", None),
            (b"checking the bundle\n", COURSE[1]),
            (b" 40 %  Copying image to root.1\n", INSTALLED),
        ):
            await process.stderr.readuntil(words)
            if then:
                room.set(Topic.UPDATE, then)
    assert (await cli.end(process)).code == 0


async def test_what_comes_by_stdin_may_be_of_any_length(room: FakeRoom, cli: Cli) -> None:
    will(room, *COURSE)
    result = await cli("update", "install", "-", "--json", stdin=BUNDLE)
    assert (result.code, room.bundle, room.done[0]) == (0, BUNDLE, ("begin", 0))
    assert (result.json["update"]["bundle_version"], result.json["restarts"]) == ("1.2.0", False)


@pytest.mark.parametrize(
    ("kind", "code"), [("not_genuine", 9), ("damaged", 9), ("wrong_device", 5), ("too_old", 5), ("failed", 1)]
)
async def test_a_bundle_that_is_refused_says_why_and_what_to_do(
    room: FakeRoom, cli: Cli, bundle: Path, kind: str, code: int
) -> None:
    refused = UpdateStatus("failed", error="it is for another", error_kind=kind, hint="take another")
    will(room, COURSE[0], refused)
    result = await cli("update", "install", str(bundle), "--reboot")
    assert result.code == code
    assert result.err.splitlines()[-1] == "conclavectl: it is for another; take another"
    assert "reboot" not in [verb for verb, *_ in room.done]


async def test_a_room_that_takes_no_more_is_told_to_forget_what_came(
    room: FakeRoom, cli: Cli, bundle: Path
) -> None:
    room.refused["send"] = RoomError(RoomErrorKind.FAILED, "the disk is full", hint="see: conclavectl doctor")
    result = await cli("update", "install", str(bundle))
    assert (result.code, result.err.splitlines()[-1]) == (
        1,
        "conclavectl: the disk is full; see: conclavectl doctor",
    )
    assert [verb for verb, *_ in room.done] == ["begin", "abandon"]


async def test_a_restart_is_asked_for_by_a_word_and_refused_in_a_meeting(
    room: FakeRoom, cli: Cli, bundle: Path
) -> None:
    will(room, *COURSE)
    room.refused["reboot"] = RoomError(RoomErrorKind.BUSY, "the room is in a meeting", hint="wait")
    result = await cli("update", "install", str(bundle), "--reboot")
    assert (result.code, result.err.splitlines()[-1]) == (8, "conclavectl: the room is in a meeting; wait")
    del room.refused["reboot"]
    will(room, *COURSE)
    result = await cli("update", "install", str(bundle), "--reboot")
    assert "the device restarts into it" in result.out
    assert room.done[-1][0] == "reboot"


async def test_which_firmware_runs_is_told_with_whether_its_start_was_well(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.UPDATE, UpdateStatus(version="1.1.0", slot="B", is_confirmed=True))
    assert [line.split() for line in (await cli("update", "status")).out.splitlines()] == [
        ["runs", "1.1.0,", "slot", "B"],
        ["this", "start", "well"],
        ["update", "none"],
    ]


async def test_an_update_that_waits_for_a_restart_is_told_whatever_came_later(
    room: FakeRoom, cli: Cli
) -> None:
    later = UpdateStatus("failed", error="not signed", version="1.1.0", slot="A", next_version="1.2.0")
    room.set(Topic.UPDATE, later)
    out = (await cli("update", "status")).out
    assert "1.2.0: conclavectl reboot" in out
    assert "failed: not signed" in out


async def test_an_update_that_was_given_up_is_told(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.UPDATE, UpdateStatus(version="1.1.0", slot="A", fell_back_from="1.2.0"))
    out = (await cli("update", "status")).out
    assert "1.2.0: its start was not well" in out
    assert "not judged yet" in out
