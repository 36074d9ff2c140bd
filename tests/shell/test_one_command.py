"""`ssh admin@room COMMAND`, by OpenSSH's client and a real sshd: it is run, and nothing else is."""

import json
from pathlib import Path

from conclaved.bus.room import MeetingStatus, RoomError, RoomErrorKind, Topic
from tests.bus.fake_room import INVITATION, LINK, FakeRoom
from tests.cli.test_commands import PEM
from tests.shell.connecting import connect
from tests.shell.sshd import Sshd, run_program

NO_COMMANDS = (
    "id",
    "bash -c id",
    "/bin/sh",
    "status; id",
    "status | id",
    "status\nid",
    "$(id)",
    "!id",
    " -c id",
    "conclavectl conclavectl status",
    "python3 -c 'import os; os.system(\"id\")'",
    "/usr/lib/openssh/sftp-server",
    "rsync --server --sender -vlogDtpr . /etc/passwd",
    "scp -f /etc/passwd",
    "'open quote",
)

FILES = (
    "trust add {file} --label x --kind verified",
    "meeting join {file}",
    "meeting join /proc/self/environ",
    "meeting create --title x --ics {new}",
    "meeting create --title x --file={new}",
    "meeting create --title x --qr-file {new}.png",
    "meeting audit --out {new}",
    "meeting audit --verify {file} --anchor {file}",
    "meeting audit --verify - --anchor {file}=example.com",
    "update install {file}",
)


def made_in(folder: Path) -> list[Path]:
    """What a command that was told to write a new file has left."""
    return list(folder.glob("new*"))


async def test_a_command_is_run_and_its_answer_comes_back(sshd: Sshd) -> None:
    code, out, err = await sshd.ssh("status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["device"]["health"] == "ready"


async def test_the_programs_name_may_stand_before_a_command(sshd: Sshd) -> None:
    code, out, _ = await sshd.ssh("conclavectl", "policy", "show", "--json")
    assert code == 0
    assert json.loads(out)["policy"]["minimum_level"] == "standard"


async def test_the_short_word_for_help_is_understood(sshd: Sshd) -> None:
    code, out, _ = await sshd.ssh("trust", "add", "-h")
    assert code == 0
    assert "Usage: conclavectl trust add" in out


async def test_a_change_is_made(sshd: Sshd, room: FakeRoom) -> None:
    code, _, err = await sshd.ssh("trust", "remove", "'the office'")
    assert (code, err) == (0, "")
    assert room.done == [("remove_anchor", "the office")]


async def test_the_exit_code_is_the_commands_own(sshd: Sshd, room: FakeRoom) -> None:
    room.error = RoomError(RoomErrorKind.NOT_FOUND, "there is no such anchor")
    code, _, err = await sshd.ssh("trust", "remove", "office")
    assert code == 4
    assert err.startswith("conclavectl: there is no such anchor; ")


async def test_a_file_is_taken_from_stdin(sshd: Sshd, room: FakeRoom) -> None:
    code, _, err = await sshd.ssh(
        "trust add - --label office --kind verified --domain example.com", stdin=PEM.encode()
    )
    assert (code, err) == (0, "")
    assert [done[0] for done in room.done] == ["add_anchor"]


async def test_a_file_is_given_on_stdout_and_words_beside_it(sshd: Sshd) -> None:
    code, out, err = await sshd.ssh("meeting create --title Weekly --file -")
    assert code == 0
    assert json.loads(out)["invitation"] == INVITATION
    assert LINK in err


async def test_what_is_no_command_is_refused(sshd: Sshd, room: FakeRoom) -> None:
    async with connect(sshd) as connection:
        done = [(command, await connection.run(command)) for command in NO_COMMANDS]
    assert [(command, answer) for command, answer in done if answer.exit_status != 2 or answer.stdout] == []
    assert [answer.stderr for _, answer in done if not answer.stderr.startswith("conclavectl: ")] == []
    assert "uid=" not in "".join(answer.stderr for _, answer in done)
    assert room.done == []


async def test_no_file_of_the_device_is_read_or_written(sshd: Sshd, room: FakeRoom, tmp_path: Path) -> None:
    file, new = tmp_path / "secret.pem", tmp_path / "new"
    file.write_text(PEM)
    commands = [command.format(file=file, new=new) for command in FILES]
    async with connect(sshd) as connection:
        done = [(command, await connection.run(command, input="")) for command in commands]
    assert [(command, answer) for command, answer in done if answer.exit_status != 2 or answer.stdout] == []
    advice = "which nobody can over SSH; give - in its place: ssh DEVICE"
    assert [answer.stderr for _, answer in done if advice not in answer.stderr] == []
    assert made_in(tmp_path) == []
    assert room.done == []


async def test_another_bus_cannot_be_chosen(sshd: Sshd) -> None:
    code, _, err = await sshd.ssh("status --bus unix:path=/tmp/evil")
    assert code == 2
    assert "--bus is not for the admin's shell" in err


async def test_a_refusal_is_json_where_json_is_wanted(sshd: Sshd) -> None:
    code, out, _ = await sshd.ssh("status --json --bus unix:path=/tmp/evil")
    assert code == 2
    assert json.loads(out)["error"]["kind"] == "Usage"


async def test_a_line_that_is_too_long_is_refused(sshd: Sshd) -> None:
    code, _, err = await sshd.ssh("meeting join https://example.com/" + "x" * 40_000)
    assert code == 2
    assert "longer than 32 Ki characters" in err


async def test_no_escape_sequence_of_a_name_reaches_the_terminal(sshd: Sshd, room: FakeRoom) -> None:
    room.set(Topic.MEETING, MeetingStatus("in_meeting", title="Board\x1b]0;owned\x07\x1b[2J\u202e"))
    _, out, _ = await sshd.ssh("status", options=("-tt",))
    assert "Board" in out
    assert not {"\x07", "\u202e"} & set(out)
    assert "\x1b]" not in out
    assert "\x1b[2J" not in out


async def test_as_a_login_shell_it_runs_commands_without_forcecommand(sshd: Sshd) -> None:
    code, out, _ = await run_program(str(sshd.shell), "--bus", sshd.bus, "-c", "policy show --json")
    assert code == 0
    assert json.loads(out)["schema"] == 1


async def test_a_hint_says_what_can_be_done_here(sshd: Sshd) -> None:
    code, _, err = await run_program(str(sshd.shell), "--bus", "unix:path=/nowhere", "-c", "status")
    assert code == 7
    assert "switch the device off and on" in err
    assert "systemctl" not in err


async def test_as_a_login_shell_it_runs_no_program(sshd: Sshd) -> None:
    code, out, err = await run_program(str(sshd.shell), "-c", "id")
    assert (code, out) == (2, "")
    assert "No such command 'id'" in err


async def test_as_a_login_shell_it_takes_the_clients_command_from_sshd(sshd: Sshd) -> None:
    code, out, _ = await run_program(
        str(sshd.shell),
        "--bus",
        sshd.bus,
        "-c",
        "/usr/bin/conclave-shell",
        env={"SSH_ORIGINAL_COMMAND": "trust list --json"},
    )
    assert code == 0
    assert json.loads(out)["anchors"][0]["label"] == "office"
