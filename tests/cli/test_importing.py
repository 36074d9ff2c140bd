"""`identity csr`, `import-chain`, `import-key`, `set-domain`: what the room is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind, Topic
from tests.bus.fake_room import ENROLLED, FakeRoom
from tests.cli.conftest import Cli


async def test_a_request_goes_to_stdout_as_it_is(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "csr", "room.example.com", "--new-key")
    assert (result.code, result.out) == (0, "request\n")
    assert room.done == [("request_certificate", "room.example.com", True)]
    assert (await cli("identity", "csr", "--json")).json["csr"] == "request"


async def test_a_chain_is_taken_from_stdin(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "import-chain", "-", "--domain", "room.example.com", stdin=b"chain")
    assert result.code == 0
    assert room.done == [("import_chain", "chain", "room.example.com")]


async def test_a_dry_run_says_so(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "import-chain", "-", "--dry-run", "--json", stdin=b"chain")
    assert result.json["dry_run"] is True


async def test_a_key_comes_from_a_file_and_its_secret_from_stdin(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "room.p12").write_bytes(b"\x30\x00wrapped")
    path = str(tmp_path / "room.p12")
    result = await cli("identity", "import-key", path, "--secret-stdin", stdin=b"secret words\n")
    assert result.code == 0
    assert room.done == [("import_key", b"\x30\x00wrapped", b"secret words", "")]


async def test_secret_and_key_may_come_by_one_stream(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "import-key", "-", "--secret-stdin", stdin=b"secret\n\x30\n\x00wrapped")
    assert result.code == 0
    assert room.done == [("import_key", b"\x30\n\x00wrapped", b"secret", "")]


async def test_without_a_terminal_and_a_word_about_it_no_secret_is_read(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "import-key", "-", stdin=b"secret\nwrapped")
    assert result.code == 2
    assert "--secret-stdin" in result.err
    assert not room.done


async def test_a_refusal_is_one_line_and_its_exit_code(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.INVALID_ARGUMENT, "it is for another key", hint="ask for another")
    result = await cli("identity", "import-chain", "-", stdin=b"chain")
    assert (result.code, result.err) == (2, "conclavectl: it is for another key; ask for another\n")


async def test_set_domain_sets_what_it_names(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "set-domain", "room.example.com", "--challenge", "dns-01")
    assert result.code == 0
    assert room.done == [("set_config", {"identity.domain": "room.example.com", "acme.challenge": "dns-01"})]


async def test_set_domain_takes_no_wildcard(room: FakeRoom, cli: Cli) -> None:
    result = await cli("identity", "set-domain", "*.example.com")
    assert result.code == 2
    assert not room.done


@pytest.mark.parametrize(
    "words",
    [
        ("enroll", "new.example.com", "--new-key"),
        ("renew", "--force"),
        ("revoke",),
        ("account", "--roll-key"),
        ("account", "--deactivate"),
    ],
)
async def test_a_dry_run_of_what_the_ca_would_be_asked_asks_nobody(
    room: FakeRoom, cli: Cli, words: tuple[str, ...]
) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    answer = (await cli("identity", *words, "--dry-run", "--json")).json
    assert (answer["changed"], answer["dry_run"]) == (True, True)
    assert answer["changes"]
    assert not room.done


async def test_a_renewal_that_is_not_due_would_change_nothing(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    assert (await cli("identity", "renew", "--dry-run", "--json")).json["changed"] is False


@pytest.mark.parametrize("words", [("revoke",), ("account", "--deactivate")])
async def test_what_cannot_be_taken_back_is_not_done_where_nobody_can_be_asked(
    room: FakeRoom, cli: Cli, words: tuple[str, ...]
) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    result = await cli("identity", *words)
    assert (result.code, room.done) == (2, [])
    assert "nobody is here to confirm; add --yes" in result.err


@pytest.mark.parametrize(("protection", "is_changed"), [("none", True), ("sealed", False)])
async def test_the_first_request_of_a_room_would_make_its_key(
    room: FakeRoom, cli: Cli, protection: str, is_changed: bool
) -> None:
    room.set(Topic.IDENTITY, replace(ENROLLED, key_protection=protection))
    answer = (await cli("identity", "csr", "--dry-run", "--json")).json
    assert answer["changed"] is is_changed
    assert not room.done
