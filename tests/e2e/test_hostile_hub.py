"""What a hub can do that turns against its rooms in mid-meeting: hide a removal, or flood them."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conclaved.meeting.alive import WINDOW_S
from conclaved.meeting.session import TICK_S
from tests.demo.stage import RoomProcess, Stage, first_line, until
from tests.e2e.glass import Glass, are_locked, looking_at, when
from tests.e2e.rooms import ATRIUM, BERLIN, CHICAGO, enrolled, until_panel, waited_for_a_core

pytestmark = pytest.mark.e2e

BERLINS_PLACE = 1
MACHINE_S = 1.5
"""What a busy machine may add: a beacon, a tick and a look at the panel that come late."""
QUIET_S = 2.0
FLOOD_PER_S = 10_000
FLOOD_S = 5
STARVED = 0.5
"""A daemon that could not run for so much of the time may have missed beacons for that alone."""


class HostileHub:
    """The program, obeying."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, port: int) -> None:
        self._process = process
        self._log = log
        self.service = f"wss://127.0.0.1:{port}"

    async def tell(self, **command: object) -> None:
        """Give it a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self, word: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """The next thing that it says with this word in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            while line := await self._process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                if word in said:
                    return said
        raise AssertionError(self._log.read_text())

    async def packets(self) -> tuple[dict[int, int], dict[int, float]]:
        """How many packets of media each client has sent so far, and when each sent its last."""
        await self.tell(do="count")
        said = await self.hear("packets")
        counts, last = said["packets"], said["last"]
        return {int(p): n for p, n in counts.items()}, {int(p): at for p, at in last.items()}


async def hostile_hub(it: Stage) -> HostileHub:
    """The program runs, with the same certificate as the honest hub, which nobody uses.

    To be started before the rooms: it is stopped after them, so that they can say goodbye.
    """
    log = it.folder / "hostile.log"
    process = await it.start(
        log,
        *("-m", "tests.e2e.hostile_hub"),
        *("--cert", str(it.folder / "hub/server.pem"), "--key", str(it.folder / "hub/server.key")),
        first_line=True,
        stdin=asyncio.subprocess.PIPE,
    )
    return HostileHub(process, log, (await first_line(process, log))["port"])


async def meet(rooms: list[RoomProcess], service: str) -> None:
    """Invite and join, one after the other."""
    invite = [word for room in rooms[1:] for word in ("--invite", room.name)]
    created = await rooms[0].ctl("meeting", "create", "--title", "Board", "--conference", service, *invite)
    for room in rooms:
        await room.ctl("meeting", "join", str(created["link"]), "--wait-admitted")


async def test_a_room_from_which_a_removal_is_hidden_drops_the_lock_and_stops_sending(
    it: Stage, report: list[str]
) -> None:
    hub = await hostile_hub(it)
    rooms = list(await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN, CHICAGO))))
    atrium, _, chicago = rooms
    async with looking_at(rooms) as glasses:
        await meet(rooms, hub.service)
        await when(glasses, partial(are_locked, members=3), "all three in")
        at_berlin = glasses[BERLINS_PLACE]

        async def berlin_sends() -> bool:
            counts, _ = await hub.packets()
            return counts.get(BERLINS_PLACE, 0) > 50

        await until(berlin_sends, "Berlin to send")
        epoch = at_berlin.view["epoch"]

        await hub.tell(do="hide", **{"from": BERLINS_PLACE})
        kicking = asyncio.create_task(atrium.ctl("meeting", "kick", chicago.name))
        hidden_at = (await hub.hear("hidden"))["at"]
        dropped_at = await when([at_berlin], lambda views: views[0]["lock"] != "locked", "Berlin's lock")
        await kicking
        await until_panel(chicago, "the kicked one to be out", state="left")
        assert at_berlin.view["epoch"] == epoch
        said = at_berlin.view["notices"]
        assert any("not heard for five seconds" in notice for notice in said), at_berlin.view
        counts, last = await hub.packets()
        await asyncio.sleep(QUIET_S)
        later, _ = await hub.packets()
        # The room says that it does not send, and that is what the relay sees.
        assert later[BERLINS_PLACE] == counts[BERLINS_PLACE]
        report.append(
            f"a removal hidden from a room: it sent for {last[BERLINS_PLACE] - hidden_at:.1f} s more, "
            f"its lock dropped after {dropped_at - hidden_at:.1f} s"
        )
        longest = WINDOW_S + TICK_S + MACHINE_S
        assert last[BERLINS_PLACE] - hidden_at < longest
        assert dropped_at - hidden_at < longest

        await hub.tell(do="show")
        staying = [glasses[0], at_berlin]
        await when(staying, partial(are_locked, members=2), "both to go on under the new key")
        assert at_berlin.view["epoch"] > epoch


async def decrypted(room: RoomProcess) -> int:
    """How many frames of the others the room has decrypted so far."""
    return sum(stream["frames_decrypted"] for stream in await room.streams() if not stream["is_self"])


async def test_while_a_hub_floods_rooms_with_junk_their_media_goes_on(it: Stage, report: list[str]) -> None:
    hub = await hostile_hub(it)
    rooms = list(await asyncio.gather(*(enrolled(it, part) for part in (ATRIUM, BERLIN))))
    async with looking_at(rooms) as glasses:
        await meet(rooms, hub.service)
        await when(glasses, partial(are_locked, members=2), "both in")

        async def see_each_other() -> bool:
            return all([await decrypted(room) > 50 for room in rooms])

        await until(see_each_other, "both rooms to see and hear each other")

        async def measure(during: float) -> list[tuple[float, float]]:
            """Of each room: frames of the other a second, and which part of a second it waited for a core."""
            frames, waits, begun = [await decrypted(room) for room in rooms], waited(rooms), time.monotonic()
            await asyncio.sleep(during)
            frames_now, waits_now = [await decrypted(room) for room in rooms], waited(rooms)
            passed = time.monotonic() - begun
            gained = zip(frames, frames_now, waits, waits_now, strict=True)
            return [((now - was) / passed, (more - wait) / passed) for was, now, wait, more in gained]

        quiet = await measure(3)
        seen_before = [len(glass.seen) for glass in glasses]
        await hub.tell(do="flood", per_s=FLOOD_PER_S, seconds=FLOOD_S)
        flooded = await measure(FLOOD_S - 1)
        said = await hub.hear("flooded")
        for room, (before, _), (during, waiting) in zip(rooms, quiet, flooded, strict=True):
            report.append(
                f"{said['flooded']:.0f} junk lobby messages a second: {room.name} decrypted {during:.0f} "
                f"frames a second of the other, {before:.0f} before (and could not run, because of others "
                f"on this machine, {100 * waiting:.0f}% of the time)"
            )
            # What it was before, or half of it, in the time in which it could run at all.
            assert during > before / 2 * max(0.1, 1 - waiting), report
        for glass, count, (_, waiting) in zip(glasses, seen_before, flooded, strict=True):
            is_locked = all(view.get("lock") == "locked" for _, view in glass.seen[count:])
            assert is_locked or waiting > STARVED, _locks(glass)
        assert said["flooded"] > FLOOD_PER_S / 10


def waited(rooms: list[RoomProcess]) -> list[float]:
    """For how many seconds each room's daemon has waited for a core so far."""
    return [waited_for_a_core(room.process) for room in rooms if room.process is not None]


def _locks(glass: Glass) -> list[object]:
    return [(at, view.get("lock"), view.get("notices")) for at, view in glass.seen]
