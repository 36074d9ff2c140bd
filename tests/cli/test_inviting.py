"""Making invitations, in every form in which they travel, and joining by each form."""

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from conclave_provisioning.cli import main
from conclave_provisioning.cli.calendar_file import read_calendar
from conclave_provisioning.cli.errors import CommandError
from conclave_provisioning.cli.model import DAY_S
from conclaved.bus.room import MeetingRequest, Topic
from tests.bus.fake_room import (
    CONTENT,
    ENROLLED,
    HOST,
    HOST_CHAIN,
    IN_MEETING,
    INVITATION,
    LINK,
    NOT_AFTER,
    NOT_BEFORE,
    FakeRoom,
)
from tests.cli.conftest import Cli

CREATE = ("meeting", "create", "--title", "Weekly")
JOINED = [("join_meeting", LINK, INVITATION)]
DOCUMENT = {
    "conclave": "invitation",
    "version": 1,
    "title": "Weekly",
    "link": LINK,
    "invitation": INVITATION,
}


def signed(**changes: Any) -> str:
    return replace(CONTENT, **changes).sign(HOST, HOST_CHAIN)


def document(**changes: Any) -> bytes:
    return json.dumps({**DOCUMENT, **changes}).encode()


async def test_creating_a_meeting_prints_the_link_alone(room: FakeRoom, cli: Cli) -> None:
    result = await cli(
        *("meeting", "create", "--title", "Weekly", "--host", "ana.example.com", "--invite", "@example.com"),
        *("--invite", "room.partner.example", "--conference", "wss://hub.example.com", "--open"),
        *("--service", "recorder.example.com"),
        *("--from", "2031-05-01T09:00:00+00:00", "--until", "2031-05-01T18:00Z"),
    )
    assert result.out == LINK + "\n"
    assert room.done == [
        (
            "create_meeting",
            MeetingRequest(
                "Weekly",
                "standard",
                ("@example.com", "room.partner.example"),
                "wss://hub.example.com",
                hosts=("ana.example.com",),
                service_ends=("recorder.example.com",),
                is_open=True,
                not_before=1_935_392_400,
                not_after=1_935_424_800,
            ),
        )
    ]


async def test_without_a_conference_service_the_device_chooses_its_own(room: FakeRoom, cli: Cli) -> None:
    await cli(*CREATE, "--level", "locked")
    assert room.done == [("create_meeting", MeetingRequest("Weekly", "locked", (), ""))]


async def test_a_created_meeting_as_json_says_what_was_signed(room: FakeRoom, cli: Cli) -> None:
    assert (await cli(*CREATE, "--json")).json == {
        "schema": 1,
        "link": LINK,
        "invitation": INVITATION,
        "meeting": {
            "title": "Weekly",
            "level": "standard",
            "not_before": NOT_BEFORE,
            "not_after": NOT_AFTER,
            "service": CONTENT.service,
        },
    }


async def test_a_qr_code_follows_the_link_when_asked_for(room: FakeRoom, cli: Cli) -> None:
    link, *picture = (await cli(*CREATE, "--qr")).out.splitlines()
    assert link == LINK
    assert len(picture) > 10
    assert any("█" in line or "▄" in line for line in picture)


@pytest.mark.parametrize(("name", "begins"), [("door.png", b"\x89PNG"), ("door.SVG", b"<?xml")])
async def test_a_qr_code_is_written_as_the_kind_of_picture_that_its_name_says(
    room: FakeRoom, cli: Cli, tmp_path: Path, name: str, begins: bytes
) -> None:
    assert (await cli(*CREATE, "--qr-file", str(tmp_path / name))).code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_file_holds_link_and_invitation_for_its_owner_alone(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "weekly.json"
    assert (await cli(*CREATE, "--file", str(file))).out == LINK + "\n"
    assert json.loads(file.read_bytes()) == DOCUMENT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["weekly.json"]


async def test_a_file_that_stands_there_is_replaced(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "weekly.json"
    file.write_text("an older one")
    file.chmod(0o644)
    await cli(*CREATE, "--file", str(file))
    assert json.loads(file.read_bytes()) == DOCUMENT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_the_calendar_entry_says_when_and_where(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "weekly.ics"
    assert (await cli(*CREATE, "--ics", str(file))).code == 0
    (event,) = Calendar.from_ical(file.read_bytes()).walk("VEVENT")
    assert event["SUMMARY"] == "Weekly"
    assert event["UID"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert event["DTSTART"].to_ical() == b"20231114T221320Z"
    assert event["DTEND"].to_ical() == b"20961002T070640Z"
    assert (event["CONFERENCE"], event["URL"]) == (LINK, LINK)
    assert event["CONFERENCE"].params["FEATURE"] == ["AUDIO", "VIDEO"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_the_calendar_entry_is_spelled_as_rfc_7986_spells_it(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "weekly.ics"
    await cli(*CREATE, "--ics", str(file))
    unfolded = file.read_bytes().replace(b"\r\n ", b"").decode().split("\r\n")
    (conference,) = [line for line in unfolded if line.startswith("CONFERENCE")]
    name_and_parameters, _, value = conference.partition(":")
    name, *parameters = name_and_parameters.split(";")
    assert (name, value) == ("CONFERENCE", LINK)
    assert sorted(parameters) == ["FEATURE=AUDIO,VIDEO", "LABEL=Join from a Conclave room", "VALUE=URI"]
    assert not any(line.startswith("X-") for line in unfolded)


async def test_a_personal_room_is_good_for_long_and_named_after_its_room(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    before = int(time.time())
    assert (await cli("meeting", "personal-room", "--invite", "@example.com")).out == LINK + "\n"
    ((_, request),) = room.done
    assert request.title == "Room of room.example.com"
    assert before <= request.not_after - 365 * DAY_S <= int(time.time())
    assert replace(request, not_after=0) == MeetingRequest(request.title, "standard", ("@example.com",), "")


async def test_the_days_of_a_personal_room_may_be_chosen(room: FakeRoom, cli: Cli) -> None:
    words = ("meeting", "personal-room", "--title", "Ana", "--level", "locked", "--host", "b.example.com")
    await cli(*words, "--days", "7")
    ((_, request),) = room.done
    assert (request.title, request.level, request.hosts) == ("Ana", "locked", ("b.example.com",))
    assert abs(request.not_after - time.time() - 7 * DAY_S) < 3600


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--level", "locked", "--service", "rec.example"], "a locked meeting takes no --service; leave it"),
        (["--level", "locked", "--open"], "a locked meeting takes no --open; leave it out"),
        (["--host", "@example.com"], "is a whole domain; name each host, and invite the others with"),
        (["--qr-file", "door.jpg"], "door.jpg is no name for a picture; end it in .png or .svg"),
        (["--until", "2020-01-01T00:00Z"], "--until is in the past; "),
        (["--until", "1970-01-01T00:00Z"], "--until is in the past; "),
        (["--from", "2090-01-02", "--until", "2090-01-01"], "--until is not after --from; "),
    ],
)
def test_what_can_be_known_to_be_wrong_is_told_before_the_room_is_asked(
    words: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*CREATE, *words]) == 2
    assert says in capfd.readouterr().err


@pytest.mark.parametrize("option", ["--file", "--ics"])
def test_a_place_where_nothing_can_be_written_is_told_before_a_meeting_is_made(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*CREATE, option, str(tmp_path / "nowhere" / "x")]) == 1
    assert "cannot be written: there is no such folder; " in capfd.readouterr().err
    assert main([*CREATE, option, str(tmp_path)]) == 1
    assert "something that is no plain file stands there; " in capfd.readouterr().err


def test_a_device_is_not_replaced_by_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*CREATE, "--file", "/dev/null"]) == 1
    assert Path("/dev/null").is_char_device()


async def test_a_room_joins_by_the_file_with_the_invitation_at_hand(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "weekly.json"
    await cli(*CREATE, "--file", str(file))
    room.done.clear()
    assert (await cli("meeting", "join", str(file))).code == 0
    assert room.done == JOINED


async def test_a_room_joins_by_the_calendar_file(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "weekly.ics"
    await cli(*CREATE, "--ics", str(file))
    room.done.clear()
    assert (await cli("meeting", "join", str(file))).code == 0
    assert room.done == [("join_meeting", LINK)]


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n"])
async def test_a_file_may_come_on_stdin(room: FakeRoom, cli: Cli, before: bytes) -> None:
    assert (await cli("meeting", "join", "-", stdin=before + document())).code == 0
    assert room.done == JOINED


async def test_a_link_that_was_saved_as_it_is_is_a_file_too(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "link.txt").write_text(LINK + "\n")
    assert (await cli("meeting", "join", str(tmp_path / "link.txt"))).code == 0
    assert room.done == [("join_meeting", LINK)]


def changed(token: str) -> str:
    header, payload, signature = token.split(".")
    return f"{header}.{payload[:40]}{'A' if payload[40] != 'A' else 'B'}{payload[41:]}.{signature}"


def join(content: bytes, folder: Path) -> int:
    """Without a room: what is wrong with a file is told before one is asked."""
    (folder / "it.json").write_bytes(content)
    return main(["--bus", "unix:path=/nonexistent/bus", "meeting", "join", str(folder / "it.json")])


CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n%sEND:VCALENDAR\r\n"
EVENT = b"BEGIN:VEVENT\r\nUID:x\r\nURL:%s\r\nEND:VEVENT\r\n"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (document(invitation=changed(INVITATION)), 9, "the invitation was changed after it was signed; "),
        (document(invitation="x.y"), 9, "the invitation is not a signed token; "),
        (document(invitation="a.b.c"), 9, "the invitation is damaged; "),
        (
            document(invitation=signed(service="wss://other.example.com")),
            9,
            "leads to another conference service than the invitation that was signed; ",
        ),
        (
            document(invitation=signed(not_after=NOT_BEFORE + 60)),
            5,
            "the invitation to Weekly ended on 2023-11-14 22:14 UTC; ask the host for a new one",
        ),
        (document(conclave="recipe"), 2, "it.json is no invitation of Conclave's; "),
        (b'{"a": 1}', 2, "it.json is no invitation of Conclave's; "),
        (b"nonsense", 2, "it.json is no invitation of Conclave's; "),
        (b"", 2, "it.json is no invitation of Conclave's; "),
        (b"[" * 100_000, 2, "it.json is no invitation of Conclave's; "),
        (b"x" * 1_100_000, 2, "it.json is longer than an invitation can be; "),
        (document(version=2), 2, "is of a version that this conclavectl does not know; update"),
        (document(link="https://example.com/"), 2, "it.json is not whole; "),
        (document(link=7), 2, "it.json is not whole; "),
        (document(invitation=None), 2, "it.json is not whole; "),
        (CALENDAR % b"", 2, "it.json holds no meeting links; give the link itself"),
        (CALENDAR % (EVENT % b"https://example.com/"), 2, "it.json holds no meeting links; "),
        (
            CALENDAR % (EVENT % LINK.encode() + EVENT % LINK.replace("hub", "bub").encode()),
            2,
            "it.json holds 2 meeting links; give the link itself",
        ),
        (b"BEGIN:VCALENDAR\r\nBEGIN", 2, "it.json is no calendar that can be read; "),
    ],
)
def test_a_file_that_is_not_the_hosts_is_refused_with_one_clear_line(
    content: bytes, code: int, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert join(content, tmp_path) == code
    captured = capfd.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_an_empty_link_is_called_empty(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["meeting", "join", ""]) == 2
    assert "the link is empty; quote it" in capfd.readouterr().err


def test_a_file_that_is_not_there_is_told_apart_from_a_link(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["meeting", "join", "nowhere.json"]) == 2
    assert "nowhere.json is neither a link nor a file that can be read: No such file" in (
        capfd.readouterr().err
    )


async def test_a_file_whose_signer_the_room_does_not_trust_is_the_rooms_to_refuse(
    room: FakeRoom, cli: Cli
) -> None:
    await cli("meeting", "join", "-", stdin=document(invitation=signed(title="By a stranger")))
    assert [verb for verb, *_ in room.done] == ["join_meeting"]


def test_a_calendar_that_names_a_time_zone_twice_is_refused_in_words() -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:X\r\nTZID:Y\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    zone += "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{zone}BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    with pytest.raises(CommandError, match="no calendar that can be read"):
        read_calendar(text.encode(), "x.ics")


@pytest.mark.parametrize(
    "words",
    [
        (
            "meeting",
            "create",
            "--title",
            "Weekly",
            "--invite",
            "@example.com",
            "--conference",
            "wss://a.example",
        ),
        ("meeting", "personal-room", "--conference", "wss://a.example"),
        ("meeting", "join", LINK),
        ("identity", "csr", "room.example.com", "--new-key"),
    ],
)
async def test_a_dry_run_asks_the_room_for_nothing(room: FakeRoom, cli: Cli, words: tuple[str, ...]) -> None:
    answer = (await cli(*words, "--dry-run", "--json")).json
    assert (answer["changed"], answer["dry_run"]) == (True, True)
    assert not room.done


async def test_a_room_that_is_in_a_meeting_would_join_no_other(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    assert (await cli("meeting", "join", LINK, "--dry-run")).code == 8
