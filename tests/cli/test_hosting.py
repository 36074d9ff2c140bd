"""What a host does to people and to the meeting: done when the room shows it, and not before."""

import asyncio
import os
from dataclasses import replace

import pytest

from conclaved.bus.room import MeetingStatus, RemovedStatus, RoomError, RoomErrorKind, Topic
from tests.bus.fake_room import ALICE, GUEST, IN_MEETING, REMOVED, FakeRoom
from tests.cli.conftest import DEADLINE_S, PROGRAM, Cli

ALONE = replace(IN_MEETING, participants=(ALICE,), epoch=8)
ENDED = MeetingStatus("left", title="Weekly", left_reason="room.example.com ended the meeting for all")
TWIN = replace(GUEST, leaf=2)


async def test_somebody_is_removed_when_the_roster_has_them_no_longer(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.then["kick"] = [(Topic.MEETING, replace(IN_MEETING, epoch=7)), (Topic.MEETING, ALONE)]
    result = await cli("meeting", "kick", GUEST.name)
    assert result.out == "removed: guest.provider.example (not verified); new keys in epoch 8\n"
    assert room.done == [("kick", GUEST.leaf, GUEST.key_id)]


async def test_a_removal_as_json_names_who_and_since_when(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.then["kick"] = [(Topic.MEETING, ALONE)]
    answer = (await cli("meeting", "kick", "1", "--json")).json
    assert (answer["ok"], answer["changed"], answer["dry_run"]) == (True, True, False)
    assert (answer["leaf"], answer["name"], answer["assurance"], answer["epoch"]) == (
        *(1, GUEST.name, "provider", 8),
    )


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("kick", "1"), ("participants.guest.provider.example", "in", "removed")),
        (("allow-back", REMOVED.key_id), ("removed.rude.example.com", "kept out", "may ask to join")),
        (("hand-over", "1"), ("participants.guest.provider.example.role", "guest", "host")),
        (("end",), ("state", "in_meeting", "ended for all")),
        (("admit", "r-1"), ("lobby.late.example.com", "waiting", "admitted")),
        (("deny", "r-1"), ("lobby.late.example.com", "waiting", "denied")),
        (("leave",), ("state", "in_meeting", "left")),
    ],
)
async def test_what_a_verb_would_do_is_shown_and_not_done(
    room: FakeRoom, cli: Cli, words: tuple[str, ...], change: tuple[str, str, str]
) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    answer = (await cli("meeting", *words, "--dry-run", "--json")).json
    ((key, before, after),) = ((c["key"], c["before"], c["after"]) for c in answer["changes"])
    assert (key, before, after) == (f"meeting.{change[0]}", *change[1:])
    assert (answer["changed"], answer["dry_run"], room.done) == (True, True, [])


async def test_to_leave_when_in_no_meeting_is_no_change(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.NOT_IN_MEETING, "the room is in no meeting")
    result = await cli("meeting", "leave")
    assert (result.code, result.out) == (0, "nothing to change\n")


async def test_a_name_that_two_have_removes_neither(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, GUEST, TWIN)))
    result = await cli("meeting", "kick", GUEST.name)
    assert (result.code, room.done) == (2, [])
    assert "2 are in as guest.provider.example; say which by its leaf: 1, 2" in result.err


async def test_of_two_with_one_name_the_leaf_says_which(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, GUEST, TWIN)))
    room.then["kick"] = [(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, GUEST)))]
    assert (await cli("meeting", "kick", "2")).code == 0
    assert room.done == [("kick", 2, TWIN.key_id)]


@pytest.mark.parametrize("verb", ["kick", "hand-over"])
@pytest.mark.parametrize(
    ("who", "code", "says"),
    [
        ("nobody.example", 4, "nobody called nobody.example is in the meeting; see who is: conclavectl"),
        (ALICE.name, 2, "room.example.com is this room itself; to leave: conclavectl meeting leave"),
    ],
)
async def test_only_somebody_else_who_is_in_can_be_meant(
    room: FakeRoom, cli: Cli, verb: str, who: str, code: int, says: str
) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", verb, who)
    assert (result.code, room.done) == (code, [])
    assert says in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["kick", "1"],
        ["removed"],
        ["allow-back", "x"],
        ["hand-over", "1"],
        ["end", "--yes"],
        ["lobby"],
        ["admit", "x"],
        ["deny", "x"],
    ],
)
async def test_who_is_no_host_is_told_whom_to_ask(room: FakeRoom, cli: Cli, words: list[str]) -> None:
    people = (replace(ALICE, role="member"), replace(GUEST, role="host"))
    room.set(Topic.MEETING, replace(IN_MEETING, is_host=False, participants=people))
    result = await cli("meeting", *words)
    assert (result.code, room.done) == (3, [])
    assert result.err == (
        "conclavectl: this room is not a host of the meeting; ask a host: guest.provider.example\n"
    )


async def test_a_meeting_that_ends_before_a_removal_is_told(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.then["kick"] = [(Topic.MEETING, MeetingStatus("left", left_reason="the service has gone"))]
    result = await cli("meeting", "kick", "1")
    assert result.code == 4
    assert "the room left before removed: the service has gone; " in result.err


async def test_who_was_removed_is_listed(room: FakeRoom, cli: Cli) -> None:
    unnamed = RemovedStatus("ffeeddccbbaa9988", "")
    room.set(Topic.MEETING, replace(IN_MEETING, removed=(REMOVED, unnamed)))
    _, first, second = (await cli("meeting", "removed")).out.splitlines()
    assert first.split() == ["00112233445566aa", "rude.example.com"]
    assert second.split() == ["ffeeddccbbaa9988", "not", "known", "here"]
    assert (await cli("meeting", "removed", "--json")).json["removed"][1] == {
        "key_id": "ffeeddccbbaa9988",
        "name": "",
    }


@pytest.mark.parametrize("who", [REMOVED.name, REMOVED.key_id, REMOVED.key_id.upper()])
async def test_a_removed_one_is_allowed_back_by_name_or_id(room: FakeRoom, cli: Cli, who: str) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.then["allow_back"] = [(Topic.MEETING, replace(IN_MEETING, removed=()))]
    result = await cli("meeting", "allow-back", who)
    assert result.out == "may ask to join again: rude.example.com\n"
    assert room.done == [("allow_back", REMOVED.key_id)]


async def test_two_who_were_removed_under_one_name_are_told_apart_by_id(room: FakeRoom, cli: Cli) -> None:
    again = replace(REMOVED, key_id="ffeeddccbbaa9988")
    room.set(Topic.MEETING, replace(IN_MEETING, removed=(REMOVED, again)))
    result = await cli("meeting", "allow-back", REMOVED.name)
    assert (result.code, room.done) == (2, [])
    assert "say which by its id: 00112233445566aa, ffeeddccbbaa9988" in result.err


async def test_who_was_not_removed_cannot_be_allowed_back(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", "allow-back", "late.example.com")
    assert (result.code, room.done) == (4, [])


async def test_a_member_is_a_host_when_the_roster_says_so(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    appointed = replace(IN_MEETING, participants=(ALICE, replace(GUEST, role="host")))
    room.then["hand_over"] = [(Topic.MEETING, appointed)]
    result = await cli("meeting", "hand-over", GUEST.name, "--yes")
    assert result.out == "a host now: guest.provider.example (not verified)\n"
    assert room.done == [("hand_over", GUEST.leaf, GUEST.key_id)]


async def test_one_who_is_not_verified_is_made_a_host_only_by_the_word_yes(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", "hand-over", GUEST.name)
    assert (result.code, room.done) == (2, [])
    assert f'"{GUEST.name}" is not verified, and nobody is here to confirm; add --yes' in result.err


async def test_one_who_is_verified_is_made_a_host_without_a_question(room: FakeRoom, cli: Cli) -> None:
    verified = replace(GUEST, assurance="verified")
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, verified)))
    appointed = replace(IN_MEETING, participants=(ALICE, replace(verified, role="host")))
    room.then["hand_over"] = [(Topic.MEETING, appointed)]
    assert (await cli("meeting", "hand-over", GUEST.name)).code == 0


async def test_who_is_a_host_already_is_not_made_one(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, replace(GUEST, role="host"))))
    result = await cli("meeting", "hand-over", GUEST.name)
    assert (result.code, result.out, room.done) == (0, "nothing to change\n", [])


async def test_a_meeting_is_ended_for_all_when_it_is_meant(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.then["end_for_all"] = [(Topic.MEETING, ENDED)]
    assert (await cli("meeting", "end", "--yes")).out == "ended for all: Weekly\n"
    assert room.done == [("end_for_all",)]


async def test_where_nobody_can_be_asked_ending_wants_the_word_yes(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", "end", "--json")
    assert (result.code, room.done) == (2, [])
    assert result.json["error"]["hint"] == "add --yes"


@pytest.mark.parametrize(
    ("answer", "code", "done"), [(b"y\n", 0, [("end_for_all",)]), (b"n\n", 2, []), (b"\n", 2, [])]
)
async def test_on_a_terminal_a_person_is_asked_first(
    room: FakeRoom, cli: Cli, answer: bytes, code: int, done: list[tuple[str]]
) -> None:
    room.set(Topic.MEETING, replace(IN_MEETING, title="Weekly\x1b[2J"))
    room.then["end_for_all"] = [(Topic.MEETING, ENDED)]
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *("meeting", "end"),
        env={**os.environ, "CONCLAVE_BUS": cli.address},
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    os.write(ours, answer)
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    os.close(ours)
    assert (process.returncode, room.done) == (code, done)
    assert b"End Weekly\\u001b[2J for all, this room and 1 more? [y/N]" in err
