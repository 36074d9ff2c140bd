"""A corrupt provider with a stolen link, its own CA and two groups: what people see, and who leaves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.demo.stage import RoomProcess, Stage, until
from tests.e2e.rooms import (
    ATRIUM,
    BERLIN,
    conclavectl,
    enrolled,
    log_of,
    shown,
    trust,
    until_with,
)

pytestmark = pytest.mark.e2e


class Middle:
    """The program, and what it last said of each side."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.service = ""
        self.sides: dict[str, dict[str, Any]] = {}

    async def steal(self, link: str) -> None:
        """Give it the link."""
        assert self._process.stdin is not None
        self._process.stdin.write(link.encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, self._log.read_text()
        said: dict[str, Any] = json.loads(line)
        return said

    async def follow(self) -> None:
        """Keep `sides` new."""
        while True:
            said = await self.hear()
            self.sides[said["side"]] = said


@asynccontextmanager
async def hub_in_the_middle(it: Stage) -> AsyncIterator[Middle]:
    """The program runs, with the same certificate as the honest hub, which nobody uses.

    To be started before the rooms: it is stopped after them, so that they can say goodbye.
    """
    log = it.folder / "middle.log"
    process = await it.start(
        log,
        *("-m", "tests.e2e.hub_in_the_middle"),
        *("--cert", str(it.folder / "hub/server.pem"), "--key", str(it.folder / "hub/server.key")),
        *("--ca", str(it.folder / "hub-ca.pem"), "--provider-root", str(it.folder / "corrupt-root.pem")),
        *("--first", BERLIN.domain, "--second", ATRIUM.domain),
        first_line=True,
        stdin=asyncio.subprocess.PIPE,
    )
    middle = Middle(process, log)
    async with asyncio.timeout(30):
        middle.service = f"wss://127.0.0.1:{(await middle.hear())['port']}"
    following = asyncio.create_task(middle.follow())
    try:
        yield middle
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def two_rooms(it: Stage) -> tuple[RoomProcess, RoomProcess]:
    atrium, berlin = await asyncio.gather(enrolled(it, ATRIUM), enrolled(it, BERLIN))
    return atrium, berlin


async def create(room: RoomProcess, service: str, *words: str) -> str:
    created = await room.ctl("meeting", "create", "--title", "Board", "--conference", service, *words)
    return str(created["link"])


async def hears(room: RoomProcess, name: str, frequency_hz: int) -> bool:
    """Whether the room has decoded the tone of that frequency from a participant of that name."""
    for stream in await room.streams():
        heard = stream["detail"].get("frequency_hz", 0.0)
        if (stream["name"], stream["kind"]) == (name, "audio") and abs(heard - frequency_hz) < 20:
            return True
    return False


async def test_in_an_open_meeting_only_the_code_and_the_missing_verification_tell(it: Stage) -> None:
    async with hub_in_the_middle(it) as middle:
        atrium, berlin = await two_rooms(it)
        for room in (atrium, berlin):
            await trust(room, it.folder / "corrupt-root.pem", "provider CA", "provider")
        link = await create(atrium, middle.service, "--open", "--invite", berlin.name)
        await atrium.ctl("meeting", "join", link, "--wait-admitted")
        await middle.steal(link)
        await berlin.ctl("meeting", "join", link, "--wait-admitted")
        views = [await until_with(room, 2) for room in (atrium, berlin)]
        # The middle is in both groups: it knows each panel's code.
        for side, view in zip(("first", "second"), views, strict=True):
            await until(partial(said_code, middle, side, view), f"the middle to be on the {side} side")
        # It hands sound on in the name of the one expected: nobody could hear that it is there.
        await until(partial(hears, berlin, atrium.name, ATRIUM.frequency_hz), "atrium's tone in Berlin")
        await until(partial(hears, atrium, berlin.name, BERLIN.frequency_hz), "Berlin's tone in the atrium")
        # And yet: the codes differ, and neither impostor is verified.
        codes = {view["security_code"] for view in views}
        assert len(codes) == 2
        assert "" not in codes
        assert shown(views[0]) == {atrium.name: "verified", berlin.name: "provider"}
        assert shown(views[1]) == {atrium.name: "provider", berlin.name: "verified"}


async def said_code(middle: Middle, side: str, view: dict[str, Any]) -> bool:
    return bool(middle.sides.get(side, {}).get("code") == view["security_code"])


async def test_in_a_locked_meeting_the_host_s_device_does_not_let_the_impostor_in(it: Stage) -> None:
    async with hub_in_the_middle(it) as middle:
        atrium, berlin = await two_rooms(it)
        for room in (atrium, berlin):
            await trust(room, it.folder / "corrupt-root.pem", "provider CA", "provider")
        link = await create(atrium, middle.service, "--level", "locked", "--invite", berlin.name)
        await atrium.ctl("meeting", "join", link, "--wait-admitted")
        await middle.steal(link)
        waiting = await until(partial(lobby_of, atrium), "the impostor in the lobby")
        assert {w["assurance"] for w in waiting} == {"provider"}
        said = await conclavectl(atrium, "meeting", "admit", waiting[0]["request_id"])
        assert said.code == 3
        assert "this meeting is locked: verified names only" in said.error
        # Berlin has the host's word and nobody to meet: it shows no lock and no code.
        said = await conclavectl(berlin, "meeting", "join", link, "--wait-admitted", "--timeout", "6")
        assert said.code == 6
        assert "not in after 6 s" in said.error
        view = await berlin.panel()
        assert (view["lock"], view["security_code"], view["participants"]) == ("opening", "", [])
        view = await atrium.panel()
        assert shown(view) == {atrium.name: "verified"}


async def lobby_of(room: RoomProcess) -> list[dict[str, Any]]:
    waiting: list[dict[str, Any]] = (await room.ctl("meeting", "lobby"))["lobby"]
    return waiting


async def test_where_the_host_trusts_the_corrupt_ca_the_other_room_stays_out_and_says_why(it: Stage) -> None:
    async with hub_in_the_middle(it) as middle:
        atrium, berlin = await two_rooms(it)
        # The host's admin made a grave mistake; the other room's did not.
        await trust(atrium, it.folder / "corrupt-root.pem", "corrupt CA", "verified")
        await trust(berlin, it.folder / "corrupt-root.pem", "provider CA", "provider")
        invite = ("--invite", berlin.name, "--invite", atrium.name)
        link = await create(atrium, middle.service, "--level", "locked", *invite)
        await atrium.ctl("meeting", "join", link, "--wait-admitted")
        await middle.steal(link)
        await until_with(atrium, 2)
        said = await conclavectl(berlin, "meeting", "join", link, "--wait-admitted", "--timeout", "6")
        assert said.code == 6
        # The impostor could not copy the host's admission to its own key: the group that it made has no
        # host. Berlin is welcomed into it, does not enter, and waits outside for an honest one.
        reason = "no host is in the locked meeting"

        async def says_why() -> dict[str, Any] | None:
            view = await berlin.panel()
            return view if any(reason in notice for notice in view["notices"]) else None

        view = await until(says_why, "Berlin's panel to say why")
        assert (view["lock"], view["participants"]) == ("opening", [])
        assert view["security_code"] == ""
        assert link.partition("#")[2] not in log_of(berlin)
