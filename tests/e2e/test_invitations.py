"""An invitation in each form in which it travels, from one room's command line to another's."""

import json
from pathlib import Path

import pytest

from tests.demo.stage import Stage
from tests.e2e.rooms import ATRIUM, BERLIN, conclavectl, enrolled

pytestmark = pytest.mark.e2e


async def test_rooms_join_by_file_and_by_calendar_entry_and_by_nothing_else(
    it: Stage, tmp_path: Path
) -> None:
    atrium, berlin = await enrolled(it, ATRIUM), await enrolled(it, BERLIN)
    create = ("meeting", "create", "--invite", berlin.name, "--conference", it.hub_url)
    file, entry, other = (tmp_path / name for name in ("it.json", "it.ics", "other.json"))
    made = await atrium.ctl(*create, "--title", "Review", "--file", str(file), "--ics", str(entry))
    await atrium.ctl(*create, "--title", "Other", "--file", str(other))
    assert made["meeting"]["title"] == "Review"

    # The link of one meeting with the invitation of another.
    mixed = tmp_path / "mixed.json"
    mixed.write_text(json.dumps({**json.loads(other.read_text()), "link": made["link"]}))
    said = await conclavectl(berlin, "meeting", "join", str(mixed))
    assert said.code == 5
    assert "the link and the invitation do not belong together; ask the host" in said.error
    # An invitation by somebody whom this room's admin does not trust.
    await berlin.ctl("trust", "remove", "public CA")
    said = await conclavectl(berlin, "meeting", "join", str(file))
    assert said.code == 5
    assert "nobody this room trusts vouches for who signed the invitation" in said.error
    await berlin.ctl("trust", "add", str(it.folder / "public-root.pem"), "--label", "a", "--kind", "verified")

    host = (await atrium.ctl("meeting", "join", str(entry), "--wait-admitted"))["meeting"]
    assert host["title"] == "Review"
    guest = (await berlin.ctl("meeting", "join", str(file), "--wait-admitted"))["meeting"]
    assert (guest["state"], guest["meeting_id"]) == ("in_meeting", host["meeting_id"])
