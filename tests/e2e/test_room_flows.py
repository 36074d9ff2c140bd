"""People at a panel in a real browser: they join what they were invited to, and refuse what others want."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.demo.stage import Stage
from tests.e2e.glass import are_locked, looking_at, when
from tests.e2e.pages import page_of
from tests.e2e.rooms import ATRIUM, BERLIN, conclavectl, enrolled
from tests.hal.chromium import chromium_path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(chromium_path() is None, reason="Debian's chromium is not installed"),
]


async def test_people_join_by_a_press_and_refuse_and_accept_what_an_admin_asks(
    it: Stage, tmp_path: Path
) -> None:
    atrium, berlin = await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN)))
    entry = tmp_path / "board.ics"
    create = ("meeting", "create", "--conference", it.hub_url, "--invite", berlin.name)
    created = await atrium.ctl(*create, "--title", "Board", "--ics", str(entry))
    await berlin.ctl("config", "set", "join_countdown_s", "60")
    async with looking_at([atrium, berlin]) as glasses, page_of(berlin) as page:
        # An admin asks, and people do not wait for the end of the countdown.
        asking = asyncio.create_task(
            conclavectl(berlin, "meeting", "join", created["link"], "--wait-admitted")
        )
        await page.press("#accept_join")
        assert (await atrium.ctl("meeting", "join", created["link"], "--wait-admitted"))["meeting"]
        assert (await asking).code == 0
        await when(glasses, partial(are_locked, members=2), "both in")
        await page.press("#leave-button")
        await page.shows("#stage", "This room has left")

        # The admin asks again; the page says so, and people refuse. From then on they are left in peace.
        asking = asyncio.create_task(conclavectl(berlin, "meeting", "join", created["link"], "--wait"))
        await page.shows("#stage", "Asked by an admin.")
        await page.keep("flows-1-asked.png")
        await page.press("#refuse_join")
        said = await asking
        assert said.code == 5
        assert "people in the room refused to join; talk to them" in said.error
        await page.shows("#stage", "Not in a meeting")
        said = await conclavectl(berlin, "meeting", "join", created["link"])
        assert "people in the room have just refused" in said.error

        # The calendar entry is given to the room: from now on a press is enough.
        assert (await berlin.ctl("meeting", "schedule", "add", str(entry)))["changed"]
        listed = (await berlin.ctl("meeting", "schedule", "list"))["invitations"]
        assert [(one["title"], one["host"], one["assurance"]) for one in listed] == [
            ("Board", atrium.name, "verified")
        ]
        await page.shows("#invitation-list", "Board")
        await page.keep("flows-2-invited.png")
        await page.press(f"[id='join {listed[0]['invitation_id']}']")
        await when(glasses, partial(are_locked, members=2), "both in again")
        await page.keep("flows-3-in.png")

        # In the room's own language, at once.
        await berlin.ctl("config", "set", "panel.language", "de")
        await page.shows("h1", "2 Personen, alle geprüft")
    secret = created["link"].partition("#")[2]
    assert secret not in (berlin.folder / "conclaved.log").read_text()
