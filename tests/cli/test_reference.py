"""What is published about the commands is true: schemas, manual pages, completion."""

import asyncio
import json
import os
import re
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import fastjsonschema
import pytest

from conclave_provisioning.cli.command import root
from conclave_provisioning.cli.reference import ANSWERS, leaves, pages, schemas
from conclave_provisioning.cli.reference.commands import walk
from conclave_provisioning.cli.reference.schema import file_name
from conclaved.bus.room import MeetingStatus, Topic
from conclaved.bus.update_verbs import UpdateStatus
from tests.bus.fake_room import ALICE, CONFIG, ENROLLED, GUEST, IN_MEETING, LINK, FakeRoom
from tests.cli.conftest import DEADLINE_S, PROGRAM, Cli
from tests.cli.test_access import has
from tests.cli.test_auditing import RECORD
from tests.pki import TestAuthority
from tests.service.access.test_ssh_key import GOOD, TOKENS

SCHEMAS = Path(__file__).parent.parent.parent / "docs/schema"
PEM = TestAuthority("Office CA").root_pem.encode()
ALONE = replace(IN_MEETING, participants=(ALICE,), epoch=8)
HANDED = replace(IN_MEETING, participants=(ALICE, replace(GUEST, role="host")))
ENDED = MeetingStatus("left", title="Weekly", left_reason="ended for all")
BY_OTHER_MEANS = {"enroll-for": "it needs a room that is reached by SSH"}
"""Commands whose answers are not looked at here."""


@dataclass(frozen=True)
class Example:
    """How a command is used."""

    words: tuple[str, ...] = ()
    stdin: bytes | None = None
    then: dict[str, MeetingStatus] = field(default_factory=dict)
    """What becomes of the meeting, by the verb."""


EXAMPLES: dict[str, Example] = {
    "identity set-domain": Example(("room.example.com",)),
    "identity enroll": Example(("room.example.com",)),
    "identity revoke": Example(("--yes",)),
    "identity import-chain": Example(("-",), b"chain"),
    "identity import-key": Example(("-", "--secret-stdin"), b"secret\nkey"),
    "trust add": Example(("-", "--label", "x", "--kind", "verified"), PEM),
    "trust remove": Example(("office",)),
    "trust block": Example(("x.example",)),
    "trust unblock": Example(("x.example",)),
    "trust crl add": Example(("-",), b"list"),
    "trust crl remove": Example(("office",)),
    "policy set": Example(("--minimum-level", "locked")),
    "config set": Example(("join_countdown_s", "20")),
    "config unset": Example(("join_countdown_s",)),
    "config diff": Example(("-",), b""),
    "config apply": Example(("-",), b""),
    "access add": Example(("-",), f"{TOKENS[0]}\n".encode()),
    "access remove": Example(("ana", "--yes")),
    "access principals": Example(("admin",)),
    "meeting create": Example(
        ("--title", "x", "--invite", "@example.com", "--conference", "wss://a.example")
    ),
    "meeting personal-room": Example(("--conference", "wss://a.example")),
    "meeting schedule add": Example((LINK,)),
    "meeting schedule remove": Example(("Weekly",)),
    "meeting join": Example((LINK,)),
    "meeting admit": Example(("r-1",)),
    "meeting deny": Example(("r-1",)),
    "meeting kick": Example(("1",), None, {"kick": ALONE}),
    "meeting allow-back": Example(
        ("00112233445566aa",), None, {"allow_back": replace(IN_MEETING, removed=())}
    ),
    "meeting hand-over": Example(("1", "--yes"), None, {"hand_over": HANDED}),
    "meeting end": Example(("--yes",), None, {"end_for_all": ENDED}),
    "factory-reset": Example(("--dry-run",)),
    "update install": Example(("-",), b"bundle"),
    "reboot": Example(("--dry-run",)),
    "support-bundle": Example(("--out", "bundle.tar.gz")),
}
"""Those that need words; the others are used without any."""
PROVISION = ("provision signer", "provision sign", "provision show", "provision apply")
ENDLESS = ("watch", "hardware watch")
PLAIN = sorted(set(ANSWERS) - {*BY_OTHER_MEANS, *ENDLESS, *PROVISION})


def strict(schema: Any) -> Any:
    """A schema that takes no key beside those it names: what a command prints is all published."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: strict(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in inner else inner


def validate(words: str, answer: Any) -> None:
    schema = json.loads((SCHEMAS / file_name(words)).read_text())
    fastjsonschema.compile(strict(schema))(answer)


def test_the_published_schemas_are_those_of_the_commands() -> None:
    found = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert found == schemas(), "write them anew: make schema"


def test_each_command_has_a_schema() -> None:
    assert set(ANSWERS) == set(leaves())


@pytest.mark.parametrize("words", PLAIN)
async def test_what_a_command_prints_is_as_its_schema_says(
    room: FakeRoom, cli: Cli, words: str, tmp_path: Path
) -> None:
    example = EXAMPLES.get(words, Example())
    room.set(Topic.IDENTITY, ENROLLED)
    room.set(Topic.MEETING, IN_MEETING)
    room.then = {verb: [(Topic.MEETING, meeting)] for verb, meeting in example.then.items()}
    room.then["install"] = [(Topic.UPDATE, UpdateStatus("installed", bundle_version="1.2.0"))]
    room.audit_token = RECORD
    if words.startswith("access "):
        has(room, keys=(GOOD,), authorities=(), principals=())
    given = [str(tmp_path / word) if word == "bundle.tar.gz" else word for word in example.words]
    result = await cli(*words.split(), *given, "--json", stdin=example.stdin)
    assert "error" not in result.json, result.json
    validate(words, result.json)


async def test_what_is_watched_is_as_its_schema_says(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("watch", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        validate("watch", json.loads(await process.stdout.readline()))
        room.set(Topic.MEETING, IN_MEETING)
        validate("watch", json.loads(await process.stdout.readline()))
    process.terminate()
    await cli.end(process)


async def test_what_is_watched_of_the_hardware_is_as_its_schema_says(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("hardware", "watch", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        validate("hardware watch", json.loads(await process.stdout.readline()))
    process.terminate()
    await cli.end(process)


async def test_what_a_provisioning_file_is_made_of_is_as_its_schemas_say(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    signer, file = str(tmp_path / "signer.pem"), str(tmp_path / "room.jws")
    words = {
        "provision signer": ("--out", signer),
        "provision sign": ("-", "--signer", signer, "--device", "CN-4711", "--out", file),
        "provision show": (file,),
        "provision apply": (file,),
    }
    assert tuple(words) == PROVISION
    for command, more in words.items():
        result = await cli(*command.split(), *more, "--json", stdin=b"join_countdown_s = 20\n")
        validate(command, result.json)


async def test_a_record_of_a_meeting_has_a_schema_in_each_of_its_forms(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    room.audit_token = RECORD
    for more in (("--list",), ("--out", str(tmp_path / "record.jws"))):
        validate("meeting audit", (await cli("meeting", "audit", *more, "--json")).json)


async def test_an_error_is_as_its_schema_says(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.CONFIG, CONFIG)
    validate("error", (await cli("config", "get", "colour", "--json")).json)
    validate("error", (await cli("colour", "--json")).json)


def test_a_schema_refuses_what_is_not_so() -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate("time", {"schema": 2, "clock": {}})
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate("time", {"schema": 1, "clock": {}, "more": 1})


PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_manual_page_is_set_without_a_warning(name: str) -> None:
    words = ["groff", "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou"]
    done = subprocess.run(words, input=PAGES[name], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert "NAME" in done.stdout


@pytest.mark.parametrize("words", [words for words, _ in walk()], ids="-".join)
def test_each_command_and_option_is_in_a_manual_page(words: tuple[str, ...]) -> None:
    page = PAGES[f"{'-'.join(('conclavectl', *words[:1]))}.1"].replace("\\-", "-")
    command = next(command for each, command in walk() if each == words)
    assert f".B {' '.join(('conclavectl', *words))} " in page
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert max(parameter.opts, key=len) in page


def test_no_help_is_wider_than_a_terminal() -> None:
    wide: list[str] = []

    def look(command: click.Command, context: click.Context) -> None:
        wide.extend(line for line in command.get_help(context).splitlines() if len(line) > 80)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                look(found, click.Context(found, info_name=name, parent=context))

    look(root, click.Context(root, info_name="conclavectl"))
    assert wide == []


def test_the_exit_codes_are_in_the_manual() -> None:
    page = PAGES["conclavectl.1"]
    assert re.search(r"^ *8  the room is busy", page, re.M)
    assert root.help is not None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_completion(shell: str) -> None:
    def ask(what: str, **more: str) -> str:
        environment = {**os.environ, "_CONCLAVECTL_COMPLETE": f"{shell}_{what}", **more}
        return subprocess.run(
            [str(PROGRAM)], env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert "_CONCLAVECTL_COMPLETE" in ask("source")
    given = {"COMP_WORDS": "conclavectl config ro", "COMP_CWORD": "ro" if shell == "fish" else "2"}
    assert "rollback" in ask("complete", **given)
    assert "status" not in ask("complete", **given)


def test_bash_completes_by_the_line_that_help_gives() -> None:
    script = (
        'eval "$(_CONCLAVECTL_COMPLETE=bash_source conclavectl)";'
        " COMP_WORDS=(conclavectl trust cr); COMP_CWORD=2;"
        ' _conclavectl_completion conclavectl; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    words = ["bash", "--norc", "-c", script]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["crl"]
