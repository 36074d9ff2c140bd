"""No change of settings takes away the admins' last way in unawares, whichever verb makes it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.access.access_config import AccessConfig
from conclaved.service.access.ssh_key import parse_key
from conclaved.service.config import Config
from conclaved.service.configuring import Configuring
from conclaved.service.settings import SettingsFile
from tests.service.access.test_ssh_key import GOOD, TOKENS
from tests.service.rooms import running_room

KEY = parse_key(GOOD).line


def document(**lists: tuple[str, ...]) -> str:
    return "[access]\n" + "".join(f"{name} = {json.dumps(list(items))}\n" for name, items in lists.items())


@pytest.fixture
def settings(tmp_path: Path) -> Configuring:
    found = Configuring(Config(), SettingsFile(tmp_path), lambda before, after: None)
    found.apply(document(keys=(KEY,)))
    return found


TAKING_AWAY: dict[str, Callable[[Configuring], ChangeReport]] = {
    "apply": lambda settings: settings.apply(document(keys=())),
    "replace": lambda settings: settings.apply("join_countdown_s = 20", replace=True),
    "set": lambda settings: settings.set({"access.keys": ""}),
    "unset": lambda settings: settings.unset(("access.keys",)),
    "roll back": lambda settings: settings.roll_back(),
    "dry run": lambda settings: settings.apply(document(keys=()), dry_run=True),
}


@pytest.mark.parametrize("verb", TAKING_AWAY)
def test_the_last_way_in_is_kept(settings: Configuring, verb: str) -> None:
    with pytest.raises(RoomError) as caught:
        TAKING_AWAY[verb](settings)
    assert caught.value.kind is RoomErrorKind.REFUSED
    assert caught.value.hint.endswith("conclavectl access remove KEY --yes")
    assert settings.config.access.keys == (KEY,)


def test_it_goes_where_that_is_said(settings: Configuring) -> None:
    assert settings.apply(document(keys=()), may_lock_out=True).changed
    assert not settings.config.access.lets_anybody_in


def test_one_of_two_goes_without_ado(settings: Configuring) -> None:
    settings.apply(document(authorities=(TOKENS[0],)))
    assert settings.apply(document(keys=())).changed


def test_a_device_maker_may_give_the_first_key(tmp_path: Path) -> None:
    device = Config(access=AccessConfig(keys=(KEY,)))
    settings = Configuring(device, SettingsFile(tmp_path), lambda before, after: None)
    assert settings.config.access.lets_anybody_in
    settings.apply(document(keys=(TOKENS[0],)))
    assert [parse_key(line).line for line in settings.config.access.keys] == [TOKENS[0]]


def test_a_change_names_each_key_by_its_fingerprint(settings: Configuring) -> None:
    report = settings.apply(document(keys=(TOKENS[0],)))
    assert [(c.key, c.before, c.after) for c in report.changes] == [
        (f"access.keys.{parse_key(KEY).fingerprint}", '"ssh-ed25519 ana"', ""),
        (f"access.keys.{parse_key(TOKENS[0]).fingerprint}", "", '"sk-ssh-ed25519@openssh.com ana"'),
    ]


def test_settings_that_have_changed_meanwhile_are_not_overwritten(settings: Configuring) -> None:
    seen = settings.status().generation
    settings.set({"join_countdown_s": "20"})
    with pytest.raises(RoomError) as caught:
        settings.apply(document(keys=(TOKENS[0],)), generation=seen)
    assert caught.value.kind is RoomErrorKind.BUSY


def test_a_refusal_says_what_is_wrong_with_a_key(settings: Configuring) -> None:
    with pytest.raises(RoomError, match=r"access\.keys: a line begins with the kind of a key"):
        settings.apply(document(keys=(f"restrict {GOOD}",)))


async def test_a_room_writes_what_sshd_reads_at_each_change_and_start(tmp_path: Path) -> None:
    file = tmp_path / "state/access/authorized_keys"
    async with running_room(tmp_path) as running:
        assert file.read_text() == ""
        await running.room.apply_config(document(keys=(KEY,)))
        assert file.read_text() == f"{KEY}\n"
    file.unlink()
    async with running_room(tmp_path):
        assert file.read_text() == f"{KEY}\n"
