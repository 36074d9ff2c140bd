"""Commands that wait for the room: they end when it is there, refused, late, or gone."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.identity.enrolling import _follow
from conclave_provisioning.cli.model import Identity
from conclave_provisioning.cli.output import Output
from conclaved.bus import serve
from conclaved.bus.room import IdentityStatus, MeetingStatus, Topic
from conclaved.service.panel_view import REFUSED_HERE
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import CODE, ENROLLED, GUEST, HARDWARE, IN_MEETING, LINK, WAITING, FakeRoom
from tests.cli.conftest import DEADLINE_S, PROGRAM, Cli

DOMAIN = "room.example.com"
ORDERING = IdentityStatus("enrolling", domain=DOMAIN, step="asking the CA for an order")
CHECKING = replace(ORDERING, step="the CA checks the domain")
JOINING = MeetingStatus("joining")
LOBBY = MeetingStatus("lobby")


async def test_enrolling_tells_each_step_and_the_result(room: FakeRoom, cli: Cli) -> None:
    room.then["enroll"] = [(Topic.IDENTITY, s) for s in (ORDERING, CHECKING, ENROLLED)]
    result = await cli("identity", "enroll", DOMAIN)
    assert result.code == 0
    assert result.out == f"enrolled {DOMAIN}, until 2096-10-02 07:06 UTC, by Example CA\n"
    assert result.err.splitlines()[0] == f"enrolling {DOMAIN}"


async def test_enrolling_as_json_ends_with_the_identity(room: FakeRoom, cli: Cli) -> None:
    room.then["enroll"] = [(Topic.IDENTITY, ORDERING), (Topic.IDENTITY, ENROLLED)]
    result = await cli("identity", "enroll", DOMAIN, "--json")
    assert result.json["identity"]["state"] == "enrolled"
    assert result.err == ""


async def test_a_refused_enrollment_ends_with_the_cas_words_and_the_hint(room: FakeRoom, cli: Cli) -> None:
    failed = IdentityStatus(
        "failed",
        error="CAA record forbids issuance",
        error_kind="refused",
        hint="add a CAA record for this CA",
    )
    room.then["enroll"] = [(Topic.IDENTITY, ORDERING), (Topic.IDENTITY, failed)]
    result = await cli("identity", "enroll", DOMAIN)
    assert result.code == 5
    assert result.err.splitlines()[-1] == (
        f"conclavectl: enrolling {DOMAIN} failed: CAA record forbids issuance; add a CAA record for this CA"
    )


async def test_a_failed_enrollment_fails_the_command_though_a_certificate_is_there(
    room: FakeRoom, cli: Cli
) -> None:
    failed = replace(
        ENROLLED, state="failed", error="new.example.com: no A record", error_kind="refused", hint="add one"
    )
    room.then["enroll"] = [(Topic.IDENTITY, ORDERING), (Topic.IDENTITY, failed)]
    result = await cli("identity", "enroll", "new.example.com")
    assert result.code == 5
    assert result.err.splitlines()[-1] == (
        "conclavectl: enrolling new.example.com failed: no A record; add one"
    )


async def test_on_a_terminal_the_steps_share_one_line_that_never_wraps_and_goes(
    room: FakeRoom, cli: Cli
) -> None:
    long = replace(ORDERING, step="x" * 200)
    room.then["enroll"] = [(Topic.IDENTITY, s) for s in (ORDERING, long, ENROLLED)]
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *("identity", "enroll", DOMAIN),
        env={**os.environ, "CONCLAVE_BUS": cli.address, "COLUMNS": "80"},
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    async with asyncio.timeout(DEADLINE_S):
        await process.communicate()
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    first, *steps, last = shown.split("\r\x1b[2K")
    assert (first, last) == ("", "")
    assert steps[0] == f"enrolling {DOMAIN}"
    assert len(steps) == len(set(steps))
    assert all(len(step) < 80 and "\n" not in step for step in steps)


@pytest.mark.parametrize(
    ("kind", "code"), [("refused", 5), ("unreachable", 6), ("timed_out", 6), ("failed", 1), ("", 1)]
)
async def test_why_an_enrollment_failed_is_in_the_exit_code(
    room: FakeRoom, cli: Cli, kind: str, code: int
) -> None:
    room.then["enroll"] = [(Topic.IDENTITY, IdentityStatus("failed", error="no", error_kind=kind))]
    assert (await cli("identity", "enroll", DOMAIN)).code == code


async def test_an_enrollment_that_takes_too_long_is_exit_code_6(room: FakeRoom, cli: Cli) -> None:
    room.then["enroll"] = [(Topic.IDENTITY, ORDERING)]
    result = await cli("identity", "enroll", DOMAIN, "--timeout", "0.1")
    assert result.code == 6
    assert "it goes on; follow it: conclavectl identity show" in result.err


async def test_joining_goes_through_the_lobby_to_a_refusal(room: FakeRoom, cli: Cli) -> None:
    refused = MeetingStatus("left", left_reason="a host did not let this room in")
    room.then["join_meeting"] = [(Topic.MEETING, s) for s in (JOINING, LOBBY, refused)]
    result = await cli("meeting", "join", LINK, "--wait")
    assert result.code == 5
    assert "a host did not let this room in" in result.err
    assert room.done == [("join_meeting", LINK)]


async def test_who_asks_hears_of_the_countdown_and_that_people_in_the_room_refused(
    room: FakeRoom, cli: Cli
) -> None:
    counting = replace(JOINING, joining_in_s=8, asked_by="an admin", title="Weekly")
    refused = MeetingStatus("left", left_reason=REFUSED_HERE)
    room.then["join_meeting"] = [(Topic.MEETING, s) for s in (counting, refused)]
    result = await cli("meeting", "join", LINK, "--wait")
    assert result.code == 5
    assert "people in the room refused to join" in result.err
    assert "talk to them" in result.err
    room.then["join_meeting"] = [(Topic.MEETING, counting)]
    assert "in 8 s, unless people in the room refuse" in (await cli("meeting", "join", LINK)).out


async def test_an_invited_room_waits_for_a_host_to_come(room: FakeRoom, cli: Cli) -> None:
    invited = replace(LOBBY, is_invited=True)
    room.set(Topic.MEETING, invited)
    assert "in the lobby of the meeting; invited, waiting for a host to come" in (await cli("status")).out


async def test_waiting_to_be_admitted_goes_through_the_lobby(room: FakeRoom, cli: Cli) -> None:
    room.then["join_meeting"] = [(Topic.MEETING, s) for s in (JOINING, LOBBY, IN_MEETING)]
    result = await cli("meeting", "join", LINK, "--wait-admitted", "--json")
    assert result.json["meeting"]["security_code"] == CODE


async def test_a_refused_join_is_exit_code_5_with_the_reason(room: FakeRoom, cli: Cli) -> None:
    left = MeetingStatus("left", left_reason="the host said no")
    room.then["join_meeting"] = [(Topic.MEETING, JOINING), (Topic.MEETING, left)]
    result = await cli("meeting", "join", LINK, "--wait")
    assert result.code == 5
    assert "not in the meeting: the host said no; " in result.err


async def test_a_join_that_nobody_answers_is_exit_code_6(room: FakeRoom, cli: Cli) -> None:
    room.then["join_meeting"] = [(Topic.MEETING, LOBBY)]
    result = await cli("meeting", "join", LINK, "--wait-admitted", "--timeout", "0.1")
    assert result.code == 6


async def test_a_link_may_come_on_stdin_and_is_never_repeated(room: FakeRoom, cli: Cli) -> None:
    result = await cli("meeting", "join", "-", stdin=LINK.encode() + b"\n")
    assert room.done == [("join_meeting", LINK)]
    assert LINK.partition("#")[2] not in result.out + result.err


async def test_a_daemon_that_goes_ends_the_waiting_with_exit_code_7(bus: PrivateBus, cli: Cli) -> None:
    room = FakeRoom()
    async with serve(room, address=bus.address):
        process = await cli.start("watch", "--json")
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            await process.stdout.readline()
    result = await cli.end(process)
    assert result.code == 7
    assert result.err == "conclavectl: conclaved has stopped; start it: systemctl start conclaved\n"


async def test_a_bus_that_goes_ends_the_waiting_with_exit_code_7(bus: PrivateBus, cli: Cli) -> None:
    async with serve(FakeRoom(), address=bus.address):
        process = await cli.start("watch", "--json")
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            await process.stdout.readline()
        await bus.stop()
        assert (await cli.end(process)).code == 7


async def test_watching_tells_what_happens_as_objects(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("watch", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        first = json.loads(await process.stdout.readline())
        assert (first["schema"], first["event"], first["meeting"]["state"]) == (1, "state", "idle")
        room.set(Topic.DEVICE, replace(room.device(), health="degraded"))
        assert json.loads(await process.stdout.readline()) == {
            "schema": 1,
            "event": "changed",
            "interface": "Device",
            "changed": {"health": "degraded"},
        }
    process.terminate()
    await cli.end(process)


async def test_watching_tells_people_who_comes_goes_and_asks(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, replace(IN_MEETING, participants=IN_MEETING.participants[:1], lobby=()))
    process = await cli.start("watch")
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        room.set(Topic.MEETING, IN_MEETING)
        for _ in range(2):
            lines.append((await process.stdout.readline()).decode())
        room.set(
            Topic.MEETING, replace(IN_MEETING, participants=IN_MEETING.participants[:1], security_code="")
        )
        for _ in range(2):
            lines.append((await process.stdout.readline()).decode())
    process.terminate()
    await cli.end(process)
    words = [line.split(maxsplit=2)[2].strip() for line in lines]
    assert words == [
        "came: guest.provider.example (not verified, guest)",
        f"asks to join: {WAITING.name} (verified); conclavectl meeting admit r-1",
        "went: guest.provider.example",
        "security code: none",
    ]


async def test_watching_tells_why_the_code_changed_who_was_removed_and_what_the_room_minds(
    room: FakeRoom, cli: Cli
) -> None:
    before = replace(IN_MEETING, security_code="", removed=())
    room.set(Topic.MEETING, before)
    process = await cli.start("watch")
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        for meeting in (
            replace(before, security_code=CODE, code_time=1),
            replace(IN_MEETING, code_time=1),
            replace(IN_MEETING, code_time=1, minds="b is expired", leaving_in_s=30),
            replace(IN_MEETING, code_time=1, minds="b is expired", leaving_in_s=29),
            replace(IN_MEETING, code_time=1),
        ):
            room.set(Topic.MEETING, meeting)
            if meeting.leaving_in_s != 29:
                lines.append((await process.stdout.readline()).decode())
    process.terminate()
    await cli.end(process)
    assert [line.split(maxsplit=2)[2].strip() for line in lines] == [
        f"security code: {CODE}, because {IN_MEETING.code_reason}",
        "removed and kept out: rude.example.com",
        "this room leaves in 30 s: b is expired",
        "this room stays: what it minded has passed",
    ]


async def test_watching_tells_who_was_muted_and_who_closed_a_shutter(room: FakeRoom, cli: Cli) -> None:
    live = replace(GUEST, microphone="live", camera="live")
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(live,)))
    process = await cli.start("watch")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        room.set(Topic.MEETING, replace(IN_MEETING, participants=(GUEST,)))
        line = (await process.stdout.readline()).decode()
    process.terminate()
    await cli.end(process)
    assert line.split(maxsplit=2)[2].strip() == (
        "guest.provider.example: microphone muted, camera closed by its shutter"
    )


async def test_watching_says_muted_or_on_and_no_serials(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("watch")
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        room.set(Topic.HARDWARE, replace(HARDWARE, panel_serial=13, panel_epoch=8))
        room.set(Topic.HARDWARE, replace(HARDWARE, panel_serial=14, camera_muted=True))
        lines.append((await process.stdout.readline()).decode())
        room.set(Topic.HARDWARE, replace(HARDWARE, panel_serial=15, microphone_muted=False))
        for _ in range(2):
            lines.append((await process.stdout.readline()).decode())
    process.terminate()
    await cli.end(process)
    assert [line.split(maxsplit=2)[2].strip() for line in lines] == [
        "camera: muted",
        "camera: on",
        "microphone: on",
    ]


async def test_a_reader_that_has_enough_ends_watching_without_a_word(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("watch", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as `| head` does
        room.set(Topic.DEVICE, replace(room.device(), health="degraded"))
        assert await process.stderr.read() == b""
        assert await process.wait() == 141


async def test_steps_are_told_in_their_order_though_the_first_look_is_ahead_of_their_signals(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Ahead:
        async def states(self, view: type[Identity]) -> AsyncIterator[Identity]:
            for step in ("ordering", "talking", "ordering"):
                yield view("enrolling", DOMAIN, step)
            yield view("enrolled", DOMAIN)

    await _follow(cast("RoomClient", Ahead()), Output(is_json=False), DOMAIN)
    assert capfd.readouterr().err.splitlines() == [f"enrolling {DOMAIN}", "talking", "ordering"]


async def test_watching_tells_a_countdown_once_and_not_by_the_second(room: FakeRoom, cli: Cli) -> None:
    counting = replace(JOINING, joining_in_s=8, asked_by="an admin", title="Weekly")
    process = await cli.start("watch")
    assert process.stdout is not None
    lines = [""]
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        room.set(Topic.MEETING, counting)
        while "an admin" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
        for seconds in (7, 6):
            room.set(Topic.MEETING, replace(counting, joining_in_s=seconds))
        room.set(Topic.MEETING, MeetingStatus("left", left_reason=REFUSED_HERE))
        while "refused to join" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
    process.terminate()
    await cli.end(process)
    told = [line for line in lines if "an admin" in line or "joining in" in line]
    assert len(told) == 1
    assert "asked to join Weekly by an admin: in 8 s, unless people in the room refuse" in told[0]
