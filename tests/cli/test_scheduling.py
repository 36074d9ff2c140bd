"""The invitations that a room is given by its admin."""

from pathlib import Path

from conclave_provisioning.cli.invitation import WayIn, write_file
from tests.bus.fake_room import INVITATION, LINK, SCHEDULED, FakeRoom
from tests.cli.conftest import Cli

SECRET = LINK.partition("#")[2]


async def test_a_room_is_given_an_invitation_by_its_file(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "weekly.conclave"
    file.write_bytes(write_file("Weekly", WayIn(LINK, INVITATION)))
    result = await cli("meeting", "schedule", "add", str(file))
    assert result.out == "the panel shows it on its day\n"
    assert room.done == [("add_invitation", LINK, INVITATION)]


async def test_a_dry_run_gives_nothing(room: FakeRoom, cli: Cli) -> None:
    await cli("meeting", "schedule", "add", LINK, "--dry-run")
    assert room.done == [("add_invitation", LINK, "dry run")]


async def test_the_list_says_when_what_and_by_whom_and_no_link(room: FakeRoom, cli: Cli) -> None:
    result = await cli("meeting", "schedule", "list")
    for said in (SCHEDULED.invitation_id, "Weekly", "room.example.com (verified)", "2023-11-14 22:13 UTC"):
        assert said in result.out
    (one,) = (await cli("meeting", "schedule", "list", "--json")).json["invitations"]
    assert one["invitation_id"] == SCHEDULED.invitation_id
    assert SECRET not in str(one)


async def test_an_invitation_is_taken_away_by_its_title(room: FakeRoom, cli: Cli) -> None:
    await cli("meeting", "schedule", "remove", "Weekly")
    assert room.done[-1] == ("remove_invitation", SCHEDULED.invitation_id)


async def test_one_that_is_not_there_is_no_error(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("meeting", "schedule", "remove", "Board")).code == 0
    assert room.done[-1] == ("remove_invitation", "Board")
