"""What a host says on its command line is done when the command ends, in every room."""

from pathlib import Path
from typing import Any

import pytest

from tests.demo.stage import RoomProcess, Stage, until
from tests.e2e.rooms import ATRIUM, BERLIN, conclavectl, enrolled

pytestmark = pytest.mark.e2e


async def test_a_host_removes_forgives_appoints_and_ends_from_its_command_line(it: Stage) -> None:
    atrium, berlin = await enrolled(it, ATRIUM), await enrolled(it, BERLIN)
    made = await atrium.ctl(
        *("meeting", "create", "--title", "Review", "--conference", it.hub_url, "--invite", berlin.name)
    )
    join = ("meeting", "join", made["link"], "--wait-admitted")
    await atrium.ctl(*join)
    await berlin.ctl(*join)
    roster = await atrium.ctl("meeting", "roster")
    assert [p["is_expected"] for p in roster["participants"]] == [True, True]
    assert roster["missing"] == []

    kicked = await atrium.ctl("meeting", "kick", berlin.name)
    assert (kicked["name"], kicked["epoch"]) == (berlin.name, roster["epoch"] + 1)
    assert (await atrium.ctl("meeting", "roster"))["missing"] == [berlin.name]
    refused = await conclavectl(berlin, *join)
    assert refused.code == 5
    assert "removed" in refused.error
    (removed,) = (await atrium.ctl("meeting", "removed"))["removed"]
    assert removed["name"] == berlin.name

    await atrium.ctl("meeting", "allow-back", berlin.name)
    assert (await atrium.ctl("meeting", "removed"))["removed"] == []
    # It is invited, and comes in without the lobby as it did before.
    await berlin.ctl(*join)

    await atrium.ctl("meeting", "hand-over", berlin.name, "--yes")
    roles = {p["name"]: p["role"] for p in (await berlin.ctl("meeting", "roster"))["participants"]}
    assert roles == {atrium.name: "host", berlin.name: "host"}
    assert (await berlin.ctl("meeting", "end", "--yes"))["title"] == "Review"
    ended = await until_left(atrium)
    assert ended == f"{berlin.name} ended the meeting for all"

    # Both rooms' records, checked with nothing but the root certificate, tell one story.
    anchor = it.folder / "public-root.pem"
    first, second = [await checked_record(room, anchor) for room in (atrium, berlin)]
    happened = [(entry["event"], entry.get("name")) for entry in first]
    assert happened.index(("joined", berlin.name)) < happened.index(("removed", berlin.name))
    shared = [
        {entry["epoch"]: entry["transcript"] for entry in entries if entry["event"] == "code_epoch"}
        for entries in (first, second)
    ]
    assert shared[0].items() >= shared[1].items() != set()


async def checked_record(room: RoomProcess, anchor: Path) -> list[dict[str, Any]]:
    """The entries of the record of a room's last meeting, saved and then checked."""
    file = anchor.parent / f"{room.name}.jws"
    await room.ctl("meeting", "audit", "--out", str(file))
    checked = await room.ctl("meeting", "audit", "--verify", str(file), "--anchor", str(anchor))
    assert checked["signer"]["name"] == room.name
    return list(checked["record"]["entries"])


async def until_left(room: RoomProcess) -> str:
    """Wait until a room is out of its meeting: why."""

    async def check() -> str | None:
        meeting = (await room.ctl("status"))["meeting"]
        return str(meeting["left_reason"]) if meeting["state"] == "left" else None

    return str(await until(check, f"{room.name} to be out of the meeting"))
