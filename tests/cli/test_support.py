"""Logs and the support bundle: what a supporter needs, without a secret, wherever one was planted."""

import asyncio
import io
import json
import stat
import tarfile
from pathlib import Path
from unittest.mock import ANY

from conclaved.bus import serve
from conclaved.bus.room import LogEntry, LogQuery, RoomError, RoomErrorKind, Topic
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import CODE, IN_MEETING, INVITATION, LINK, FakeRoom
from tests.cli.conftest import DEADLINE_S, Cli
from tests.journal import line, make_journal
from tests.service.rooms import running_room

PARTS = [
    "README",
    "doctor.json",
    "logs.jsonl",
    "missing.json",
    "settings.json",
    "settings.toml",
    "status.json",
]


def parts_of(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {}
        for entry in tar:
            file = tar.extractfile(entry)
            assert file is not None
            found[entry.name.partition("/")[2]] = file.read().decode()
        return found


async def streamed(cli: Cli) -> tuple[dict[str, str], str]:
    process = await cli.start("support-bundle")
    async with asyncio.timeout(DEADLINE_S):
        content, words = await process.communicate()
    assert process.returncode == 0, words
    return parts_of(content), words.decode()


async def test_the_log_is_shown_with_its_controls_made_visible(room: FakeRoom, cli: Cli) -> None:
    out = (await cli("logs", "--since", "-1h", "--lines", "5", "--changes")).out
    assert out.splitlines() == [
        "2023-11-14 22:13:20  conclaved   enrolled room.example.com",
        "2023-11-14 22:13:21  conclaved   a name: \\u001b[2J",
    ]
    assert room.done == [("logs", LogQuery(since="-1h", lines=5, changes_only=True))]


async def test_the_end_of_a_long_line_of_the_log_is_shown(room: FakeRoom, cli: Cli) -> None:
    room.log = (LogEntry(0.5, "conclaved.service", 5, f"{'x' * 900} access.keys.mallory"),)
    assert (await cli("logs", "--changes")).out.endswith("x access.keys.mallory\n")


async def test_the_log_is_one_object(room: FakeRoom, cli: Cli) -> None:
    (first, _) = (await cli("logs", "--json")).json["entries"]
    assert (first["unit"], first["priority"], first["time"]) == ("conclaved.service", 6, 1_700_000_000.5)


async def test_the_log_is_followed_from_where_it_ended(room: FakeRoom, cli: Cli) -> None:
    process = await cli.start("logs", "--follow", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
        while len(room.done) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    process.terminate()
    await cli.end(process)
    assert [entry["entry"]["priority"] for entry in lines] == [6, 3]
    assert room.done[1] == ("logs", LogQuery(after="s=1;i=2"))


async def test_a_bundle_is_written_for_this_user_alone(room: FakeRoom, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "room.tar.gz"
    answer = (await cli("support-bundle", "--out", str(path), "--json")).json
    assert answer == {
        "schema": 1,
        "ok": True,
        "file": str(path),
        "bytes": ANY,
        "parts": sorted([*PARTS, "versions.json"]),
        "missing": {},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = parts_of(path.read_bytes())
    assert json.loads(found["versions.json"]) == {"conclave": "0.1.0", "kernel": "Linux"}
    assert "conclavectl doctor --json" in found["README"]


async def test_what_cannot_be_had_is_named_and_the_rest_is_there(room: FakeRoom, cli: Cli) -> None:
    room.error = RoomError(RoomErrorKind.FAILED, "no journal here")
    found, _ = await streamed(cli)
    assert json.loads(found["missing.json"])["logs.jsonl"] == "no journal here"
    assert "status.json" in found


async def test_a_bundle_is_no_json(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("support-bundle", "--json")).code == 2


async def test_the_code_of_a_meeting_is_not_in_a_bundle(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    found, words = await streamed(cli)
    assert CODE not in "".join(found.values()) + words
    assert "guest.provider.example" in found["status.json"]


async def test_no_planted_secret_is_in_a_real_rooms_bundle(bus: PrivateBus, cli: Cli, tmp_path: Path) -> None:
    secrets = {
        "key": "MHcCAQEEplantedkeyplantedkeyplantedkeyplantedkey",
        "account": "plantedaccountkeyplantedaccountkeyplantedaccount",
        "eab": "plantedmacplantedmacplantedmacplantedmac",
        "pin": "planted-pin-4711",
        "link": LINK.partition("#")[2],
        "invitation": INVITATION.rpartition(".")[2],
    }
    pem = f"-----BEGIN PRIVATE KEY-----\n{secrets['key']}\n-----END PRIVATE KEY-----"
    make_journal(
        tmp_path / "journal",
        [
            line("enrolled room.example.com"),
            line(f"joining {LINK}"),
            line(f"read {pem}"),
            line(f"invitation {INVITATION}"),
            line(f"pin={secrets['pin']} eab_mac_key: {secrets['eab']}"),
        ],
    )
    async with running_room(tmp_path) as here:
        state = tmp_path / "state"
        (state / "acme").mkdir()
        (state / "acme/account.json").write_text(json.dumps({"key": secrets["account"]}))
        (state / "identity/planted.key").write_text(pem)
        (state / "identity/pin").write_text(secrets["pin"])
        await here.room.set_config({"acme.email": "it@example.com", "acme.eab_mac_key": secrets["eab"]})
        await here.room.set_config({"acme.eab_key_id": "kid-1"})
        async with serve(here.room, address=bus.address):
            found, words = await streamed(cli)
    text = "".join(found.values()) + words
    assert {name for name, secret in secrets.items() if secret in text} == set()
    assert "enrolled room.example.com" in found["logs.jsonl"]
    assert 'email = "it@example.com"' in found["settings.toml"]
    assert json.loads(found["missing.json"]) == {}
