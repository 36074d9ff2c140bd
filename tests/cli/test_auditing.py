"""Records of meetings: shown and saved from a room, checked on a machine that has none."""

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conclave_provisioning.cli import main
from conclave_provisioning.cli.meeting.auditing import duration
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import SoftwareSigner, jws
from conclaved.meeting.audit import MAX_ENTRIES, Entry, Event, Record
from tests.bus.fake_room import AUDITS, FakeRoom
from tests.cli.conftest import Cli
from tests.pki import TestAuthority

ROOT = TestAuthority("Office Root")
STRANGER = TestAuthority("Stranger")
SIGNER = SoftwareSigner.generate()
NAME = "room.example.com"
CHAIN = TestAuthority("Branch", parent=ROOT).issue(SIGNER.public_key, dns=[NAME])
BEGAN = int(time.time()) - 60
ENTRIES = (
    Entry(1, BEGAN, Event.JOINED, 0, NAME, "verified", "host", "it began the meeting"),
    Entry(2, BEGAN + 5, Event.JOINED, 1, "ana@example.org", "provider", "guest", f"admitted by {NAME}"),
    Entry(3, BEGAN + 5, Event.CODE_EPOCH, 1, transcript="ab" * 32),
)
MADE = Record(bytes(16), "Weekly", "wss://hub.example.com", NAME, ENTRIES)
CONTENT: dict[str, Any] = json.loads(MADE.payload())
ENTRY = CONTENT["entries"][0]


def signed(record: Record = MADE, **changes: Any) -> str:
    """A record as a room signs it."""
    return replace(record, **changes).sign(SIGNER, CHAIN)


def bent(payload: Any = CONTENT, typ: str = "conclave-audit+jws", **changes: Any) -> str:
    """What no room would sign, signed rightly."""
    content = {**CONTENT, **changes} if changes else payload
    return jws.sign(json.dumps(content).encode(), SIGNER, CHAIN, typ=typ)


RECORD = signed()


@pytest.fixture
def anchor(tmp_path: Path) -> str:
    file = tmp_path / "root.pem"
    file.write_text(ROOT.root_pem)
    return str(file)


def verify(token: str, folder: Path, *words: str) -> int:
    """Without a room: nothing answers at this address."""
    (folder / "it.jws").write_text(token + "\n")
    bus = ("--bus", "unix:path=/nonexistent/bus")
    return main([*bus, "meeting", "audit", "--verify", str(folder / "it.jws"), *words])


async def test_the_rooms_record_is_shown_with_who_signed_it(room: FakeRoom, cli: Cli) -> None:
    room.audit_token = RECORD
    signer, meeting, end, _, *lines = (await cli("meeting", "audit")).out.splitlines()
    assert signer == "signed by room.example.com"
    assert meeting == f"meeting Weekly ({'00' * 16}) at wss://hub.example.com"
    assert end == "! made before the meeting ended"
    assert [line.split()[2] for line in lines] == ["joined", "joined", "new"]
    assert "joined ana@example.org not verified guest 1" in " ".join(lines[1].split())
    assert "abababababababab" in lines[2]
    assert room.done == [("audit", "")]


async def test_a_record_as_json_is_what_was_signed(room: FakeRoom, cli: Cli) -> None:
    room.audit_token = RECORD
    assert (await cli("meeting", "audit", "--of", AUDITS[1], "--json")).json == {
        "schema": 1,
        "record": CONTENT,
        "signer": NAME,
        "token": RECORD,
    }
    assert room.done == [("audit", AUDITS[1])]


async def test_the_records_that_a_room_keeps_are_listed_with_when_what_and_whom(
    room: FakeRoom, cli: Cli
) -> None:
    room.audit_token = RECORD
    _, *lines = (await cli("meeting", "audit", "--list")).out.splitlines()
    assert [line.split()[0] for line in lines] == list(AUDITS)
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(BEGAN))
    assert all(f"{began} 5 s Weekly ana@example.org" in " ".join(line.split()) for line in lines)
    answer = (await cli("meeting", "audit", "--list", "--json")).json
    assert answer["records"] == list(AUDITS)
    assert answer["summaries"][0] == {
        "record": AUDITS[0],
        "began": BEGAN,
        "title": "Weekly",
        "with": ["ana@example.org"],
        "lasted_s": 5,
    }


async def test_a_damaged_record_is_listed_as_such(room: FakeRoom, cli: Cli) -> None:
    room.audit_token = "no record"
    result = await cli("meeting", "audit", "--list")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == list(AUDITS)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3900, "1 h 5 min")]
)
def test_a_duration_is_said_as_people_do(seconds: int, words: str) -> None:
    assert duration(seconds) == words


async def test_a_saved_record_can_be_checked_without_a_room(
    room: FakeRoom, cli: Cli, tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    room.audit_token = RECORD
    file = tmp_path / "weekly.jws"
    assert (await cli("meeting", "audit", "--out", str(file))).out.startswith(f"written: {file}; check it: ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert main(["meeting", "audit", "--verify", str(file), "--anchor", anchor]) == 0
    genuine, *_ = capfd.readouterr().out.splitlines()
    assert genuine == "genuine: signed by room.example.com, for whom CN=Office Root vouches"


def test_a_check_as_json_says_who_signed_what(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(RECORD, tmp_path, "--anchor", anchor, "--json") == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["record"] == CONTENT
    assert (answer["signer"]["name"], answer["signer"]["authority"]) == (NAME, "CN=Office Root")


def test_entries_that_are_missing_in_between_are_counted(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    token = signed(entries=(ENTRIES[0], replace(ENTRIES[2], seq=5, event=Event.ENDED)))
    assert verify(token, tmp_path, "--anchor", anchor) == 0
    said = capfd.readouterr().out
    assert "! 3 entries in between are not kept" in said
    assert "made before the meeting ended" not in said


def tampered() -> str:
    header, payload, signature = RECORD.split(".")
    return f"{header}.{payload[:-2]}{'A' if payload[-2] != 'A' else 'B'}{payload[-1]}.{signature}"


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in CONTENT.items() if name != field}


@pytest.mark.parametrize(
    ("token", "code", "says"),
    [
        (tampered(), 9, "the record was changed after it was signed; do not believe it; ask whoever gave"),
        (RECORD[:-30], 9, "the record has no ES256 signature; "),
        (RECORD.rpartition(".")[0], 9, "the record is not a signed token; "),
        ("", 9, "the record is not a signed token; "),
        ("é\x00", 9, "the record is not a signed token; "),
        (bent(typ="conclave-invitation+jws"), 9, "not of type conclave-audit+jws; "),
        (signed(room="other.example.com"), 9, "is of other.example.com, but room.example.com signed it; "),
        (bent(version=2), 2, "of a version that this conclavectl does not know; read it with a newer"),
        (signed(entries=(replace(ENTRIES[0], time=BEGAN - 10**8),)), 9, "that was not valid then; "),
        (bent(without("entries")), 9, "the record does not hold what it should; "),
        (bent(entries=[ENTRY, ENTRY]), 9, "the record does not hold what it should; "),
        (bent(entries=[7]), 9, "the record does not hold what it should; "),
        (bent(entries=[{**ENTRY, "epoch": "1"}]), 9, "the record does not hold what it should; "),
        (bent(entries=[{**ENTRY, "time": 1e9}]), 9, "the record does not hold what it should; "),
        (bent([]), 9, "the record does not hold what it should; "),
    ],
)
def test_a_record_that_is_not_genuine_fails_with_one_clear_line(
    token: str, code: int, says: str, tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(token, tmp_path, "--anchor", anchor) == code
    captured = capfd.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_record_by_whom_no_anchor_vouches_for_is_not_believed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.pem").write_text(STRANGER.root_pem)
    assert verify(RECORD, tmp_path, "--anchor", str(tmp_path / "other.pem"), "--json") == 9
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["kind"] == "NotGenuine"
    assert error["message"] == (
        "the record says that it is by room.example.com, and none of the given authorities vouches for that"
    )


def test_a_record_that_has_lost_its_beginning_says_so(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(signed(entries=ENTRIES[1:]), tmp_path, "--anchor", anchor) == 0
    assert "! entries before number 2 are not kept: there were too many" in capfd.readouterr().out


def test_a_record_of_the_greatest_length_is_checked_as_well(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    entries = tuple(replace(ENTRIES[1], seq=seq, cause="c" * 300) for seq in range(1, MAX_ENTRIES + 1))
    assert verify(signed(entries=entries), tmp_path, "--anchor", anchor, "--json") == 0
    assert len(json.loads(capfd.readouterr().out)["record"]["entries"]) == MAX_ENTRIES


@pytest.mark.parametrize("event", Event)
def test_every_kind_of_event_is_told(
    event: Event, tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(signed(entries=(replace(ENTRIES[1], event=event),)), tmp_path, "--anchor", anchor) == 0
    line = capfd.readouterr().out.splitlines()[-1]
    assert "_" not in line
    assert "ana@example.org" in line


def test_one_of_several_anchors_is_enough(tmp_path: Path, anchor: str) -> None:
    (tmp_path / "other.pem").write_text(STRANGER.root_pem)
    assert verify(RECORD, tmp_path, "--anchor", str(tmp_path / "other.pem"), "--anchor", anchor) == 0


def test_an_anchor_that_is_no_certificate_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.pem").write_text("nonsense")
    assert verify(RECORD, tmp_path, "--anchor", str(tmp_path / "other.pem")) == 2
    assert "other.pem holds no readable PEM certificate; " in capfd.readouterr().err


def test_what_a_record_says_cannot_touch_the_terminal(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = "evil\x1b]0;owned\x07\u202e[bold]"
    entries = [{**ENTRY, "name": hostile, "event": hostile, "cause": hostile}]
    assert verify(bent(title=hostile, entries=entries), tmp_path, "--anchor", anchor) == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(capfd.readouterr().out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--verify", "/dev/null"],
            "a record is checked against an authority that you believe; give its root",
        ),
        (["--anchor", "/dev/null"], "--anchor goes with --verify FILE; see: conclavectl meeting audit"),
        (["--list", "--of", "x"], "--list stands alone; see: "),
        (["--verify", "/dev/null", "--list"], "--verify goes with --anchor and nothing else; see: "),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    words: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["meeting", "audit", *words]) == 2
    assert says in capfd.readouterr().err


async def test_a_room_without_such_a_record_says_so(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.NOT_FOUND, "there is no such record of a meeting")
    assert (await cli("meeting", "audit", "--of", "x")).code == 4


@pytest.mark.parametrize("domain", ["example.com", "room.example.com", "EXAMPLE.com"])
def test_an_anchor_for_a_domain_vouches_for_names_in_it_and_the_answer_says_which(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str], domain: str
) -> None:
    assert verify(RECORD, tmp_path, "--anchor", f"{anchor}={domain}") == 0
    said = capfd.readouterr().out
    assert f"that authority was believed about {domain.lower()} and the names in it only" in said
    assert "every name" not in said


@pytest.mark.parametrize("domain", ["example.org", "ample.com", "other.example.com"])
def test_an_anchor_for_another_domain_vouches_for_nothing(tmp_path: Path, anchor: str, domain: str) -> None:
    assert verify(RECORD, tmp_path, "--anchor", f"{anchor}={domain}") == 9


def test_an_anchor_for_every_name_is_warned_about(
    tmp_path: Path, anchor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(RECORD, tmp_path, "--anchor", anchor) == 0
    assert "! that authority was believed about every name" in capfd.readouterr().out


@pytest.mark.parametrize("end", ["=", "=*", "=nowhere", ".gone"])
def test_an_anchor_that_is_no_file_or_for_no_domain_is_wrong_usage(
    tmp_path: Path, anchor: str, end: str
) -> None:
    assert verify(RECORD, tmp_path, "--anchor", anchor + end) == 2
