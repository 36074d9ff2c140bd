"""A device that is a meeting's host, and what befalls it there.

Each claim finds device and room in the meeting as the one before left them: what ends the daemon comes last.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.demo.stage import Part, RoomProcess, stage
from tests.e2e.rooms import enrolled, trust
from tests.image import carried_in, namespace
from tests.image.admin import AdminError
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.test_full_disk import EMPTY, FILL, FULL
from tests.image.told import RESTARTS, problems
from tests.pki import TestAuthority

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEVICE = "device.example.com"
ATRIUM = Part("atrium.example.com", "127.0.0.11", 440)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A device and a room of the host's, both in it."""

    device: Machine
    room: RoomProcess
    link: str

    async def seen(self) -> dict[str, Any]:
        """The device's own view of it."""
        meeting: dict[str, Any] = (await self.device.admin.ctl("status"))["meeting"]
        return meeting

    async def are_together(self) -> str:
        """The code that both show once both are locked and see two who are verified; empty before."""
        try:
            device = await self.seen()
        except AdminError:
            return ""  # Its daemon is being restarted.
        room = (await self.room.ctl("status"))["meeting"]
        for view in (device, room):
            people = {person["name"]: person["assurance"] for person in view["participants"]}
            if view["lock"] != "locked" or people != {
                DEVICE: "verified",
                self.room.name: "verified",
            }:
                return ""
        codes = {await _code(self.device.admin), await _code(self.room)}
        return codes.pop() if len(codes) == 1 else ""

    async def until_together(self) -> str:
        """Wait for that."""
        return await eventually(self.are_together, "device and room to be in the meeting")

    async def leave_and_join(self) -> None:
        """The room goes, and comes again: the device, as the host, admits it by a commit."""
        await self.room.ctl("meeting", "leave")

        async def has_left() -> bool:
            return bool((await self.room.ctl("status"))["meeting"]["state"] == "left")

        await eventually(has_left, "the room to have left")
        await self.room.ctl("meeting", "join", self.link, "--wait")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def meeting(shared_device: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Meeting]:
    admin, authority = shared_device.admin, TestAuthority("Tests")
    folder = tmp_path_factory.mktemp("stage")
    async with stage(folder, address=namespace.HUB) as it:
        room = await enrolled(it, ATRIUM)
        (folder / "tests-root.pem").write_text(authority.root_pem)
        await trust(room, folder / "tests-root.pem", "the device's", "verified")
        await carried_in.trust(admin, authority)
        public = it.public_ca.root_pem
        await admin.ctl("trust", "add", "-", "--label", "public", "--kind", "verified", stdin=public)
        await carried_in.certify(admin, DEVICE, authority)
        await admin.ctl("config", "apply", "-", stdin=_settings(it.hub_ca, it.hub_url))
        made = await admin.ctl("meeting", "create", "--title", "Weekly", "--invite", room.name)
        found = Meeting(shared_device, room, made["link"])
        await admin.ctl("meeting", "join", "-", "--wait", "--timeout", "240", stdin=found.link)
        await room.ctl("meeting", "join", found.link, "--wait")
        await found.until_together()
        yield found


async def test_the_tpms_key_signs_the_commits_by_which_the_device_admits(meeting: Meeting) -> None:
    before = await meeting.seen()
    shown = (await meeting.device.admin.ctl("identity", "show"))["identity"]
    assert shown["key_protection"] == "tpm2"
    await meeting.leave_and_join()
    await meeting.until_together()
    after = await meeting.seen()
    assert after["is_host"]
    assert after["epoch"] > before["epoch"]
    assert after["meeting_id"] == before["meeting_id"]


async def test_a_meeting_goes_on_while_the_disk_is_full(meeting: Meeting) -> None:
    before = await meeting.seen()
    await meeting.device.root.run(FILL["root"], timeout_s=180)
    assert FULL in await problems(meeting.device.admin)
    await meeting.leave_and_join()
    await meeting.until_together()
    await meeting.device.root.run(EMPTY)
    after = await meeting.seen()
    assert (after["meeting_id"], after["epoch"] > before["epoch"]) == (before["meeting_id"], True)
    assert await meeting.device.root.run(RESTARTS) == "0\n"


async def test_a_daemon_that_hangs_is_restarted_and_comes_back_to_its_meeting(meeting: Meeting) -> None:
    before = await meeting.seen()
    root = meeting.device.root

    async def was_restarted() -> bool:
        return await root.run(RESTARTS) == "1\n"

    await root.run("kill -STOP $(systemctl show -P MainPID conclaved.service)")
    await eventually(was_restarted, "the watchdog")
    assert await root.run("systemctl show -P Result conclaved.service") in ("success\n", "watchdog\n")
    await meeting.until_together()
    after = await meeting.seen()
    assert (after["meeting_id"], after["state"]) == (before["meeting_id"], "in_meeting")
    assert "watchdog" in (await meeting.device.journal("conclaved")).lower()


def _settings(ca: Path, service: str) -> str:
    return f"[conference]\nservice = {json.dumps(service)}\nca_pem = {json.dumps(ca.read_text())}\n"


async def _code(who: Any) -> str:
    code: str = (await who.ctl("meeting", "code"))["code"]
    return code
