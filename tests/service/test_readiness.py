"""What systemd hears of the daemon, in which order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conclaved.bus import run as serve_bus
from conclaved.bus.room import Topic
from conclaved.service import readiness
from conclaved.service.liveness import Liveness
from conclaved.service.readiness import Readiness
from conclaved.service.status_line import status_line
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import ENROLLED, IN_MEETING, FakeRoom
from tests.service.rooms import running_room

DEADLINE_S = 30.0


class LivingFake(FakeRoom):
    """A room whose key and whose loop are in a test's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.key_was_looked_at = asyncio.Event()
        self.is_alive = asyncio.Event()
        self.is_alive.set()
        self.was_asked = asyncio.Event()

    async def give_sign_of_life(self) -> None:
        self.was_asked.set()
        await self.is_alive.wait()


class Systemd:
    """Hears what is sent to it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, state: str) -> None:
        self.heard.append(state)
        self._news.set()

    async def hears(self, start: str) -> str:
        """The first state that begins so, now or later."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for state in self.heard:
                    if state.startswith(start):
                        return state
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def told(room: Any, watchdog_s: float | None = None) -> AsyncIterator[tuple[Systemd, Readiness]]:
    systemd = Systemd()
    one = Readiness(systemd, room, watchdog_s)
    running = asyncio.create_task(one.run())
    try:
        yield systemd, one
    finally:
        running.cancel()
        await asyncio.wait({running})


async def served(room: Any, address: str, one: Readiness) -> asyncio.Task[None]:
    return asyncio.create_task(serve_bus(room, address=address, served=one.is_served))


async def test_it_is_ready_once_it_is_on_the_bus_and_the_key_was_looked_at(tmp_path: Path) -> None:
    room = LivingFake()
    async with PrivateBus() as bus, told(room) as (systemd, one):
        assert systemd.heard == []
        serving = await served(room, bus.address, one)
        assert await systemd.hears("STATUS=") == "STATUS=looking at the room's key"
        assert not any("READY" in state for state in systemd.heard)
        room.key_was_looked_at.set()
        assert await systemd.hears("READY=1")
        serving.cancel()
        await asyncio.wait({serving})


async def test_a_key_that_was_looked_at_is_not_enough_without_the_bus() -> None:
    room = LivingFake()
    room.key_was_looked_at.set()
    async with told(room) as (systemd, _):
        await asyncio.sleep(0)
        assert systemd.heard == []


async def test_a_key_that_hangs_does_not_keep_admins_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "KEY_WITHIN_S", 0.0)
    room = LivingFake()
    async with PrivateBus() as bus, told(room) as (systemd, one):
        serving = await served(room, bus.address, one)
        assert await systemd.hears("READY=1")
        assert "conclavectl doctor" in caplog.text
        serving.cancel()
        await asyncio.wait({serving})


async def test_the_watchdog_is_fed_through_room_and_bus() -> None:
    room = LivingFake()
    room.key_was_looked_at.set()
    async with PrivateBus() as bus, told(room, DEADLINE_S) as (systemd, one):
        serving = await served(room, bus.address, one)
        assert await systemd.hears("WATCHDOG=1")
        serving.cancel()
        await asyncio.wait({serving})


async def test_a_loop_that_lives_beside_a_room_that_hangs_does_not_feed_it() -> None:
    room = LivingFake()
    room.key_was_looked_at.set()
    room.is_alive.clear()
    async with PrivateBus() as bus, told(room, 0.1) as (systemd, one):
        serving = await served(room, bus.address, one)
        await systemd.hears("READY=1")
        async with asyncio.timeout(DEADLINE_S):
            await room.was_asked.wait()
        liveness_says = Liveness({"the room": room.give_sign_of_life}, lambda: None, 0.1)
        assert await liveness_says.ask() == ("the room",)
        assert "WATCHDOG=1" not in systemd.heard
        serving.cancel()
        await asyncio.wait({serving})


async def test_a_real_room_gives_a_sign_of_life_without_anything_to_draw(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.panel()
        async with asyncio.timeout(DEADLINE_S):
            await here.room.give_sign_of_life()
            await here.room.give_sign_of_life()


async def test_the_status_changes_with_what_the_room_does() -> None:
    room = LivingFake()
    room.key_was_looked_at.set()
    async with PrivateBus() as bus, told(room) as (systemd, one):
        serving = await served(room, bus.address, one)
        await systemd.hears("READY=1")
        room.set(Topic.MEETING, IN_MEETING)
        assert await systemd.hears("STATUS=in a meeting")
        serving.cancel()
        await asyncio.wait({serving})


def test_no_name_and_no_code_is_in_the_status() -> None:
    room = FakeRoom()
    line = status_line(room.device(), ENROLLED, IN_MEETING)
    assert line.startswith("in a meeting")
    for secret in (IN_MEETING.security_code, IN_MEETING.title, IN_MEETING.meeting_id, ENROLLED.domain):
        assert secret not in line


def test_problems_are_counted_with_what_tells_more() -> None:
    room = FakeRoom()
    device = replace(room.device(), problems=("the disk is full",))
    assert status_line(device, ENROLLED, room.meeting()) == (
        "in no meeting; 1 problem, see: conclavectl status"
    )
