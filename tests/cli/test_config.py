"""Settings: what the room is asked for, and that dry runs, diffs and answers are alike everywhere."""

import tomllib
from pathlib import Path

import pytest

from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import PolicyChange
from tests.bus.fake_room import DOCUMENT, UNCHANGED, FakeRoom
from tests.cli.conftest import Cli
from tests.pki import TestAuthority

PEM = TestAuthority("Office CA").root_pem
CHANGES = [{"key": "join_countdown_s", "before": 10.0, "after": 20.0, "effect": "at once"}]
DIFF = ["- join_countdown_s = 10.0", "+ join_countdown_s = 20.0"]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "room.toml"
    path.write_text("join_countdown_s = 20\n")
    return path


async def test_all_settings_are_listed_with_who_gives_them(room: FakeRoom, cli: Cli) -> None:
    lines = (await cli("config", "get")).out.splitlines()
    assert lines[0].split() == ["setting", "value", "from"]
    assert ["conference.service", "wss://hub.example.com", "admin"] in [line.split() for line in lines]


async def test_one_settings_value_is_printed_alone(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("config", "get", "conference.service")).out == "wss://hub.example.com\n"


async def test_the_settings_of_a_table_are_listed(room: FakeRoom, cli: Cli) -> None:
    found = (await cli("config", "get", "policy", "--json")).json["settings"]
    assert [(s["key"], s["value"], s["source"]) for s in found] == [
        ("policy.minimum_level", "standard", "device")
    ]


async def test_a_setting_that_there_is_not_is_told(room: FakeRoom, cli: Cli) -> None:
    result = await cli("config", "get", "colour")
    assert result.code == 4
    assert "'colour' is no setting" in result.err
    assert "conclavectl config schema" in result.err


async def test_the_document_is_printed_as_apply_takes_it(room: FakeRoom, cli: Cli) -> None:
    assert tomllib.loads((await cli("config", "get", "--document")).out) == tomllib.loads(DOCUMENT)


async def test_settings_are_set_together(room: FakeRoom, cli: Cli) -> None:
    result = await cli("config", "set", "join_countdown_s", "20", "policy.minimum_level", "locked")
    assert room.done == [("set_config", {"join_countdown_s": "20", "policy.minimum_level": "locked"})]
    assert result.out.splitlines()[:2] == DIFF
    assert "conclavectl config rollback" in result.out


async def test_a_key_without_a_value_is_a_wrong_usage(room: FakeRoom, cli: Cli) -> None:
    result = await cli("config", "set", "join_countdown_s")
    assert (result.code, room.done) == (2, [])


async def test_a_secret_is_not_taken_from_the_command_line(room: FakeRoom, cli: Cli) -> None:
    result = await cli("config", "set", "acme.mac_key", "geheim")
    assert (result.code, room.done) == (2, [])
    assert "geheim" not in result.err
    assert "config set acme.mac_key - <" in result.err


async def test_a_secret_comes_by_stdin(room: FakeRoom, cli: Cli) -> None:
    await cli("config", "set", "acme.mac_key", "-", stdin=b"geheim\n")
    assert room.done == [("set_config", {"acme.mac_key": "geheim"})]


async def test_a_document_is_applied_from_stdin(room: FakeRoom, cli: Cli) -> None:
    await cli("config", "apply", "-", "--replace", stdin=b"join_countdown_s = 20\n")
    assert room.done == [("apply_config", "join_countdown_s = 20\n", True)]


async def test_a_difference_is_shown_and_nothing_is_changed(room: FakeRoom, cli: Cli, document: Path) -> None:
    assert (await cli("config", "diff", str(document))).out.splitlines() == DIFF
    assert room.done == [("apply_config", "join_countdown_s = 20\n", False, "dry run")]


async def test_no_difference_is_said(room: FakeRoom, cli: Cli, document: Path) -> None:
    room.report = UNCHANGED
    assert (await cli("config", "diff", str(document))).out == "no difference\n"


async def test_a_document_that_is_no_text_is_refused(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    result = await cli("config", "apply", str(tmp_path / "x"))
    assert (result.code, room.done) == (2, [])


async def test_the_schema_describes_each_setting_for_people_and_programs(room: FakeRoom, cli: Cli) -> None:
    printed = (await cli("config", "schema")).out
    assert "A number from 1 to 300." in printed
    assert "A change is felt at the next enrollment." in printed
    schema = (await cli("config", "schema", "--json")).json["json_schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["policy"]["properties"]["minimum_level"]["enum"] == ["standard", "locked"]
    assert schema["properties"]["join_countdown_s"]["type"] == "number"


def words_of_changes(file: str, pem: str) -> dict[str, tuple[tuple[str, ...], tuple[object, ...]]]:
    """Each verb that reports changes, and what the room is asked for."""
    return {
        "config set": (("join_countdown_s", "20"), ("set_config", {"join_countdown_s": "20"})),
        "config unset": (("join_countdown_s",), ("unset_config", ("join_countdown_s",))),
        "config apply": ((file,), ("apply_config", "join_countdown_s = 20\n", False)),
        "config rollback": ((), ("roll_back_config",)),
        "trust add": ((pem, "--label", "x", "--kind", "verified"), ("add_anchor", PEM, "x", "verified", ())),
        "trust remove": (("x",), ("remove_anchor", "x")),
        "trust block": (("x.example",), ("block", "x.example")),
        "trust unblock": (("x.example",), ("unblock", "x.example")),
        "trust crl add": ((file,), ("add_crl", b"join_countdown_s = 20\n")),
        "trust crl remove": (("office",), ("remove_crl", "office")),
        "policy set": (("--minimum-level", "locked"), ("set_policy", PolicyChange("locked"))),
    }


VERBS = sorted(words_of_changes("", ""))


@pytest.fixture
def verb(request: pytest.FixtureRequest, document: Path) -> tuple[tuple[str, ...], tuple[object, ...]]:
    pem = document.parent / "ca.pem"
    pem.write_text(PEM)
    words, asked = words_of_changes(str(document), str(pem))[request.param]
    return (*request.param.split(), *words), asked


@pytest.mark.parametrize("verb", VERBS, indirect=True)
async def test_each_verb_says_what_it_changed(
    room: FakeRoom, cli: Cli, verb: tuple[tuple[str, ...], tuple[object, ...]]
) -> None:
    words, asked = verb
    answer = (await cli(*words, "--json")).json
    assert (answer["ok"], answer["changed"], answer["dry_run"]) == (True, True, False)
    assert answer["changes"] == CHANGES
    assert room.done == [asked]


@pytest.mark.parametrize("verb", VERBS, indirect=True)
async def test_each_verb_can_be_tried_first(
    room: FakeRoom, cli: Cli, verb: tuple[tuple[str, ...], tuple[object, ...]]
) -> None:
    words, asked = verb
    result = await cli(*words, "--dry-run")
    assert result.code == 0
    assert result.out.splitlines() == [*DIFF, "dry run: nothing was changed"]
    assert room.done == [(*asked, "dry run")]


@pytest.mark.parametrize("verb", VERBS, indirect=True)
async def test_each_verb_may_be_said_again(
    room: FakeRoom, cli: Cli, verb: tuple[tuple[str, ...], tuple[object, ...]]
) -> None:
    room.report = UNCHANGED
    words, _ = verb
    result = await cli(*words)
    assert (result.code, "nothing to change" in result.out) == (0, True)
    assert (await cli(*words, "--json")).json["changed"] is False


async def test_what_is_blocked_is_listed_with_the_anchors(room: FakeRoom, cli: Cli) -> None:
    out = (await cli("trust", "list")).out
    assert "blocked name bad.example.com" in out
    assert f"blocked key {'ab' * 32}" in out


async def test_lists_of_revoked_certificates_are_shown_with_when_the_next_is_due(
    room: FakeRoom, cli: Cli
) -> None:
    assert (await cli("trust", "crl", "list")).out.splitlines()[1].split() == [
        *("office", "2", "2023-11-14", "2096-10-02", "7")
    ]
    assert (await cli("trust", "crl", "list", "--json")).json["crls"][0]["anchor"] == "office"


async def test_muting_what_is_muted_is_no_change(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("mute", "microphone", "--json")).json["changed"] is False
    assert (await cli("mute", "camera", "--dry-run", "--json")).json["changed"] is True
    assert room.done == [("mute", False, True)]


async def test_a_strangers_text_in_a_change_is_shown_harmlessly(room: FakeRoom, cli: Cli) -> None:
    room.report = ChangeReport(True, (Change("trust.anchors.\x1b[2J", "", '"\u202e"', "at once"),))
    assert "\x1b" not in (await cli("config", "rollback")).out
