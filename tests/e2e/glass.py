"""What panels show from moment to moment, looked at some twenty times a second."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.demo.stage import RoomProcess, StageError

LOOK_S = 0.05
VIEWS = "views.jsonl"

View = dict[str, Any]


class Glass:
    """One room's panel: every view that was different from the one before, and when it was seen."""

    def __init__(self, room: RoomProcess) -> None:
        self.room = room
        self.seen: list[tuple[float, View]] = []
        self._news = asyncio.Event()

    @property
    def view(self) -> View:
        """What it shows now; empty while there is none."""
        return self.seen[-1][1] if self.seen else {}

    async def look(self) -> None:
        """Look until cancelled. Where there is no panel, because its daemon is gone, nothing is shown."""
        while True:
            try:
                view = await self.room.panel()
            except (OSError, ValueError):
                view = {}
            if not self.seen or view != self.view:
                self.seen.append((time.monotonic(), view))
                self._news.set()
            await asyncio.sleep(LOOK_S)

    def write(self) -> None:
        """Every view into the room's folder, one a line, with its time (monotonic seconds)."""
        lines = (json.dumps({"at": round(at, 3), **view}) for at, view in self.seen)
        (self.room.folder / VIEWS).write_text("".join(f"{line}\n" for line in lines))

    async def next_view(self) -> None:
        """Return when it shows something else."""
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def looking_at(rooms: Sequence[RoomProcess]) -> AsyncIterator[list[Glass]]:
    """The panels of these rooms, looked at all the time."""
    glasses = [Glass(room) for room in rooms]
    tasks = [asyncio.create_task(glass.look()) for glass in glasses]
    try:
        yield glasses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for glass in glasses:
            glass.write()


async def when(
    glasses: Sequence[Glass], check: Callable[[list[View]], bool], what: str, timeout_s: float = 60.0
) -> float:
    """Wait until what the panels show together fulfils `check`. Returns when it did (monotonic seconds)."""
    try:
        async with asyncio.timeout(timeout_s):
            while not (all(glass.seen for glass in glasses) and check([glass.view for glass in glasses])):
                news = [asyncio.create_task(glass.next_view()) for glass in glasses]
                try:
                    await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in news:
                        each.cancel()
    except TimeoutError as error:
        raise StageError(
            f"waited {timeout_s:g} s for {what}: {'; '.join(map(_in_short, glasses))}"
        ) from error
    return max(glass.seen[-1][0] for glass in glasses)


def are_locked(views: list[View], members: int) -> bool:
    """Whether all panels show the lock, so many participants, and one epoch with one code."""
    are_in = all(v.get("lock") == "locked" and len(v["participants"]) == members for v in views)
    return are_in and len({(v["epoch"], v["security_code"]) for v in views}) == 1


def have_no_lock(views: list[View]) -> bool:
    """Whether no panel shows the lock."""
    return all(view.get("lock") != "locked" for view in views)


def _in_short(glass: Glass) -> str:
    """What it shows now, in a few words."""
    view, name = glass.view, glass.room.name.partition(".")[0]
    if not view:
        return f"{name} shows nothing"
    people, notices = len(view.get("participants", ())), "".join(f", {each!r}" for each in view["notices"])
    return f"{name} {view['state']} {view['lock']}, {people} in epoch {view['epoch']}{notices}"
