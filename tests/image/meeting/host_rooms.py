"""The host's side of the meeting: a CA for everybody, the provider's CA, the hub, and two rooms.

All of it at addresses that the machine reaches too. Small pictures and few of them, because the machine
decodes every one on an emulated processor.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.demo.stage import Part, RoomProcess, Stage, stage, until
from tests.e2e.rooms import enrolled, trust

ADDRESS = "192.0.2.10"
"""Of this machine, inside the network namespace of `make test-image`; the guest reaches it through NAT."""
GUEST_LOOPBACK = "127.0.0.9"
"""Where the public CA's look at the guest's port 80 arrives: an address that no host-side room has."""
GUEST_DOMAIN = "room.example.com"
PICTURE = (480, 288, 5)
WALL_SIZE = (640, 360)
WAIT_S = 180.0


@contextlib.asynccontextmanager
async def host_side(folder: Path) -> AsyncIterator["HostSide"]:
    """Everything that runs on the host, with both rooms enrolled."""
    async with stage(folder, address=ADDRESS) as it:
        wall = folder / "wall.png"
        screen = f'driver = "pixels"\nbackend = "png"\npng_file = {json.dumps(str(wall))}\n'
        screen += f"png_width = {WALL_SIZE[0]}\npng_height = {WALL_SIZE[1]}\nfps = 2"
        atrium = Part("atrium.example.com", "127.0.0.11", 440, picture=PICTURE, screen=screen)
        visitor = Part("visitor.provider.example", "127.0.0.14", 1100, picture=PICTURE)
        host = await enrolled(it, atrium)
        await trust(host, it.folder / "provider-root.pem", "provider CA", "provider")
        guest = await it.room(visitor, ca=it.provider_ca, is_providers=True)
        await trust(guest, it.folder / "public-root.pem", "public CA", "verified")
        await trust(guest, it.folder / "provider-root.pem", "provider CA", "provider")
        await it.public_ca.add_a(GUEST_DOMAIN, GUEST_LOOPBACK)
        yield HostSide(it, host, guest, wall)


class HostSide:
    """The rooms `atrium` (verified, the host) and `visitor` (only the provider vouches for it)."""

    def __init__(self, it: Stage, atrium: RoomProcess, visitor: RoomProcess, wall: Path) -> None:
        self.stage, self.atrium, self.visitor = it, atrium, visitor
        self.wall = wall
        """The picture on the atrium's screen: everybody else's camera, side by side."""
        self.link = ""

    async def meet(self) -> None:
        """Both are in a meeting that the machine's room is invited to."""
        words = ("meeting", "create", "--title", "Quarterly review", "--invite", GUEST_DOMAIN)
        created = await self.atrium.ctl(*words, "--conference", self.stage.hub_url)
        self.link = str(created["link"])
        await self.atrium.ctl("meeting", "join", self.link, "--wait-admitted")

        async def is_enrolled() -> bool:
            status = await self.visitor.ctl("status")
            return bool(status["identity"]["state"] == "enrolled")

        await until(is_enrolled, "the visitor to have the provider's certificate")
        await self.visitor.ctl("meeting", "join", self.link)

        async def waits() -> Any:
            return (await self.atrium.ctl("meeting", "lobby"))["lobby"]

        (waiting,) = await until(waits, "the visitor in the lobby")
        await self.atrium.ctl("meeting", "admit", waiting["name"])

        async def are_two() -> bool:
            view = await self.atrium.panel()
            return bool(view.get("lock") == "locked" and len(view["participants"]) == 2)

        await until(are_two, "two in the meeting")
