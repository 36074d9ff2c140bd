"""`enroll-for`: this machine writes the zone and speaks with the CA, the room keeps its key."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclave_provisioning.cli.enroll_for import read_room
from conclave_provisioning.cli.errors import CommandError
from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.pebble import Pebble
from tests.service.rooms import TestRoom, running_room
from tests.shell.sshd import USER, Sshd, run_program

PROGRAM = str(Path(sys.executable).parent / "conclavectl")
DOMAIN = "room.example.com"


@pytest.fixture
async def behind_a_firewall(bus: PrivateBus, tmp_path: Path) -> AsyncIterator[TestRoom]:
    """A room without a certificate, whose only way in is SSH."""
    async with running_room(tmp_path / "room", domain="") as room, serve(room.room, address=bus.address):
        yield room


@pytest.fixture
async def door(bus: PrivateBus, tmp_path: Path) -> AsyncIterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    async with Sshd(tmp_path / "sshd", bus.address) as server:
        yield server


@pytest.fixture
async def ca(tmp_path: Path) -> AsyncIterator[Pebble]:
    async with Pebble(tmp_path / "pebble") as running:
        yield running


async def enroll_for(door: Sshd, ca: Pebble, home: Path, *words: str) -> tuple[int, str, str]:
    options = [
        word
        for option in (
            f"IdentityFile={door.admin}",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
        )
        for word in ("--ssh-option", option)
    ]
    return await run_program(
        PROGRAM, "enroll-for", f"ssh://{USER}@127.0.0.1:{door.port}", *options,
        "--directory", ca.directory_url, "--ca-file", str(ca.ca_file), "--dns-hook", str(ca.dns_hook),
        "--agree-terms", *words,
        env={**os.environ, "XDG_STATE_HOME": str(home), "NO_COLOR": "1"},
    )  # fmt: skip


async def test_a_room_that_no_ca_can_reach_is_enrolled_by_one_command(
    behind_a_firewall: TestRoom, door: Sshd, ca: Pebble, tmp_path: Path
) -> None:
    code, out, err = await enroll_for(door, ca, tmp_path / "laptop", DOMAIN)
    assert code == 0, err
    assert f"enrolled {DOMAIN}" in out
    identity = behind_a_firewall.room.identity()
    assert (identity.state, identity.domain) == ("enrolled", DOMAIN)
    assert identity.issuer.startswith("CN=Pebble Intermediate CA")
    # The room's key stayed where it was made: nothing of this machine's holds one but the CA's account.
    kept = {path.name for path in (tmp_path / "laptop").rglob("*") if path.is_file()}
    assert kept == {"account.key", "account.json"}


async def test_a_refusal_of_the_cas_leaves_the_room_as_it_was_and_has_its_exit_code(
    behind_a_firewall: TestRoom, door: Sshd, ca: Pebble, tmp_path: Path
) -> None:
    await ca.set_servfail(f"_acme-challenge.{DOMAIN}")
    code, _, err = await enroll_for(door, ca, tmp_path / "laptop", DOMAIN)
    assert code in (11, 12)
    assert err.count("\n") >= 1
    assert behind_a_firewall.room.identity().state == "none"


async def test_a_room_that_is_not_there_is_unreachable(door: Sshd, ca: Pebble, tmp_path: Path) -> None:
    await door.__aexit__(None, None, None)
    code, _, err = await enroll_for(door, ca, tmp_path / "laptop", DOMAIN)
    assert code == 6
    assert "127.0.0.1" in err


async def test_what_is_lacking_is_told_as_an_option_of_this_machine(tmp_path: Path) -> None:
    home = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    words = (PROGRAM, "enroll-for", "ssh://admin@room.invalid", DOMAIN)
    code, _, err = await run_program(*words, env=home)
    assert (code, "then: add --agree-terms" in err) == (2, True), err
    code, _, err = await run_program(*words, "--agree-terms", env=home)
    assert (code, "give --dns-hook FILE, or --dns-update SERVER" in err) == (2, True), err


async def test_in_the_admins_shell_there_is_no_such_command(door: Sshd, behind_a_firewall: TestRoom) -> None:
    code, _, err = await door.ssh(f"enroll-for ssh://other.example.com {DOMAIN} --agree-terms")
    assert code == 3
    assert "your own machine" in err


@pytest.mark.parametrize(
    "text",
    [
        "room.example.com",
        "https://room.example.com",
        "ssh://-oProxyCommand=id",
        "ssh://admin@-oProxyCommand=id",
        "ssh://-l@room.example.com",
        "ssh://admin:password@room.example.com",
        "ssh://room.example.com/path",
        "ssh://room.example.com:port",
        "ssh://a b@room.example.com",
        "ssh://",
    ],
)
def test_what_is_no_room_is_never_handed_to_ssh(text: str) -> None:
    with pytest.raises(CommandError):
        read_room(text)


def test_no_word_of_a_room_can_be_taken_for_an_option() -> None:
    command = read_room("ssh://admin@room.example.com:2222").command(["status"])
    assert command == ["ssh", "-T", "-p", "2222", "--", "admin@room.example.com", "status"]
