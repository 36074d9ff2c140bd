"""The record of changes, as the journal gets it: over a real bus, into a socket in journald's place."""

import json
import logging
import os
import pwd
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus import Permissions, serve
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.connection import encode
from conclaved.bus.introspection import load
from conclaved.bus.record import HIDDEN, SHOWN, Record, reported
from conclaved.bus.room import RoomError, RoomErrorKind, Topic
from conclaved.service import changes
from conclaved.service.changes import MESSAGE_ID, ChangeRecord, fields_of
from conclaved.service.journal import LONGEST_MESSAGE
from conclaved.service.mutes import Hand
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import CHANGE, LINK, UNCHANGED, FakeRoom, muted
from tests.bus.peer import Peer, PeerError
from tests.cli.conftest import Cli
from tests.service.rooms import running_room

ROOM = "org.conclave.Room1."
METHODS = [
    (interface.removeprefix(ROOM), method)
    for interface, description in load().interfaces.items()
    if interface.startswith(ROOM)
    for method in description.methods.values()
]
READING = {
    "Device.Doctor",
    "Device.Introduce",
    "Device.Logs",
    "Device.Versions",
    "Meeting.Audit",
    "Meeting.ListAudits",
    "Meeting.ListInvitations",
    # The bytes of a bundle: its beginning and its installation are on record.
    "Update.Send",
}
"""Methods that change nothing. Each is here because somebody has thought about it."""
EMPTY: dict[str, Any] = {
    "s": "x",
    "b": False,
    "x": 0,
    "as": ["x"],
    "ay": b"x",
    "a{sv}": {},
    "a{ss}": {"x": "y"},
}


class Journal:
    """A datagram socket in journald's place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def records(self) -> list[dict[str, str]]:
        """What has arrived since the last time: each a datagram of lines NAME=value."""
        found: list[dict[str, str]] = []
        while True:
            try:
                datagram = self._socket.recv(1 << 20)
            except BlockingIOError:
                return found
            lines = datagram.decode().removesuffix("\n").split("\n")
            fields = dict(line.split("=", 1) for line in lines)
            assert len(fields) == len(lines)
            found.append(fields)

    def record(self) -> dict[str, str]:
        """The one that has arrived."""
        (record,) = self.records()
        return record


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    found = Journal(tmp_path / "journal")
    yield found
    found.close()


@pytest_asyncio.fixture(loop_scope="function")
async def bus() -> AsyncIterator[PrivateBus]:
    async with PrivateBus() as private:
        yield private


@pytest_asyncio.fixture(loop_scope="function")
async def room(bus: PrivateBus, journal: Journal) -> AsyncIterator[FakeRoom]:
    fake = FakeRoom()
    async with serve(fake, address=bus.address, record=ChangeRecord(journal.path)):
        yield fake


@pytest_asyncio.fixture(loop_scope="function")
async def peer(bus: PrivateBus, room: FakeRoom) -> AsyncIterator[Peer]:
    client = await Peer.connect(bus.address)
    yield client
    await client.close()


async def test_every_verb_leaves_exactly_one_record(peer: Peer, journal: Journal) -> None:
    for interface, method in METHODS:
        kinds = re.findall(r"a?(?:\{..\}|[a-z])", method.takes)
        await peer.call(ROOM + interface, method.name, method.takes, *(EMPTY[kind] for kind in kinds))
        verbs = [record["CONCLAVE_VERB"] for record in journal.records()]
        verb = f"{interface}.{method.name}"
        assert verbs == ([] if verb in READING else [verb])


def test_only_these_methods_are_not_on_record() -> None:
    assert {f"{interface}.{method.name}" for interface, method in METHODS if method.is_reading} == READING


async def test_a_record_says_who_and_what_and_how_it_ended(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Trust", "RemoveAnchor", "sa{sv}", "office", {})
    record = journal.record()
    assert record["MESSAGE_ID"] == MESSAGE_ID
    assert record["CONCLAVE_UID"] == str(os.getuid())
    assert record["CONCLAVE_USER"] == pwd.getpwuid(os.getuid()).pw_name
    assert json.loads(record["CONCLAVE_ARGUMENTS"]) == {"label": "office"}
    assert record["CONCLAVE_OUTCOME"] == "done"
    assert record["PRIORITY"] == "5"


async def test_a_record_says_what_was_before_and_is_after(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Trust", "RemoveAnchor", "sa{sv}", "office", {})
    record = journal.record()
    assert record["CONCLAVE_CHANGED"] == "true"
    assert json.loads(record["CONCLAVE_CHANGES"]) == [
        {"key": CHANGE.key, "before": CHANGE.before, "after": CHANGE.after}
    ]


async def test_a_verb_that_reports_no_changes_is_compared_before_and_after(
    peer: Peer, room: FakeRoom, journal: Journal
) -> None:
    room.then["mute"] = [(Topic.HARDWARE, muted(room.hardware()))]
    await peer.call(ROOM + "Hardware", "Mute", "bb", True, False)
    assert json.loads(journal.record()["CONCLAVE_CHANGES"]) == [
        {"key": "hardware.camera_muted", "before": "False", "after": "True"}
    ]


async def test_a_verb_that_changed_nothing_says_so(peer: Peer, room: FakeRoom, journal: Journal) -> None:
    room.report = UNCHANGED
    await peer.call(ROOM + "Trust", "RemoveAnchor", "sa{sv}", "office", {})
    record = journal.record()
    assert record["CONCLAVE_CHANGED"] == "false"
    assert record["MESSAGE"].endswith("done, nothing changed")


async def test_a_verb_that_only_begins_something_claims_nothing(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Meeting", "Leave")
    record = journal.record()
    assert record["CONCLAVE_CHANGED"] == "unknown"
    assert record["MESSAGE"].endswith("Meeting.Leave: done")


async def test_what_was_refused_is_on_record_too(peer: Peer, room: FakeRoom, journal: Journal) -> None:
    room.error = RoomError(RoomErrorKind.NOT_FOUND, "there is no such anchor")
    with pytest.raises(PeerError):
        await peer.call(ROOM + "Trust", "RemoveAnchor", "sa{sv}", "office", {})
    record = journal.record()
    assert (record["CONCLAVE_OUTCOME"], record["CONCLAVE_REASON"]) == ("NotFound", "there is no such anchor")
    assert record["PRIORITY"] == "4"


async def test_a_bug_in_a_verb_is_on_record_without_its_words(
    peer: Peer, room: FakeRoom, journal: Journal
) -> None:
    room.error = RuntimeError("inner secret")
    with pytest.raises(PeerError):
        await peer.call(ROOM + "Meeting", "Leave")
    record = journal.record()
    assert record["CONCLAVE_OUTCOME"] == "Failed"
    assert "inner secret" not in str(record)


async def test_who_may_not_is_on_record(bus: PrivateBus, journal: Journal) -> None:
    nobody = Permissions()
    async with serve(FakeRoom(), address=bus.address, permissions=nobody, record=ChangeRecord(journal.path)):
        peer = await Peer.connect(bus.address)
        with pytest.raises(PeerError):
            await peer.call(ROOM + "Meeting", "EndForAll")
        await peer.close()
    record = journal.record()
    assert (record["CONCLAVE_OUTCOME"], record["CONCLAVE_UID"]) == ("NotPermitted", str(os.getuid()))


async def test_a_dry_run_is_not(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Trust", "RemoveAnchor", "sa{sv}", "office", {"dry_run": encode("b", True)})
    assert journal.records() == []


async def test_no_secret_is_on_record(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Meeting", "JoinWith", "ss", LINK, "token.of.invitation")
    await peer.call(ROOM + "Trust", "AddAnchor", "sssa{sv}", "pem-text", "office", "verified", {})
    await peer.call(ROOM + "Config", "Apply", "sa{sv}", "secret = 'x-document'", {})
    await peer.call(ROOM + "Config", "Set", "a{ss}a{sv}", {"acme.hmac": "x-secret"}, {})
    text = str(journal.records())
    fragment = LINK.partition("#")[2]
    assert fragment
    for secret in (fragment, "token.of.invitation", "pem-text", "x-document", "x-secret"):
        assert secret not in text
    assert HIDDEN in text
    assert "acme.hmac" in text


def test_what_may_hold_a_secret_is_not_shown() -> None:
    assert not SHOWN & {"content", "secret", "invitation", "document", "file", "values", "confirmation"}


async def test_the_caller_says_once_where_it_comes_from(peer: Peer, journal: Journal) -> None:
    await peer.call(ROOM + "Device", "Introduce", "s", "ssh admin from 192.0.2.7 key SHA256:x")
    await peer.call(ROOM + "Meeting", "Leave")
    record = journal.record()
    assert record["CONCLAVE_ORIGIN"] == "ssh admin from 192.0.2.7 key SHA256:x"
    assert "(ssh admin from 192.0.2.7 key SHA256:x): Meeting.Leave" in record["MESSAGE"]


async def test_another_connection_does_not_borrow_it(peer: Peer, bus: PrivateBus, journal: Journal) -> None:
    await peer.call(ROOM + "Device", "Introduce", "s", "ssh admin")
    other = await Peer.connect(bus.address)
    await other.call(ROOM + "Meeting", "Leave")
    await other.close()
    assert journal.record()["CONCLAVE_ORIGIN"] == ""


async def test_conclavectl_hands_over_what_the_shell_told_it(
    bus: PrivateBus, room: FakeRoom, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCLAVE_ORIGIN", "ssh admin from 192.0.2.7")
    assert (await Cli(bus.address)("trust", "remove", "office")).code == 0
    assert [record["CONCLAVE_ORIGIN"] for record in journal.records()] == ["ssh admin from 192.0.2.7"]


async def test_what_people_press_is_on_record_with_what_they_pressed(tmp_path: Path) -> None:
    records: list[Record] = []
    async with running_room(tmp_path, record=records.append) as here:
        here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        here.room.act(PanelAction(ActionKind.ADMIT, request_id="r-1", name="late.example.com"))
        here.room.act(PanelAction(ActionKind.MUTE_CAMERA), Hand.BUTTON)
    assert [fields_of(record)["MESSAGE"] for record in records] == [
        "people in the room (the panel): Panel.unmute_camera: done",
        "people in the room (the panel): Panel.admit request_id=r-1 name=late.example.com: done",
        "people in the room (a button): Panel.mute_camera: done",
    ]


def test_without_a_journal_a_log_line_says_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = Record(0, "console root", "Policy.Set", (), "done", "", True, (Change("a", "1", "2", ""),))
    with caplog.at_level(logging.INFO, "conclaved.service.changes"):
        ChangeRecord(tmp_path / "nowhere")(record)
    assert caplog.messages == ["root (console root): Policy.Set: done: a: 1 -> 2"]


def test_no_value_begins_another_line() -> None:
    hostile = "office\nCONCLAVE_USER=somebody\x1b[2J"
    fields = fields_of(Record(0, hostile, "Trust.RemoveAnchor", (("label", hostile),), "done", hostile))
    assert all(value.isprintable() for value in fields.values())


def test_a_user_without_a_name_is_a_number() -> None:
    assert fields_of(Record(4_000_000, "", "x", (), "done"))["CONCLAVE_USER"] == "uid 4000000"
    assert fields_of(Record(None, "", "x", (), "done"))["CONCLAVE_USER"] == "unknown"


def test_changes_that_no_single_entry_has_room_for_are_all_on_record(journal: Journal) -> None:
    many = [Change(f"{number} " + "\U000e0001" * 90, "b" * 300, "\u202e" * 300, "") for number in range(9)]
    record = Record(0, "o" * 500, "x", (("a", "v" * 300),) * 20, "done", "", True, (*many,))
    ChangeRecord(journal.path)(record)
    found = journal.records()
    keys = [change["key"] for entry in found for change in json.loads(entry["CONCLAVE_CHANGES"])]
    assert keys == [change.key for change in many]
    assert found[1]["MESSAGE"].startswith(f"2 of {len(found)}: root (")
    assert all(len(entry["MESSAGE"]) < LONGEST_MESSAGE for entry in found)


def test_a_journal_that_is_full_is_waited_for(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_WAIT_S", 30.0)
    found: list[dict[str, str]] = []
    is_over = threading.Event()

    def read_on() -> None:
        while not is_over.is_set():
            found.extend(journal.records())

    reader = threading.Thread(target=read_on)
    reader.start()
    many = tuple(Change(f"{number} " + "k" * 290, "b" * 300, "a" * 300, "") for number in range(600))
    ChangeRecord(journal.path)(Record(0, "", "x", (), "done", "", True, many))
    is_over.set()
    reader.join()
    found += journal.records()
    assert sum(len(json.loads(entry["CONCLAVE_CHANGES"])) for entry in found) == len(many)


async def test_a_change_behind_many_others_is_on_record(peer: Peer, room: FakeRoom, journal: Journal) -> None:
    room.report = ChangeReport(True, tuple(Change(f"key {number}", "", "new", "") for number in range(250)))
    await peer.call(ROOM + "Config", "Apply", "sa{sv}", "x", {})
    assert "key 249: nothing -> new" in " ".join(record["MESSAGE"] for record in journal.records())


def test_two_long_values_of_one_beginning_are_told_apart() -> None:
    told = reported([True, [Change("access", "a" * 400, "a" * 400 + "b", "")]])
    assert told is not None
    ((change,),) = told[1:]
    assert change.before != change.after
    assert "…" in change.after


async def test_a_session_whose_key_was_taken_away_does_and_sees_nothing_more(
    peer: Peer, room: FakeRoom, journal: Journal
) -> None:
    await peer.call(ROOM + "Device", "Introduce", "s", "ssh admin from 192.0.2.1 key SHA256:abc")
    room.ended.add("ssh admin from 192.0.2.1 key SHA256:abc")
    for interface, member, signature, arguments in (
        (ROOM + "Config", "Unset", "asa{sv}", (["access.keys"], {})),
        (ROOM + "Device", "Logs", "a{sv}", ({},)),
        ("org.freedesktop.DBus.Properties", "GetAll", "s", (ROOM + "Meeting",)),
    ):
        with pytest.raises(PeerError) as caught:
            await peer.call(interface, member, signature, *arguments)
        assert caught.value.name.endswith("NotPermitted")
    assert room.done == []
    assert journal.record()["CONCLAVE_OUTCOME"] == "NotPermitted"
