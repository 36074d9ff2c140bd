"""Whoever lost their access does nothing more in a session that is still open."""

from pathlib import Path

import pytest

from conclaved.service.access import AccessConfig, EndedSessions, parse_key
from tests.service.access.test_ssh_key import GOOD, TOKENS
from tests.service.rooms import running_room

KEY, OTHER = parse_key(GOOD), parse_key(TOKENS[0])
BY_KEY = f"ssh admin from 192.0.2.1 key {KEY.fingerprint}"
NAME = f"x of CA {OTHER.fingerprint} key {OTHER.fingerprint}"
BY_CERTIFICATE = (
    f'ssh admin from 192.0.2.1 certificate "{NAME}" serial 1 of CA {KEY.fingerprint} key SHA256:abc'
)
NOBODY = AccessConfig()


@pytest.mark.parametrize(
    ("access", "origin"),
    [
        (AccessConfig(keys=(KEY.line,)), BY_KEY),
        (AccessConfig(authorities=(KEY.line,)), BY_CERTIFICATE),
    ],
    ids=["key", "authority"],
)
def test_a_session_ends_with_what_it_came_by(access: AccessConfig, origin: str) -> None:
    ended = EndedSessions()
    ended.changed(NOBODY, access)
    assert not ended.includes(origin)
    ended.changed(access, NOBODY)
    assert ended.includes(origin)
    ended.changed(NOBODY, access)
    assert not ended.includes(origin)


@pytest.mark.parametrize(
    "origin",
    ["", "console root", f"ssh admin from 192.0.2.1 key {OTHER.fingerprint}", "ssh admin from 192.0.2.1"],
)
def test_others_go_on(origin: str) -> None:
    ended = EndedSessions()
    ended.changed(AccessConfig(keys=(KEY.line,), authorities=(KEY.line,)), NOBODY)
    assert not ended.includes(origin)


def test_a_certificate_does_not_end_with_a_key_that_its_name_names() -> None:
    ended = EndedSessions()
    ended.changed(AccessConfig(keys=(OTHER.line,), authorities=(OTHER.line,)), NOBODY)
    assert not ended.includes(BY_CERTIFICATE)


async def test_a_restart_gives_nobody_their_access_back(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.set_config({"access.keys": f"{KEY.line},{OTHER.line}"})
        await here.room.set_config({"access.keys": OTHER.line})
        assert here.room.has_ended(BY_KEY)
    async with running_room(tmp_path) as here:
        assert here.room.has_ended(BY_KEY)
