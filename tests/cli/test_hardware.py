"""`conclavectl hardware`: what is listed, tested and watched."""

import asyncio
import json
from dataclasses import replace

from conclaved.bus.room import CheckStatus, HardwareStatus, RoomError, RoomErrorKind, SlotStatus, Topic
from tests.bus.fake_room import HARDWARE, FakeRoom
from tests.cli.conftest import DEADLINE_S, Cli


def with_device(device: SlotStatus) -> HardwareStatus:
    """The fake room's hardware, with another device in the slot of that name."""
    return replace(
        HARDWARE, devices=tuple(device if each.slot == device.slot else each for each in HARDWARE.devices)
    )


GONE = SlotStatus("camera_control", "failed", "/dev/ttyUSB0: unplugged", "visca", {"model": "EVI-H100S"})


async def test_the_list_has_what_is_fitted_with_driver_health_reason_and_details(
    room: FakeRoom, cli: Cli
) -> None:
    room.set(Topic.HARDWARE, with_device(GONE))
    head, *rows = (await cli("hardware", "list")).out.splitlines()
    assert head.split() == ["slot", "driver", "health", "reason", "details"]
    assert [row.split() for row in rows] == [
        ["camera", "simulated", "ready", "width", "640,", "capturing"],
        ["camera_control", "visca", "failed", "/dev/ttyUSB0:", "unplugged", "model", "EVI-H100S"],
        ["panel", "simulated", "ready"],
    ]


async def test_the_list_names_empty_slots_when_it_is_asked_to(room: FakeRoom, cli: Cli) -> None:
    out = (await cli("hardware", "list", "--all")).out
    assert ["tamper", "none", "ready", "not", "fitted"] in [row.split() for row in out.splitlines()]


async def test_what_a_device_calls_itself_cannot_touch_the_terminal(room: FakeRoom, cli: Cli) -> None:
    model = "EVI\x1b[2J\u202e"
    room.set(
        Topic.HARDWARE, with_device(SlotStatus("camera_control", "ready", "", "visca", {"model": model}))
    )
    assert not {"\x1b", "\u202e"} & set((await cli("hardware", "list")).out)


async def watched(room: FakeRoom, cli: Cli, *words: str, then: SlotStatus, lines: int) -> list[str]:
    """So many lines of `hardware watch`, the last of them after a device has changed."""
    process = await cli.start("hardware", "watch", *words)
    assert process.stdout is not None
    found: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < lines - 1:
            found.append((await process.stdout.readline()).decode())
        room.set(Topic.HARDWARE, with_device(then))
        found.append((await process.stdout.readline()).decode())
    process.terminate()
    await cli.end(process)
    return found


async def test_watch_tells_the_present_state_and_then_each_change_in_a_line(room: FakeRoom, cli: Cli) -> None:
    *_, line = await watched(room, cli, then=GONE, lines=4)
    said = "camera_control failed, /dev/ttyUSB0: unplugged, pan 12 -> unknown"
    assert line.split()[1:] == said.split()


async def test_watch_tells_of_the_slots_that_are_named(room: FakeRoom, cli: Cli) -> None:
    gone = SlotStatus("camera", "failed", "unplugged", "simulated")
    first, second = await watched(room, cli, "camera", "--json", then=gone, lines=2)
    assert (json.loads(first)["event"], json.loads(second)["event"]) == ("state", "changed")
    assert json.loads(second)["device"] == {
        "slot": "camera",
        "health": "failed",
        "reason": "unplugged",
        "driver": "simulated",
        "details": {},
    }


async def test_watch_does_not_wait_for_a_slot_that_there_is_not(room: FakeRoom, cli: Cli) -> None:
    result = await cli("hardware", "watch", "camra")
    assert result.code == 2
    assert result.err.startswith("conclavectl: there is no slot 'camra'; one of: ")
    assert "camera_control" in result.err


async def test_what_is_fitted_is_tested_slot_by_slot(room: FakeRoom, cli: Cli) -> None:
    result = await cli("hardware", "test")
    assert result.code == 0
    fitted = ["camera", "camera_control", "panel"]
    assert room.done == [("test_hardware", slot, False) for slot in fitted]
    assert [line.split(maxsplit=2) for line in result.out.splitlines()] == [
        ["ok", slot, f"the {slot} is well"] for slot in fitted
    ]
    assert "testing camera_control" in result.err


async def test_a_failed_test_is_exit_code_1_with_what_to_say_next(room: FakeRoom, cli: Cli) -> None:
    room.tested["panel"] = CheckStatus("panel", "failed", "no answer within 40 s", "conclavectl logs")
    result = await cli("hardware", "test", "panel", "--in-meeting")
    assert result.code == 1
    assert room.done == [("test_hardware", "panel", True)]
    assert result.out.split() == [
        "failed",
        "panel",
        "no",
        "answer",
        "within",
        "40",
        "s",
        "conclavectl",
        "logs",
    ]
    answer = (await cli("hardware", "test", "panel", "--json")).json
    assert (answer["ok"], answer["checks"][0]["state"]) == (False, "failed")


async def test_a_room_in_a_meeting_is_exit_code_8(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.BUSY, "the room is in a meeting", hint="--in-meeting")
    result = await cli("hardware", "test")
    assert (result.code, result.err.splitlines()[-1]) == (
        8,
        "conclavectl: the room is in a meeting; --in-meeting",
    )
