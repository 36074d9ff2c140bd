"""The hub killed in mid-meeting and started again: the rooms meet again by themselves."""

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from conclaved.conference.errors import NotFoundError
from conclaved.conference.hub_client import LONGEST_PAUSE_S, client_context
from conclaved.meeting import Link
from conclaved.meeting.alive import OFFLINE_S
from conclaved.service import invitations
from tests.demo.stage import RoomProcess, Stage, until
from tests.e2e.glass import Glass, View, are_locked, have_no_lock, looking_at, when
from tests.e2e.rooms import ATRIUM, BERLIN, CHICAGO, enrolled

pytestmark = pytest.mark.e2e

DOWN_S = 4.0
MACHINE_S = 3.0
"""What a busy machine may add to a time that the design gives."""
MEET_S = 10.0
"""From the first room's coming back to the last one's: one founds, one commit for each other."""


async def decodes_all(room: RoomProcess, others: int) -> bool:
    """Whether the room decodes picture and sound of so many others."""
    streams = [stream for stream in await room.streams() if not stream["is_self"]]
    return len(streams) == 2 * others and all(stream["frames_decoded"] > 10 for stream in streams)


async def test_when_the_hub_is_killed_the_locks_drop_and_all_meet_again_when_it_is_back(
    it: Stage, report: list[str], tmp_path: Path
) -> None:
    state = tmp_path / "hub-state"
    rooms = await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN, CHICAGO)))
    link = await create(rooms[0], it)
    tls = client_context(it.folder / "hub-ca.pem")
    await asyncio.gather(*(room.ctl("meeting", "join", link, "--wait-admitted") for room in rooms))
    async with looking_at(rooms) as glasses:
        await when(glasses, partial(are_locked, members=3), "all three in")
        # The first hub and its invitations are gone for ever; the second keeps them.
        report.append(await kill_and_start_again(it, glasses, state))
        kept = await create(rooms[0], it)
        report.append(await kill_and_start_again(it, glasses, state))
        assert (await invitations.follow(Link.decode(kept), tls)).content.title == "Review"
        # No service has the invitation of this meeting any more. A room that was in it has: it comes back
        # after a crash, and leaves it there again.
        with pytest.raises(NotFoundError):
            await invitations.follow(Link.decode(link), tls)
        epoch = glasses[0].view["epoch"]
        assert rooms[1].process is not None
        rooms[1].process.kill()
        await rooms[1].process.wait()
        await it.start_daemon(rooms[1])
        await when(
            glasses, partial(are_locked_after, epoch), "a killed room to come back without the hub's copy"
        )
    for room in rooms:
        await until(partial(decodes_all, room, 2), f"{room.name} to see and hear the others again")
    assert (await invitations.follow(Link.decode(link), tls)).content.title == "Review"


async def create(host: RoomProcess, it: Stage) -> str:
    invite = ("--invite", BERLIN.domain, "--invite", CHICAGO.domain)
    created = await host.ctl("meeting", "create", "--title", "Review", "--conference", it.hub_url, *invite)
    return str(created["link"])


def are_locked_after(epoch: int, views: list[View]) -> bool:
    """Whether all three are locked in one epoch, a later one."""
    return are_locked(views, 3) and views[0]["epoch"] > epoch


async def kill_and_start_again(it: Stage, glasses: list[Glass], state: Path) -> str:
    """Kill the hub in mid-meeting, and see what the rooms make of it. Returns the times, in words."""
    code = glasses[0].view["security_code"]
    assert it.hub is not None
    it.hub.kill()
    killed_at = time.monotonic()
    dropped_at = await when(glasses, have_no_lock, "all locks to drop")
    await asyncio.sleep(max(0.0, killed_at + DOWN_S - time.monotonic()))
    assert have_no_lock([glass.view for glass in glasses])
    await it.start_hub(listen=it.hub_url.removeprefix("wss://"), state=state)
    up_at = time.monotonic()
    met_at = await when(glasses, partial(are_locked, members=3), "all three to meet again")
    assert glasses[0].view["security_code"] != code
    assert dropped_at - killed_at < OFFLINE_S + MACHINE_S
    assert met_at - up_at < 1.5 * LONGEST_PAUSE_S + MEET_S + MACHINE_S
    return (
        f"hub killed: all locks dropped after {dropped_at - killed_at:.1f} s, "
        f"all three in again {met_at - up_at:.1f} s after it was back"
    )
