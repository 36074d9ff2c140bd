"""Certificates of twenty seconds, in a meeting that goes on: everybody stays verified, and codes follow."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.demo.stage import BIN, RoomProcess, Stage
from tests.e2e.rooms import ATRIUM, BERLIN, CHICAGO, trust, until_with
from tests.pebble import Pebble

pytestmark = pytest.mark.e2e

LIFE_S = 20
RENEWALS = 3
"""How often each room renews while it is watched."""
DEADLINE_S = 120


@dataclass
class Watch:
    """Everything that a room's bus told while it was watched."""

    room: RoomProcess
    meetings: list[dict[str, Any]] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, line: bytes) -> None:
        told = json.loads(line)
        meeting = dict(self.meetings[-1]) if self.meetings else {}
        if told["event"] == "state":
            meeting, identity = told["meeting"], told["identity"]
        else:
            identity = told["changed"] if told["interface"] == "Identity" else {}
            meeting |= told["changed"] if told["interface"] == "Meeting" else {}
        self.meetings.append(meeting)
        fingerprint = identity.get("fingerprint")
        if fingerprint and fingerprint not in self.certificates:
            self.certificates.append(fingerprint)
        self.news.set()

    @property
    def renewals(self) -> int:
        """How often this room's certificate has become another."""
        return len(self.certificates) - 1

    @property
    def reasons(self) -> dict[int, str]:
        """Why the code is as it is since each code epoch."""
        return {each["code_epoch"]: each["code_reason"] for each in self.meetings}

    @property
    def codes(self) -> dict[int, str]:
        """The code of each code epoch."""
        return {each["code_epoch"]: each["security_code"] for each in self.meetings if each["security_code"]}


@asynccontextmanager
async def watching(room: RoomProcess) -> AsyncIterator[Watch]:
    watch = Watch(room)
    process = await asyncio.create_subprocess_exec(
        str(BIN / "conclavectl"), "watch", "--json",
        env={**os.environ, "CONCLAVE_BUS": room.bus.address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None

    async def read(stream: asyncio.StreamReader) -> None:
        async for line in stream:
            watch.take(line)

    reading = asyncio.create_task(read(process.stdout))
    try:
        yield watch
    finally:
        process.terminate()
        await process.wait()
        await reading


async def test_the_roster_stays_verified_and_each_renewal_changes_the_code_once(
    it: Stage, report: list[str]
) -> None:
    async with Pebble(it.folder / "short-ca", validity_s=LIFE_S) as ca:
        root = it.folder / "short-root.pem"
        root.write_text(ca.root_pem)
        rooms = [await it.room(part, ca=ca) for part in (ATRIUM, BERLIN, CHICAGO)]
        for room in rooms:
            await trust(room, root, "short", "verified")
            await room.ctl("identity", "enroll", room.name)
        invited = [word for room in rooms[1:] for word in ("--invite", room.name)]
        made = await rooms[0].ctl("meeting", "create", "--title", "Long", *invited)
        for room in rooms:
            await room.ctl("meeting", "join", made["link"], "--wait-admitted")
        for room in rooms:
            await until_with(room, len(rooms))
        async with watching(rooms[0]) as first, watching(rooms[1]) as second, watching(rooms[2]) as third:
            watches = (first, second, third)
            async with asyncio.timeout(DEADLINE_S):
                while not is_enough(watches):
                    for watch in watches:
                        watch.news.clear()
                    waits = [asyncio.ensure_future(watch.news.wait()) for watch in watches]
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                    for wait in waits:
                        wait.cancel()
        for watch in watches:
            assert all(each["state"] == "in_meeting" for each in watch.meetings)
            assert {len(each["participants"]) for each in watch.meetings} == {len(rooms)}
            said = {person["assurance"] for each in watch.meetings for person in each["participants"]}
            assert said == {"verified"}
            # One epoch a change, none without one, and everybody's panel had each code.
            assert list(watch.codes) == list(range(min(watch.codes), max(watch.codes) + 1))
            assert watch.codes == first.codes
            assert len(set(watch.codes.values())) == len(watch.codes)
        made_anew = sum(watch.renewals for watch in watches)
        report.append(
            f"{made_anew} renewals of {LIFE_S}-second certificates in one meeting: {len(first.codes) - 1} "
            "changes of the code, the same ones on 3 panels; verified throughout"
        )


def is_enough(watches: tuple[Watch, ...]) -> bool:
    """Whether each room has renewed often enough, and every panel has told why its code changed each time."""
    often = all(watch.renewals >= RENEWALS for watch in watches)
    return often and all(
        sum(f"{other.room.name} renewed" in reason for reason in watch.reasons.values()) == other.renewals
        for watch in watches
        for other in watches
    )
