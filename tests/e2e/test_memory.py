"""What remains of SFrame base keys in the memory of a real daemon, looked at from outside.

The test is a member of the meeting itself: it knows each epoch's base key by its own exporter,
and looks for those very bytes in the daemon's memory. Python promises nothing about freed
objects, so the counts are printed as they are, whatever they are.
"""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from conclaved.sframe import CipherSuite
from conclaved.sframe.key_schedule import derive_key_salt
from conclaved.sframe.mls_kid import KidLayout
from tests.demo.stage import RoomProcess, Stage, StageError, until
from tests.e2e.member import Member, member
from tests.e2e.memory import Found, scan
from tests.e2e.rooms import ATRIUM, enrolled, trust, until_panel, until_with
from tests.pki import TestAuthority

pytestmark = pytest.mark.e2e

CONTEXTS = (0, 1)
"""Microphone and camera."""


def needles(witness: Member, leaves: int) -> dict[str, bytes]:
    """Each epoch's base key, and the keys that each sender derives from it."""
    suite = CipherSuite.AES_128_GCM_SHA256_128
    wanted: dict[str, bytes] = {}
    for epoch, base_key in witness.recorder.base_keys.items():
        wanted[f"base key of epoch {epoch}"] = base_key
        layout = KidLayout.for_leaf_count(witness.recorder.leaf_counts[epoch])
        for leaf in range(min(leaves, witness.recorder.leaf_counts[epoch])):
            for context in CONTEXTS:
                key, _ = derive_key_salt(suite, layout.kid(context, leaf, epoch), base_key)
                wanted[f"sframe_key of epoch {epoch}, leaf {leaf}, stream {context}"] = bytes(key)
    return wanted


async def look(room: RoomProcess, wanted: dict[str, bytes]) -> tuple[list[Found], int]:
    assert room.process is not None
    return await asyncio.to_thread(scan, room.process.pid, wanted)


def told(found: list[Found], epochs: set[int]) -> str:
    """The copies of those epochs' keys, counted."""
    counts = Counter(copy.what.split(" of ")[0] for copy in found if epoch_of(copy.what) in epochs)
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items())) or "none"


async def test_retired_base_keys_leave_the_daemon_s_memory(
    it: Stage, report: list[str], tmp_path: Path
) -> None:
    public = TestAuthority("Members' CA")
    (tmp_path / "members-root.pem").write_text(public.root_pem)
    room = await enrolled(it, ATRIUM)
    await trust(room, tmp_path / "members-root.pem", "members CA", "verified")
    created = await room.ctl(
        *("meeting", "create", "--title", "Secret", "--conference", it.hub_url),
        *("--invite", "witness.example.com", "--invite", "second.example.com"),
    )
    link, hub_ca = str(created["link"]), it.folder / "hub-ca.pem"
    await room.ctl("meeting", "join", link, "--wait-admitted")
    async with member(link, "witness.example.com", public, it.public_ca.root_pem, hub_ca) as witness:
        first = await witness.until(members=2)
        async with member(link, "second.example.com", public, it.public_ca.root_pem, hub_ca) as other:
            # It must be in itself, or there is nobody who could leave.
            await other.until(members=3)
            second = await witness.until(members=3, after_epoch=first)
            await until_with(room, 3)
        current = await witness.until(members=2, after_epoch=second)
        await until_panel(room, "the room to follow", epoch=current)
        await until(lambda: sends(room), "the room to send")

        wanted = needles(witness, 3)
        retired = {epoch for epoch in witness.recorder.base_keys if epoch < current}

        of_retired = {what: key for what, key in wanted.items() if epoch_of(what) in retired}
        before, _ = await look(room, of_retired)

        async def grace_is_over() -> bool:
            return not (await look(room, of_retired))[0]

        # What is still there after that is reported below.
        with contextlib.suppress(StageError):
            await until(grace_is_over, "the grace to end", 14)
        found, size = await look(room, wanted)
        report.append(f"memory of conclaved scanned: {size >> 20} MiB, {len(wanted)} keys looked for")
        report.append(f"  current epoch {current}, in use: {told(found, {current})}")
        report.append(f"  epochs {sorted(retired)} while their grace ran: {told(before, retired)}")
        report.append(f"  epochs {sorted(retired)} after it: {told(found, retired)}")
        left_over = [copy for copy in found if epoch_of(copy.what) in retired]
        in_use = [copy for copy in found if epoch_of(copy.what) == current]
    await room.ctl("meeting", "leave")
    await until_panel(room, "the room to have left", state="left")
    after, _ = await look(room, needles(witness, 3))
    epochs = set(witness.recorder.base_keys)
    report.append(f"  all epochs ({sorted(epochs)}) after the meeting's end: {told(after, epochs)}")
    for copy in (*left_over, *after):
        report.append(f"    {copy.what} at {copy.address:#x} in {copy.mapping or 'anonymous memory'}")
    assert in_use, "the scan must find the key that is in use: else it proves nothing"
    assert left_over == []
    assert after == []


def epoch_of(what: str) -> int:
    """The epoch in a needle's name."""
    return int(what.partition(" epoch ")[2].partition(",")[0])


async def sends(room: RoomProcess) -> bool:
    """Whether the room's camera and microphone have sent something."""
    return all(stream["frames_sent"] > 0 for stream in await room.streams() if stream["is_self"])
