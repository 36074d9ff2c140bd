"""A guest at the door of a real meeting: people at a host's panel let it in, throw it out, let it back.

The panel's page runs in a real browser, and is pressed where a finger would press it.
"""

import asyncio
from functools import partial

import pytest

from tests.demo.stage import Part, Stage
from tests.e2e.glass import View, are_locked, looking_at, when
from tests.e2e.pages import page_of
from tests.e2e.rooms import ATRIUM, BERLIN, conclavectl, enrolled, shown, trust, until_panel
from tests.hal.chromium import chromium_path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(chromium_path() is None, reason="Debian's chromium is not installed"),
]

VISITOR = Part("visitor.provider.example", "127.0.0.14", 1100)
CARD = "#lobby .card"


def have_code(views: list[View], members: int, after_epoch: int) -> bool:
    """Whether all show the lock, so many participants, and one later epoch."""
    return are_locked(views, members) and views[0]["epoch"] > after_epoch


async def test_people_at_a_host_s_panel_admit_a_guest_remove_it_and_keep_it_out(it: Stage) -> None:
    rooms = list(await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN))))
    atrium, berlin = rooms
    guest = await enrolled(it, VISITOR, ca=it.provider_ca)
    for room in (*rooms, guest):
        await trust(room, it.folder / "provider-root.pem", "provider CA", "provider")
    created = await atrium.ctl(
        *("meeting", "create", "--title", "Board", "--conference", it.hub_url, "--invite", berlin.name)
    )
    link = str(created["link"])
    for room in rooms:
        await room.ctl("meeting", "join", link, "--wait-admitted")
    everybody = [*rooms, guest]
    async with looking_at(everybody) as glasses, page_of(atrium) as page:
        staying = glasses[:2]
        await when(staying, partial(are_locked, members=2), "both rooms in")
        code, epoch = staying[0].view["security_code"], staying[0].view["epoch"]

        # It asks; the page shows who, and that nobody has verified it; a press lets it in.
        await guest.ctl("meeting", "join", link)
        await page.shows(CARD, guest.name)
        await page.shows(CARD, "not verified")
        await page.keep("door-1-asks.png")
        assert staying[1].view["lobby"] == []
        await page.press(f"{CARD} .admit")
        await when(glasses, partial(have_code, members=3, after_epoch=epoch), "the guest to be in")
        assert shown(staying[1].view)[guest.name] == "provider"
        new_code, epoch = staying[0].view["security_code"], staying[0].view["epoch"]
        assert new_code != code
        await page.shows("#code-reason", guest.name)
        await page.keep("door-2-in.png")

        # Thrown out: once pressed it is a question, pressed again it is done.
        (leaf,) = [p["leaf"] for p in staying[0].view["participants"] if p["name"] == guest.name]
        await page.press(f"[id='open {leaf}']")
        remove = f"[id='kick {leaf}']"
        await page.press(remove)
        await page.shows(remove, "Really remove?")
        await page.keep("door-3-really.png")
        assert are_locked([glass.view for glass in glasses], 3)
        await page.press(remove)
        await when(staying, partial(have_code, members=2, after_epoch=epoch), "the guest to be out")
        left = await until_panel(guest, "the guest to have left", state="left", lock="none")
        assert any("a host removed this room from the meeting" in notice for notice in left["notices"]), left
        assert staying[0].view["security_code"] == new_code

        # It comes back: refused at once, and nobody at the panel is asked again.
        seen_before = len(staying[0].seen)
        said = await conclavectl(guest, "meeting", "join", link, "--wait-admitted")
        assert said.code == 5, said
        assert "a host removed this room from the meeting" in said.error
        assert all(view["lobby"] == [] for _, view in staying[0].seen[seen_before:])
        assert are_locked([glass.view for glass in staying], 2)
        await page.keep("door-4-out.png")

        # Allowed back it may ask, like anybody.
        await page.press("#details .allow-back")
        await page.press("#details-close")
        await until_panel(atrium, "nobody to be kept out any more", removed=[])
        await guest.ctl("meeting", "join", link)
        await page.shows(CARD, guest.name)
        await page.press(f"{CARD} .deny")
        await until_panel(guest, "the guest to be turned away", state="left")
