"""What the journal gets of a log record, and what it never does."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conclaved.bus.room import Topic
from conclaved.service.events import EVENT_ATTRIBUTE, Event, tell
from conclaved.service.events import log as events_log
from conclaved.service.happenings import Seen, happened
from conclaved.service.journal_log import JournalHandler, is_in_journal, log_handler
from tests.bus.fake_room import ENROLLED, IN_MEETING, FakeRoom

DOCUMENT = Path(__file__).parents[2] / "docs/journal.md"


class Journal:
    """Takes entries, or refuses them."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str | int]] = []
        self.is_full = False

    def send(self, message: str, **fields: str | int) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.entries.append({"MESSAGE": message, **fields})


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def log(journal: Journal) -> Iterator[logging.Logger]:
    logger = logging.getLogger("test of the journal")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = JournalHandler(journal.send)
    handler.room = "room.example.com"
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_an_entry_says_who_speaks_and_how_loud(log: logging.Logger, journal: Journal) -> None:
    log.warning("the lamps do not obey: %s", "cable")
    (entry,) = journal.entries
    assert entry["MESSAGE"] == "the lamps do not obey: cable"
    assert (entry["PRIORITY"], entry["LOGGER"]) == ("4", "test of the journal")
    assert (Path(str(entry["CODE_FILE"])), entry["CONCLAVE_ROOM"]) == (Path(__file__), "room.example.com")


def test_an_event_has_its_number(log: logging.Logger, journal: Journal) -> None:
    log.error("x", extra={EVENT_ATTRIBUTE: Event.ALARM})
    log.error("x")
    assert journal.entries[0]["MESSAGE_ID"] == Event.ALARM.value
    assert journal.entries[0]["CONCLAVE_EVENT"] == "alarm"
    assert "MESSAGE_ID" not in journal.entries[1]


def test_nothing_of_a_record_goes_out_but_what_is_named(log: logging.Logger, journal: Journal) -> None:
    log.info("a link of %d letters", 7, extra={"link": "https://h/#secret", "message_id": "x"})
    (entry,) = journal.entries
    assert set(entry) == {
        *("MESSAGE", "PRIORITY", "LOGGER", "SYSLOG_IDENTIFIER", "CODE_FILE", "CODE_LINE", "CODE_FUNC"),
        "CONCLAVE_ROOM",
    }
    assert "secret" not in str(entry)


PROGRAM = """
import logging, os, socket
from pathlib import Path

from conclaved.service.events import Event, tell
from conclaved.service.journal_log import log_handler

path = Path("/run/systemd/journal/socket")
path.parent.mkdir(parents=True)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind(str(path))
journal.settimeout(20)
found = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
logging.basicConfig(handlers=[log_handler()])
tell(Event.ALARM, "the lock is broken")
print(journal.recv(65536).decode())
"""


def test_systemds_own_library_takes_an_entry_to_the_journals_socket() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can put a socket in journald's place")
    command = 'mount -t tmpfs tmpfs /run && exec "$0" -c "$1"'
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, sys.executable, PROGRAM],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = said.stdout.splitlines()
    assert said.stderr == ""
    assert {
        "MESSAGE=the lock is broken",
        f"MESSAGE_ID={Event.ALARM.value}",
        "PRIORITY=3",
        "LOGGER=conclaved.events",
    } <= set(lines)
    assert any(line.startswith("CODE_LINE=") for line in lines)


def test_a_journal_that_takes_nothing_loses_no_words(
    log: logging.Logger, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.is_full = True
    said = io.StringIO()
    (handler,) = (one for one in log.handlers if isinstance(one, JournalHandler))
    monkeypatch.setattr(handler._otherwise, "stream", said)
    log.error("the case was opened")
    assert said.getvalue() == "<3>test of the journal: the case was opened\n"


def test_the_journal_is_there_only_if_the_variable_means_this_very_file(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as file:
        found = os.fstat(file.fileno())
        assert is_in_journal(f"{found.st_dev}:{found.st_ino}", file.fileno())
        for other in ("", "1:2", f"{found.st_dev}:{found.st_ino + 1}", "nonsense"):
            assert not is_in_journal(other, file.fileno())


def test_without_a_journal_there_are_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    with (tmp_path / "x").open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        assert not isinstance(log_handler(), JournalHandler)


SEEN = Seen("idle", "none", "", "room.example.com")


@pytest.mark.parametrize(
    ("before", "now", "event"),
    [
        (SEEN, replace(SEEN, meeting="in_meeting"), Event.JOINED),
        (replace(SEEN, meeting="in_meeting"), replace(SEEN, meeting="left"), Event.LEFT),
        (replace(SEEN, lock="locked"), replace(SEEN, lock="broken"), Event.ALARM),
        (SEEN, replace(SEEN, fingerprint="ab"), Event.ENROLLED),
        (replace(SEEN, fingerprint="ab"), replace(SEEN, fingerprint="cd"), Event.RENEWED),
        (SEEN, replace(SEEN, key_trouble="another TPM"), Event.KEY_TROUBLE),
        (SEEN, replace(SEEN, failed=frozenset({"camera"})), Event.HARDWARE_LOST),
        (replace(SEEN, failed=frozenset({"camera"})), SEEN, Event.HARDWARE_BACK),
    ],
)
def test_what_happens_is_told_once(before: Seen, now: Seen, event: Event) -> None:
    assert [found for found, _ in happened(before, now)] == [event]
    assert list(happened(now, now)) == []


def test_no_code_link_or_name_of_a_meeting_is_in_what_is_told() -> None:
    room: Any = FakeRoom()
    before = Seen.of(room, "")
    room.set(Topic.MEETING, replace(IN_MEETING, lock="broken"))
    room.set(Topic.IDENTITY, ENROLLED)
    words = " ".join(text for _, text in happened(before, Seen.of(room, "")))
    assert words
    others = [one.name for one in IN_MEETING.participants if not one.is_self]
    for secret in (IN_MEETING.security_code, IN_MEETING.title, IN_MEETING.meeting_id, *others):
        assert secret
        assert secret not in words


def test_trouble_is_an_error_and_the_rest_is_information(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, events_log.name)
    tell(Event.ALARM, "x")
    tell(Event.JOINED, "x")
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]


@pytest.mark.parametrize("event", Event)
def test_each_event_is_in_the_guide_with_its_number(event: Event) -> None:
    assert f"| `{event.name.lower()}` | `{event.value}` |" in DOCUMENT.read_text()
