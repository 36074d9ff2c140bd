"""The journal of the device's own units, read by the real journalctl out of real journal files."""

from pathlib import Path

import pytest

from conclaved.bus.room import LogQuery, RoomError, RoomErrorKind
from conclaved.service.changes import MESSAGE_ID
from conclaved.service.journal import CHANGE_RECORD, LONGEST_MESSAGE, Journal
from tests.journal import BEGAN, line, make_journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    make_journal(
        tmp_path,
        [
            line("first"),
            line("of another service", "sshd.service"),
            line("an order runs", "conclave-http01.service", PRIORITY="4"),
            line("somebody changed something", MESSAGE_ID=MESSAGE_ID),
            line("a name: \x1b[2J\nand a second line"),
        ],
    )
    return Journal(tmp_path)


async def messages(journal: Journal, query: LogQuery) -> list[str]:
    return [entry.message for entry in (await journal.read(query)).entries]


async def test_only_our_own_units_are_read(journal: Journal) -> None:
    found = (await journal.read(LogQuery())).entries
    assert [entry.message for entry in found] == [
        *("first", "an order runs", "somebody changed something", "a name: \x1b[2J\nand a second line")
    ]
    assert (found[1].unit, found[1].priority, found[1].time) == ("conclave-http01.service", 4, BEGAN + 2)


async def test_the_last_lines_are_read(journal: Journal) -> None:
    assert (await messages(journal, LogQuery(lines=2)))[0] == "somebody changed something"


async def test_what_came_since_is_read(journal: Journal) -> None:
    assert await messages(journal, LogQuery(since=f"@{BEGAN + 4}")) == ["a name: \x1b[2J\nand a second line"]


async def test_what_came_after_a_place_is_read(journal: Journal, tmp_path: Path) -> None:
    cursor = (await journal.read(LogQuery(lines=1))).cursor
    assert await messages(journal, LogQuery(after=cursor)) == []
    first = await journal.read(LogQuery(since=f"@{BEGAN}", lines=10_000))
    assert first.cursor == cursor


async def test_only_the_record_of_changes_is_read(journal: Journal) -> None:
    assert CHANGE_RECORD == MESSAGE_ID
    assert await messages(journal, LogQuery(changes_only=True)) == ["somebody changed something"]


async def test_a_journal_of_others_has_nothing_to_say(tmp_path: Path) -> None:
    make_journal(tmp_path, [line("no", "sshd.service")])
    assert (await Journal(tmp_path).read(LogQuery())).entries == ()


async def test_a_long_line_is_cut(tmp_path: Path) -> None:
    make_journal(tmp_path, [line("x" * 20_000)])
    assert await messages(Journal(tmp_path), LogQuery()) == ["x" * LONGEST_MESSAGE]


@pytest.mark.parametrize("since", ["tomorrow never", "--directory=/", "-1h;id", "x" * 41, "$(id)"])
async def test_what_is_no_time_is_refused(journal: Journal, since: str) -> None:
    with pytest.raises(RoomError) as caught:
        await journal.read(LogQuery(since=since))
    assert caught.value.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "today" in caught.value.hint


async def test_what_is_no_place_is_refused(journal: Journal) -> None:
    with pytest.raises(RoomError, match="no place"):
        await journal.read(LogQuery(after="--help"))


async def test_a_device_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match="keeps no journal"):
        await Journal(tmp_path, tmp_path / "journalctl").read(LogQuery())


async def test_a_journal_that_the_daemon_may_not_read_says_what_it_lacks(tmp_path: Path) -> None:
    # journalctl's own words to a user who is not in the group.
    refusing = tmp_path / "journalctl"
    refusing.write_text(
        "#!/bin/sh\necho No journal files were opened due to insufficient permissions. >&2\nexit 1\n"
    )
    refusing.chmod(0o755)
    with pytest.raises(RoomError) as caught:
        await Journal(tmp_path, refusing).read(LogQuery())
    assert "group systemd-journal" in caught.value.hint


async def test_a_journal_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "journalctl"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr("conclaved.service.journal.ANSWER_WITHIN_S", 0.2)
    with pytest.raises(RoomError) as caught:
        await Journal(tmp_path, hanging).read(LogQuery())
    assert caught.value.kind is RoomErrorKind.TIMED_OUT
