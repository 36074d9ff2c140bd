"""Admins manage who may log in, over SSH itself: a real room, whose files a real sshd reads."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from conclaved.bus import serve
from tests.bus.bus import PrivateBus
from tests.service.rooms import running_room
from tests.shell.sshd import Sshd, make_key


@pytest_asyncio.fixture(loop_scope="function")
async def sshd(bus: PrivateBus, tmp_path: Path) -> AsyncIterator[Sshd]:
    """A room whose only way in is one admin's key."""
    async with (
        running_room(tmp_path) as running,
        serve(running.room, address=bus.address),
        Sshd(tmp_path, bus.address, access=tmp_path / "state/access") as server,
    ):
        line = public(server.admin)
        await running.room.apply_config(f"[access]\nkeys = [{json.dumps(line)}]\n")
        yield server


def public(key: Path) -> str:
    return Path(f"{key}.pub").read_text().strip()


async def test_a_key_that_is_added_lets_in_at_once(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ben")
    assert (await sshd.ssh("status", key=key))[0] == 255
    code, out, err = await sshd.ssh("access add - --json", stdin=public(key).encode())
    assert (code, err) == (0, "")
    assert json.loads(out)["changed"] is True
    assert (await sshd.ssh("policy show", key=key))[0] == 0


async def test_a_key_that_is_removed_lets_in_no_longer(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ben")
    await sshd.ssh("access add -", stdin=public(key).encode())
    code, out, _ = await sshd.ssh("access remove ben")
    assert code == 0
    assert "may log in no longer: SHA256:" in out
    code, _, err = await sshd.ssh("policy show", key=key)
    assert code == 255
    assert "Permission denied" in err


async def test_an_authority_lets_in_whom_it_certifies(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ben")
    await sshd.certify(key, principals="ben@example.com")
    await sshd.ssh("access add - --authority", stdin=public(sshd.authority).encode())
    assert (await sshd.ssh("policy show", key=key))[0] == 255
    await sshd.ssh("access principals room-admin ben@example.com")
    assert (await sshd.ssh("policy show", key=key))[0] == 0


async def test_the_key_of_this_session_is_not_removed_unawares(sshd: Sshd) -> None:
    code, _, err = await sshd.ssh("access remove admin")
    assert code == 5
    assert (
        "this is the key that you came in with; if that is meant: conclavectl access remove admin --yes"
        in err
    )
    assert (await sshd.ssh("policy show"))[0] == 0


async def test_the_last_key_goes_only_where_that_is_said(sshd: Sshd) -> None:
    code, _, _ = await sshd.ssh("access remove admin --yes")
    assert code == 0
    assert (await sshd.ssh("policy show"))[0] == 255


async def test_the_list_shows_which_key_one_came_in_with(sshd: Sshd) -> None:
    code, out, _ = await sshd.ssh("access list")
    assert code == 0
    assert "admin (this session)  ssh-ed25519  SHA256:" in out


async def test_a_key_with_options_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    key = await make_key(tmp_path / "ben")
    code, _, err = await sshd.ssh("access add -", stdin=b'command="/bin/sh" ' + public(key).encode())
    assert code == 2
    assert "without options" in err


async def test_adding_a_key_again_changes_nothing(sshd: Sshd) -> None:
    code, out, _ = await sshd.ssh("access add - --json", stdin=public(sshd.admin).encode())
    assert code == 0
    assert json.loads(out)["changed"] is False
