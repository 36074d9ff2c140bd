"""How long it takes from a request to join until every room sends and receives under the new key."""

import asyncio
import statistics
import time
from functools import partial

import pytest

from tests.demo.stage import Stage
from tests.e2e.glass import Glass, View, are_locked, looking_at, when
from tests.e2e.member import member
from tests.e2e.rooms import ATRIUM, BERLIN, CHICAGO, enrolled, trust, waited_for_a_core
from tests.pki import TestAuthority

pytestmark = pytest.mark.e2e

JOINS = 12
WITHIN_S = 2.0
"""Three messages there and back, the 0.2 s in which joins are gathered, and one commit."""


def have_joined(views: list[View], after_epoch: int) -> bool:
    """Whether all three panels show the lock, the one who came too, and one later epoch."""
    return are_locked(views, 4) and views[0]["epoch"] > after_epoch


async def one_join(
    it: Stage, link: str, members: TestAuthority, glasses: list[Glass], name: str
) -> tuple[float, float]:
    """Join as `name`, and leave.

    Returns the seconds from the request to the last room's new key, and for how many of them the rooms
    waited for a core of this machine.
    """
    before = glasses[0].view["epoch"]
    async with member(link, name, members, it.public_ca.root_pem, it.folder / "hub-ca.pem") as joiner:
        begun, waited_before = time.monotonic(), waited(glasses)
        joined_at = await when(glasses, partial(have_joined, after_epoch=before), f"{name} on all panels")
        waiting = waited(glasses) - waited_before
        assert await joiner.until(members=4) == glasses[0].view["epoch"]
        assert joiner.runner.view().security_code == glasses[0].view["security_code"]
    await when(glasses, partial(are_locked, members=3), f"{name} to be gone")
    return joined_at - begun, waiting


def waited(glasses: list[Glass]) -> float:
    """For how long the rooms' daemons together have waited for a core so far."""
    processes = [glass.room.process for glass in glasses]
    return sum(waited_for_a_core(process) for process in processes if process is not None)


async def test_a_join_is_on_every_room_s_key_within_two_seconds(it: Stage, report: list[str]) -> None:
    rooms = list(await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN, CHICAGO))))
    members = TestAuthority("Members' CA")
    (it.folder / "members-root.pem").write_text(members.root_pem)
    for room in rooms:
        await trust(room, it.folder / "members-root.pem", "members CA", "verified")
    invite = ("--invite", BERLIN.domain, "--invite", CHICAGO.domain, "--invite", "@members.example")
    created = await rooms[0].ctl("meeting", "create", "--title", "Board", "--conference", it.hub_url, *invite)
    link = str(created["link"])
    for room in rooms:
        await room.ctl("meeting", "join", link, "--wait-admitted")
    raw: list[float] = []
    own: list[float] = []
    async with looking_at(rooms) as glasses:
        await when(glasses, partial(are_locked, members=3), "all three in")
        for number in range(JOINS):
            took, waiting = await one_join(it, link, members, glasses, f"guest{number}.members.example")
            raw.append(took)
            own.append(took - waiting)
    report.append(
        f"{JOINS} joins: from the request to all {len(rooms)} rooms on the new key "
        f"{statistics.median(raw):.2f} s (median), {max(raw):.2f} s (worst)"
    )
    assert statistics.median(own) < WITHIN_S, (raw, own)
