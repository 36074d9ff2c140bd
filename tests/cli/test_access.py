"""`conclavectl access` against a room that only writes down what it is asked for."""

import json
from dataclasses import replace
from pathlib import Path

from conclaved.bus.room import SettingStatus, Topic
from tests.bus.fake_room import CONFIG, FakeRoom
from tests.cli.conftest import Cli
from tests.service.access.test_ssh_key import GOOD, TOKENS


def has(room: FakeRoom, **lists: tuple[str, ...]) -> None:
    """Let the room have these settings."""
    settings = tuple(
        SettingStatus(
            f"access.{name}",
            "a list of texts",
            json.dumps(list(items)),
            "[]",
            "admin",
            "at once",
            "",
            (),
            "",
            False,
        )
        for name, items in lists.items()
    )
    room.set(Topic.CONFIG, replace(CONFIG, generation=7, settings=settings))


async def test_a_key_is_added_to_those_there_are(room: FakeRoom, cli: Cli) -> None:
    has(room, keys=(GOOD,))
    assert (await cli("access", "add", "-", stdin=f"# ours\n{TOKENS[0]}\n".encode())).code == 0
    ((verb, document, is_replace, more),) = room.done
    assert (verb, is_replace, more) == ("apply_config", False, {"generation": 7, "may_lock_out": False})
    assert document == f"[access]\nkeys = {json.dumps([GOOD, TOKENS[0]])}\n"


async def test_a_private_key_never_reaches_the_room(room: FakeRoom, cli: Cli) -> None:
    result = await cli("access", "add", "-", stdin=b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    assert result.code == 2
    assert "holds a private key; give the public one, FILE.pub" in result.err
    assert room.done == []


async def test_a_file_without_keys_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.pub").write_text("# nothing\n")
    result = await cli("access", "add", str(tmp_path / "empty.pub"))
    assert result.code == 2
    assert "holds no public keys" in result.err


async def test_yes_may_lock_out(room: FakeRoom, cli: Cli) -> None:
    has(room, keys=(GOOD,))
    assert (await cli("access", "remove", "ana", "--yes")).code == 0
    assert room.done == [
        (
            "apply_config",
            "[access]\nkeys = []\n",
            False,
            {"generation": 7, "may_lock_out": True},
        )
    ]


async def test_a_mistyped_key_changes_nothing_and_is_told(room: FakeRoom, cli: Cli) -> None:
    has(room, keys=(GOOD,))
    assert (await cli("access", "remove", "anna", "--json")).json["changed"] is False
    assert (
        "'anna' is no key that may log in: nothing to change" in (await cli("access", "remove", "anna")).out
    )
    assert room.done == []


async def test_the_list_as_json(room: FakeRoom, cli: Cli) -> None:
    has(room, keys=(GOOD,), authorities=(TOKENS[0],), principals=("room-admin",))
    found = (await cli("access", "list", "--json")).json
    assert [key["comment"] for key in found["keys"]] == ["ana"]
    assert found["authorities"][0]["kind"] == "sk-ssh-ed25519@openssh.com"
    assert found["keys"][0]["fingerprint"].startswith("SHA256:")
    assert found["principals"] == ["room-admin"]


async def test_without_a_key_it_says_how_to_add_one(room: FakeRoom, cli: Cli) -> None:
    has(room, keys=())
    assert "conclavectl access add FILE" in (await cli("access", "list")).out
