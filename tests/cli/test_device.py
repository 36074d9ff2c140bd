"""The device itself: its time, its doctor, and the way back to the factory."""

from dataclasses import replace

from conclaved.bus.room import CheckStatus, Topic
from tests.bus.fake_room import CHECKS, CLOCK, ENROLLED, FakeRoom
from tests.cli.conftest import Cli


async def test_the_time_is_told_with_whether_it_is_believed(room: FakeRoom, cli: Cli) -> None:
    out = (await cli("time")).out
    assert "2023-11-14 22:13:20 UTC" in out
    assert [line.split() for line in out.splitlines()][1] == ["believed", "yes"]
    assert (await cli("time", "--json")).json["clock"]["is_synchronised"] is True


async def test_a_time_that_is_not_believed_says_why_and_whom_to_ask(room: FakeRoom, cli: Cli) -> None:
    clock = replace(CLOCK, is_believed=False, doubt="never synchronised")
    room.set(Topic.DEVICE, replace(room.device(), clock=clock))
    out = (await cli("time")).out
    assert "! never synchronised" in out
    assert "timedatectl" in out


async def test_the_doctor_says_what_mends_what_is_not_well(room: FakeRoom, cli: Cli) -> None:
    result = await cli("doctor")
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0].split() == ["ok", "clock", "the", "clock", "is", "believed"]
    assert lines[2].strip() == "conclavectl config get acme"
    answer = (await cli("doctor", "--json")).json
    assert (answer["ok"], answer["checks"][1]["command"]) == (False, "conclavectl config get acme")


async def test_what_is_unknown_or_a_warning_is_no_failure(room: FakeRoom, cli: Cli) -> None:
    room.checks = (CHECKS[0], CHECKS[2], CheckStatus("disk", "warning", "little", "remove"))
    assert (await cli("doctor")).code == 0


async def test_a_factory_reset_must_be_meant(room: FakeRoom, cli: Cli) -> None:
    result = await cli("factory-reset")
    assert (result.code, room.done) == (2, [])
    assert "conclavectl factory-reset --confirm C0FFEE-1" in result.err


async def test_a_factory_reset_is_confirmed_by_the_rooms_name(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    assert "--confirm room.example.com" in (await cli("factory-reset")).err
    assert (await cli("factory-reset", "--confirm", "room.example.com")).code == 0
    assert room.done == [("factory_reset", "room.example.com")]


async def test_what_a_factory_reset_erases_can_be_seen_first(room: FakeRoom, cli: Cli) -> None:
    result = await cli("factory-reset", "--dry-run")
    assert "dry run: nothing was changed" in result.out
    assert room.done == [("factory_reset", "C0FFEE-1", "dry run")]


async def test_a_reboot_is_asked_for_and_forced_by_a_word(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("reboot")).code == 0
    assert (await cli("reboot", "--force")).code == 0
    assert room.done == [("reboot", False), ("reboot", True)]


async def test_a_reboot_can_be_tried_without_one(room: FakeRoom, cli: Cli) -> None:
    assert "dry run: nothing was changed" in (await cli("reboot", "--dry-run")).out
    assert room.done == [("reboot", False, "dry run")]
