"""Rooms on a stage, ready to meet, and `conclavectl` as a person sees it."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.demo.stage import BIN, Part, RoomProcess, Stage, until
from tests.pebble import Pebble

ATRIUM = Part("atrium.example.com", "127.0.0.11", 440)
BERLIN = Part("berlin.example.net", "127.0.0.12", 660)
CHICAGO = Part("chicago.example.org", "127.0.0.13", 880)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong; before it, only progress may be told."""
        *before, last = self.err.splitlines()
        assert last.startswith("conclavectl: ")
        assert not any(line.startswith("conclavectl: ") for line in before), self.err
        return last


async def conclavectl(room: RoomProcess, *words: str) -> Said:
    """Run a command on this room, whatever comes of it."""
    process = await asyncio.create_subprocess_exec(
        str(BIN / "conclavectl"),
        *words,
        env={**os.environ, "CONCLAVE_BUS": room.bus.address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


async def enrolled(it: Stage, part: Part, *, ca: Pebble | None = None) -> RoomProcess:
    """A room that trusts the public CA, with a certificate from it."""
    room = await it.room(part, ca=ca or it.public_ca)
    await trust(room, it.folder / "public-root.pem", "public CA", "verified")
    await room.ctl("identity", "enroll", room.name)
    return room


async def trust(room: RoomProcess, file: object, label: str, kind: str) -> None:
    """Add an anchor."""
    await room.ctl("trust", "add", str(file), "--label", label, "--kind", kind)


async def until_panel(room: RoomProcess, what: str, **wanted: object) -> dict[str, Any]:
    """Wait until the panel's glass shows these values; returns all of it."""
    last: dict[str, Any] = {}

    async def check() -> dict[str, Any] | None:
        last.update(await room.panel())
        return last if all(last.get(key) == value for key, value in wanted.items()) else None

    def show() -> str:
        keys = (*wanted, "notices", "news", "participants")
        return str({key: last.get(key) for key in keys}) + " " + log_of(room)[-1500:]

    found: dict[str, Any] = await until(check, what, show=show)
    return found


async def until_with(room: RoomProcess, members: int) -> dict[str, Any]:
    """Wait until the room's panel is locked with so many participants; returns what it shows."""

    async def check() -> dict[str, Any] | None:
        view = await room.panel()
        return view if view.get("lock") == "locked" and len(view["participants"]) == members else None

    found: dict[str, Any] = await until(
        check, f"{members} on the panel of {room.name}", show=lambda: log_of(room)[-1500:]
    )
    return found


def log_of(room: RoomProcess) -> str:
    """Everything that the daemon has written."""
    return (room.folder / "conclaved.log").read_text()


def shown(view: dict[str, Any]) -> dict[str, str]:
    """The participants of a panel: name to assurance."""
    return {participant["name"]: participant["assurance"] for participant in view["participants"]}


def waited_for_a_core(process: asyncio.subprocess.Process) -> float:
    """For how many seconds the process could have run and was not let, because others did; 0 if unknown.

    The second number of schedstat: of its main thread, where all of its way back happens.
    """
    try:
        _, waited_ns, _ = Path(f"/proc/{process.pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(waited_ns) / 1e9
