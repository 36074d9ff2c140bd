"""What a daemon starts with where the admin's settings are damaged."""

from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.access.access_config import AccessConfig
from conclaved.service.config import Config
from conclaved.service.configuring import Configuring
from conclaved.service.kept_settings import kept_settings
from conclaved.service.provisioning_config import ProvisioningConfig
from conclaved.service.settings import Settings, SettingsFile, parse
from conclaved.service.settings.settings_file import DAMAGED, PRESENT, PREVIOUS
from tests.service.rooms import running_room

ONE = parse("join_countdown_s = 11")
TWO = parse("join_countdown_s = 12")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@example"


def damaged(folder: Path, *names: str) -> SettingsFile:
    file = SettingsFile(folder)
    file.save(TWO, 5, ONE)
    for name in names:
        (folder / name).write_bytes(b"[")
    return file


def test_whole_settings_are_in_force_without_a_word(tmp_path: Path) -> None:
    found = kept_settings(damaged(tmp_path), Config(state_directory=tmp_path))
    assert (found.settings, found.generation, found.previous, found.problem) == (TWO, 5, ONE, "")


def test_those_before_the_last_change_stand_in(tmp_path: Path) -> None:
    found = kept_settings(damaged(tmp_path, PRESENT), Config(state_directory=tmp_path))
    assert found.settings == ONE
    assert "before the last change" in found.problem


def test_where_both_are_damaged_none_are_in_force_and_that_is_said(tmp_path: Path) -> None:
    found = kept_settings(damaged(tmp_path, PRESENT, PREVIOUS), Config(state_directory=tmp_path))
    assert found.settings == Settings()
    assert "no block, no rule" in found.problem
    assert found.generation > 0, "a device that had settings would take what its maker offers to a new one"


def test_what_was_damaged_is_kept_for_whoever_can_read_it(tmp_path: Path) -> None:
    kept_settings(damaged(tmp_path, PRESENT), Config(state_directory=tmp_path))
    assert (tmp_path / DAMAGED).read_bytes() == b"["
    assert (tmp_path / PRESENT).read_bytes() == b"[", "a second start would take it for no settings"


def test_settings_before_the_present_that_are_damaged_cost_the_way_back_alone(tmp_path: Path) -> None:
    found = kept_settings(damaged(tmp_path, PREVIOUS), Config(state_directory=tmp_path))
    assert (found.settings, found.previous, found.problem) == (TWO, None, "")


def test_a_disk_that_takes_nothing_does_not_keep_the_daemon_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: SettingsFile, settings: Settings) -> None:
        raise OSError(30, "Read-only file system")

    file = damaged(tmp_path)
    monkeypatch.setattr(SettingsFile, "lay_out", refuse)
    found = kept_settings(file, Config(state_directory=tmp_path))
    assert found.settings == TWO
    assert "Read-only file system" in found.problem


def test_the_trouble_ends_when_an_admin_sets_something(tmp_path: Path) -> None:
    device = Config(state_directory=tmp_path, access=AccessConfig(keys=(KEY,)))
    settings = Configuring(device, damaged(tmp_path, PRESENT), lambda before, after: None)
    assert settings.problem
    settings.set({"join_countdown_s": "11"})
    assert settings.problem == ""
    assert SettingsFile(tmp_path).load()[0] == ONE


def test_the_last_way_in_is_not_taken_away_by_mending_something_else(tmp_path: Path) -> None:
    settings = Configuring(Config(), damaged(tmp_path, PRESENT), lambda before, after: None)
    with pytest.raises(RoomError) as caught:
        settings.set({"join_countdown_s": "11"})
    assert caught.value.kind is RoomErrorKind.REFUSED


async def test_the_room_runs_and_says_so_in_its_status_and_on_its_panel(tmp_path: Path) -> None:
    async with running_room(tmp_path):
        pass
    (tmp_path / "state" / PRESENT).write_bytes(b"[")
    async with running_room(tmp_path, domain="", provisioning=ProvisioningConfig()) as here:
        assert any("settings cannot be read" in line for line in here.room.device().problems)
        assert any("settings are damaged" in notice for notice in (await here.panel()).notices)


async def test_who_could_log_in_before_still_can(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.set_config({"access.keys": KEY})
    keys = sorted((tmp_path / "state/access").iterdir())
    before = [path.read_bytes() for path in keys]
    assert any(b"AAAAC3" in content for content in before)
    for name in (PRESENT, PREVIOUS):
        (tmp_path / "state" / name).write_bytes(b"[")
    async with running_room(tmp_path, domain="", provisioning=ProvisioningConfig()):
        assert [path.read_bytes() for path in keys] == before
