"""What goes wrong on the way in, through the real daemon: one line, what to do next, nothing changed."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conclave_provisioning.cli.client import RoomClient
from tests.demo.stage import Part, RoomProcess, Stage, until
from tests.e2e.rooms import ATRIUM, Said, conclavectl, enrolled, log_of, until_panel
from tests.pebble import Pebble, free_ports
from tests.pki import TestAuthority

pytestmark = pytest.mark.e2e

BLOCKED = "blocked-domain.example"


async def state(room: RoomProcess) -> dict[str, Any]:
    """What must be the same after a failure as before it."""
    status = await room.ctl("status")
    identity = status["identity"]
    return {
        "meeting": {key: status["meeting"][key] for key in ("state", "title", "epoch", "left_reason")},
        "certificate": (identity["fingerprint"], identity["not_after"]),
        "trust": status["anchors"],
        "policy": status["policy"],
    }


async def past_invitation(room: RoomProcess, service: str) -> str:
    """A link to a meeting that is over, asked from the room itself: the command refuses such times."""
    hour_ago = int(time.time()) - 3600
    client = await RoomClient.open(room.bus.address)
    try:
        link, _ = await client.act(
            *("Meeting", "Create", "ssass", "Board meeting", "standard", [], service),
            options={"not_before": hour_ago - 3600, "not_after": hour_ago},
        )
    finally:
        await client.close()
    return str(link)


class Trials:
    """Commands that must fail, one after the other, and leave the room as it was."""

    def __init__(self, room: RoomProcess, before: dict[str, Any]) -> None:
        self.room = room
        self._before = before

    @classmethod
    async def on(cls, room: RoomProcess) -> "Trials":
        """What the room is now is what it must stay."""
        return cls(room, await state(room))

    async def fails(self, code: int, *words: str, says: str, next_step: str) -> Said:
        """One command."""
        said = await conclavectl(self.room, *words)
        assert said.code == code, said
        assert said.out == ""
        assert says in said.error
        assert next_step in said.error.partition("; ")[2]
        assert await state(self.room) == self._before
        return said


async def start_hub(it: Stage, name: str, authority: TestAuthority, *, ip: str = "127.0.0.1") -> str:
    """Another hub on this stage, with a certificate of `authority`. Returns its address."""
    folder = it.folder / name
    folder.mkdir()
    certificate, key = authority.server_files(folder, dns=["hub.invalid"], ips=[ip])
    (port,) = free_ports(1)
    await it.start(
        folder / "hub.log",
        *("-m", "conclaved.conference.hub", "--listen", f"127.0.0.1:{port}"),
        *("--cert", str(certificate), "--key", str(key)),
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(listens, f"the hub {name} to listen")
    return f"wss://127.0.0.1:{port}"


async def test_enrollments_that_cannot_be_say_why_and_keep_the_certificate(it: Stage) -> None:
    async with Pebble(it.folder / "strict-ca", blocklist=[BLOCKED]) as strict:
        room = await enrolled(it, ATRIUM, ca=it.public_ca)
        (it.folder / "strict-ca.pem").write_text(strict.root_pem)
        await it.public_ca.add_a("elsewhere.example.com", "127.0.0.99")
        enroll = ("identity", "enroll")
        trials = await Trials.on(room)
        await trials.fails(
            2, *enroll, "not a domain", says="domain", next_step="",
        )  # fmt: skip
        # The domain's DNS leads to another machine: the CA does not find the answer there.
        said = await trials.fails(
            12, *enroll, "elsewhere.example.com", says="the CA refused", next_step="port 80"
        )
        assert "elsewhere.example.com" in said.error
        (port,) = free_ports(1)
        gone = f"https://127.0.0.1:{port}/dir"
        await trials.fails(
            6, *enroll, room.name, "--directory", gone,
            says="cannot be reached", next_step="check",
        )  # fmt: skip
        # A server that is there, whose certificate this device does not trust.
        await trials.fails(
            19, *enroll, room.name, "--directory", strict.directory_url,
            says="127.0.0.1", next_step="acme.ca",
        )  # fmt: skip


async def test_a_ca_that_refuses_is_quoted(it: Stage) -> None:
    async with Pebble(it.folder / "strict-ca", blocklist=[BLOCKED]) as strict:
        room = await it.room(Part(BLOCKED, "127.0.0.11", 440), ca=strict)
        trials = await Trials.on(room)
        said = await trials.fails(
            5, "identity", "enroll", BLOCKED,
            says="rejectedIdentifier", next_step="check its spelling, or use another CA",
        )  # fmt: skip
        assert "forbidden by policy" in said.error


async def test_links_that_lead_nowhere_say_what_to_do_next(it: Stage, tmp_path: Path) -> None:
    room = await enrolled(it, ATRIUM)
    create = ("meeting", "create", "--title", "Board meeting", "--conference")
    link = str((await room.ctl(*create, it.hub_url))["link"])
    address, _, secret = link.partition("#")
    join = ("meeting", "join")
    trials = await Trials.on(room)

    async def fails_to_join(code: int, link: str, says: str, next_step: str) -> None:
        await trials.fails(code, *join, link, says=says, next_step=next_step)

    await fails_to_join(2, "https://example.com/", "this is not a meeting link", "copy it whole")
    await fails_to_join(2, address, "this is not a meeting link", "copy it whole")
    await fails_to_join(2, link[:-1] + "!", "this is not a meeting link", "copy it whole")
    other_secret = "Q" * 43 if secret != "Q" * 43 else "g" * 43
    await fails_to_join(5, f"{address}#{other_secret}", "does not open", "link")
    other_hash = address[:-43] + "A" * 43
    await fails_to_join(4, f"{other_hash}#{secret}", "does not know this meeting", "ask the host")
    (port,) = free_ports(1)
    nowhere = link.replace(it.hub_url.removeprefix("wss://"), f"127.0.0.1:{port}")
    await fails_to_join(6, nowhere, "cannot be reached", "check the address in the link")

    # Hubs with certificates that this device does not believe.
    stranger = await start_hub(it, "stranger", TestAuthority("Somebody"))
    there = link.replace(it.hub_url, "").replace(
        it.hub_url.removeprefix("wss://"), stranger.removeprefix("wss://")
    )
    await fails_to_join(6, there, "a certificate that this device does not trust", "[service] ca_file")
    await trials.fails(6, *create, stranger, says="does not trust", next_step="[service] ca_file")

    # Invitations outside their time.
    hours = [datetime.fromtimestamp(time.time() + h * 3600, UTC).isoformat() for h in (1, 2)]
    old = await past_invitation(room, it.hub_url)
    await fails_to_join(5, old, "the invitation has expired", "ask the host for a new link")
    early = await room.ctl(*create, it.hub_url, "--from", hours[0], "--until", hours[1])
    await fails_to_join(5, early["link"], "has not begun yet", "join at the time of the invitation")

    # The room's own rule, and a second meeting.
    await room.ctl("meeting", "join", link, "--wait-admitted")
    trials = await Trials.on(room)
    await fails_to_join(8, link, "the room is in a meeting", "conclavectl meeting leave")
    await trials.fails(
        4, "meeting", "admit", "nobody", says="nobody called nobody", next_step="meeting lobby"
    )
    await room.ctl("meeting", "leave")
    await until_panel(room, "the room to have left", state="left")
    trials = await Trials.on(room)
    await trials.fails(4, "meeting", "code", says="not in a meeting", next_step="meeting join")

    log = log_of(room)
    for hidden in (secret, other_secret, old.partition("#")[2], "Board meeting"):
        assert hidden not in log
    assert "Traceback" not in log
