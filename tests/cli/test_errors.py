"""Every error is one line that says what to do next, and an exit code."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from conclave_provisioning.cli import main
from conclave_provisioning.cli.command import root
from conclave_provisioning.cli.errors import OUTCOMES, ErrorKind
from conclaved.bus import Permissions, serve
from conclaved.bus.room import RoomError, RoomErrorKind
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom
from tests.cli.conftest import Cli
from tests.pki import TestAuthority

CODES = {
    RoomErrorKind.FAILED: 1,
    RoomErrorKind.BUSY: 8,
    RoomErrorKind.ALREADY_IN_MEETING: 8,
    RoomErrorKind.INVALID_ARGUMENT: 2,
    RoomErrorKind.NOT_PERMITTED: 3,
    RoomErrorKind.NOT_FOUND: 4,
    RoomErrorKind.NOT_IN_MEETING: 4,
    RoomErrorKind.NOT_ENROLLED: 4,
    RoomErrorKind.REFUSED: 5,
    RoomErrorKind.UNREACHABLE: 6,
    RoomErrorKind.TIMED_OUT: 6,
}


def test_every_error_has_an_exit_code_and_a_hint() -> None:
    assert set(OUTCOMES) == set(ErrorKind)
    assert all(code != 0 and hint for code, hint in OUTCOMES.values())


@pytest.mark.parametrize("kind", RoomErrorKind)
async def test_an_error_of_the_room_is_one_line_an_object_and_its_exit_code(
    room: FakeRoom, cli: Cli, kind: RoomErrorKind
) -> None:
    room.error = RoomError(kind, "it did not work.", hint="do that first")
    result = await cli("config", "rollback", "--json")
    assert result.code == CODES[kind]
    assert result.err == "conclavectl: it did not work; do that first\n"
    assert result.json == {
        "schema": 1,
        "error": {"kind": kind.value, "message": "it did not work.", "hint": "do that first"},
    }


async def test_an_error_without_a_hint_still_says_what_to_do(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.NOT_ENROLLED, "the room has no identity")
    result = await cli("meeting", "join", "https://x/#y")
    assert result.err == (
        "conclavectl: the room has no identity; first: conclavectl identity enroll DOMAIN\n"
    )
    assert result.out == ""


async def test_a_message_of_many_hostile_lines_is_one_visible_line(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.REFUSED, "no\nfor \x1b[31mthat \u202ename")
    result = await cli("meeting", "leave")
    assert result.err.count("\n") == 1
    assert "\x1b" not in result.err
    assert "no for \\u001b[31mthat \\u202ename" in result.err


async def test_a_user_without_permission_gets_exit_code_3(bus: PrivateBus, cli: Cli) -> None:
    async with serve(FakeRoom(), address=bus.address, permissions=Permissions()):
        result = await cli("status")
    assert result.code == 3
    assert "in the group conclave" in result.err


async def test_without_the_daemon_the_exit_code_is_7(bus: PrivateBus, cli: Cli) -> None:
    result = await cli("--json")
    assert result.code == 7
    assert result.err == "conclavectl: conclaved is not running; start it: systemctl start conclaved\n"
    assert result.json["error"]["kind"] == "NotRunning"


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "nonsense"])
def test_without_a_bus_the_exit_code_is_7(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--bus", address, "status"]) == 7
    error = capfd.readouterr().err
    assert error.startswith(f"conclavectl: no D-Bus at {address}: ")
    assert error.endswith("; on another machine: ssh admin@ROOM ...; else set CONCLAVE_BUS or use --bus\n")
    assert "Errno" not in error
    assert error.count("\n") == 1


async def test_a_bus_that_hangs_up_during_authentication_is_exit_code_7(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, tmp_path / "s"):
        result = await Cli(f"unix:path={tmp_path}/s")("status")
    assert result.code == 7
    assert "hung up" in result.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explode"], "No such command 'explode'"),
        (["meeting", "create"], "Missing option '--title'"),
        (
            ["meeting", "create", "--title", "x", "--level", "x"],
            "'x' is not one of",
        ),
        (
            ["meeting", "create", "--title", "x", "--until", "soon"],
            "is not a time",
        ),
        (["meeting", "admit"], "Missing argument 'ID|NAME'"),
        (["identity", "enroll", "d", "--challenge", "tls-sni-01"], "is not one of"),
        (["trust", "add", "/nonexistent.pem", "--label", "x", "--kind", "verified"], "No such file"),
        (["mute", "panel"], "is not one of"),
        (["policy", "set", "--minimum-level", "none"], "is not one of"),
        (["status", "--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    words: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capfd.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert "--help" in captured.err
    assert captured.out == ""


def test_an_address_is_no_service_that_may_be_let_in(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["meeting", "create", "--title", "x", "--conference", "wss://h", "--service", "wss://hub.example"]
    assert main(words) == 2
    assert capfd.readouterr().err == (
        "conclavectl: --service names a recorder or transcriber, not an address; "
        "give the conference service with: --conference wss://hub.example\n"
    )


def test_wrong_usage_with_json_is_an_object_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["meeting", "admit", "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["kind"] == "Usage"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; give the CA's certificate"),
        (b"nonsense", "holds no readable PEM certificate; convert it: openssl"),
        (b"\x30\x82\xff", "holds no readable PEM certificate; convert it: openssl"),
        (b"-----BEGIN CERTIFICATE-----" * 50_000, "is longer than 1024 KiB; "),
        (b"-----BEGIN EC PRIVATE KEY-----", "holds a private key; give certificates only"),
    ],
)
def test_a_file_that_is_no_certificate_is_refused_before_the_room_is_asked(
    content: bytes, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    assert main(["trust", "add", str(file), "--label", "x", "--kind", "verified"]) == 2
    assert says in capfd.readouterr().err


def test_several_certificates_need_the_word_bundle(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(TestAuthority("One").root_pem + TestAuthority("Two").root_pem)
    assert main(["trust", "add", str(file), "--label", "x", "--kind", "verified"]) == 2
    assert "holds 2 certificates; give the CA's alone, or trust all of them with --bundle" in (
        capfd.readouterr().err
    )


@pytest.mark.parametrize("label", ["", "  "])
def test_a_label_is_not_empty(label: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(TestAuthority("One").root_pem)
    assert main(["trust", "add", str(file), "--label", label, "--kind", "verified"]) == 2
    assert "--label is empty; " in capfd.readouterr().err


async def test_a_second_meeting_is_exit_code_8_and_told_to_leave_the_first(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(
        RoomErrorKind.ALREADY_IN_MEETING, "the room is in a meeting", hint="conclavectl meeting leave"
    )
    result = await cli("meeting", "join", "https://x/#y")
    assert result.code == 8
    assert result.err == (
        "conclavectl: the room is in a meeting; leave it first: conclavectl meeting leave\n"
    )


async def test_an_argument_that_the_room_refuses_leads_to_the_help_of_its_command(
    room: FakeRoom, cli: Cli
) -> None:
    room.error = RoomError(RoomErrorKind.INVALID_ARGUMENT, "too long a title")
    result = await cli("meeting", "create", "--title", "x", "--conference", "wss://h")
    assert result.err == "conclavectl: too long a title; see: conclavectl meeting create --help\n"


def test_an_option_without_its_value_leads_to_the_help_of_its_command(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["policy", "set", "--minimum-level"]) == 2
    assert capfd.readouterr().err == (
        "conclavectl: Option '--minimum-level' requires an argument; see: conclavectl policy set --help\n"
    )


def test_a_guess_of_what_was_meant_is_a_question_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["meting"]) == 2
    assert capfd.readouterr().err == (
        "conclavectl: No such command 'meting'. Did you mean 'meeting'? See: conclavectl --help\n"
    )


@pytest.mark.parametrize("group", ["identity", "trust", "policy", "meeting"])
def test_a_group_without_a_command_prints_its_help_and_is_wrong_usage(
    group: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([group]) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith(f"Usage: conclavectl {group} ")
    assert captured.out == ""


@pytest.mark.parametrize("words", [["--json", "meeting"], ["meeting", "--json"]])
def test_a_group_without_a_command_is_an_object_with_json(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert json.loads(capfd.readouterr().out)["error"]["kind"] == "Usage"


def subcommands(group: click.Group) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [(name, command) for name, command in found if command is not None]


COMMANDS: list[tuple[list[str], click.Command]] = [([], root)]
for _words, _command in COMMANDS:
    if isinstance(_command, click.Group):
        COMMANDS += [([*_words, name], found) for name, found in subcommands(_command)]


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=lambda words: "-".join(words))
def test_no_help_is_cut(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    commands = capfd.readouterr().out.partition("Commands:")[2]
    assert "..." not in commands


@pytest.mark.parametrize(
    "words",
    [words for words, command in COMMANDS if not isinstance(command, click.Group)],
    ids=lambda words: "-".join(words),
)
def test_every_command_has_an_example(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    main([*words, "--help"])
    assert f"  conclavectl {' '.join(words)}" in capfd.readouterr().out.partition("Example")[2]


@pytest.mark.parametrize(
    "words",
    [[], ["identity"], ["identity", "enroll"], ["meeting"], ["meeting", "join"], ["trust", "add"], ["watch"]],
)
def test_help_teaches_without_a_room(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    assert "Usage: conclavectl" in capfd.readouterr().out


def test_the_help_lists_the_exit_codes_that_are_used(capfd: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capfd.readouterr().out.split("Exit codes:")[1].split("With --json")[0]
    listed = {int(line.split()[0]) for line in text.strip().splitlines()}
    assert listed == {0} | {code for code, _ in OUTCOMES.values()}


def test_the_help_says_that_the_room_refuses_a_link_with_anothers_invitation(
    capfd: pytest.CaptureFixture[str],
) -> None:
    main(["--help"])
    words = " ".join(capfd.readouterr().out.split())
    assert " 5 refused by CA, meeting or room, which takes no invitation but its link's" in words
    assert OUTCOMES[ErrorKind.REFUSED][0] == 5


@pytest.mark.parametrize("name", root.places)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(limit=200)) == (name, root.places[name].short_help)


def test_help_comes_without_the_commands_and_the_room() -> None:
    """What makes it quick: neither a command nor asyncio nor the D-Bus library is imported."""
    script = (
        "import sys; from conclave_provisioning.cli.command import main; main(['--help']);"
        "print(sorted(m for m in sys.modules if m in ('asyncio', 'dbus_next', 'rich', 'cryptography')"
        " or m.startswith('conclave_provisioning.cli.')))"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    modules = ("command", "errors", "invocation", "lazy_group", "output")
    assert out.splitlines()[-1] == str([f"conclave_provisioning.cli.{name}" for name in modules])
