"""A factory reset: meant by whoever asks, complete, and ended at the next start if it was cut short."""

import os
from pathlib import Path
from typing import Any

import pytest

from conclaved.bus.room import EnrollmentRequest, PolicyChange, RoomError, RoomErrorKind
from conclaved.identity.atomic_file import write_atomically
from conclaved.service.factory_reset import KEPT, MARK, FactoryReset
from tests.crl import crl_of
from tests.service.rooms import PUBLIC_CA, running_room


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_all_that_the_room_keeps_is_erased_but_the_last_time_and_that_it_was_opened(
    tmp_path: Path,
) -> None:
    async with running_room(tmp_path) as here:
        await here.room.set_policy(PolicyChange(minimum_level="locked"))
        await here.room.add_crl(crl_of(PUBLIC_CA))
        for name in (
            "audit/20310501T090000Z-4711aaaa.jws",
            "acme/account.json",
            "terms/x.terms",
            "last-seen-time",
            "tampered.json",
        ):
            (tmp_path / "state" / name).parent.mkdir(exist_ok=True)
            write_atomically(tmp_path / "state" / name, b"x")
        write_atomically(tmp_path / "run/meeting.json", b"x")
        report = await here.room.factory_reset("room.example.com")
        assert {"state.identity", "state.settings.toml", "state.crls", "state.audit", "state.acme"} <= {
            change.key for change in report.changes
        }
        assert contents(tmp_path / "state") == {"last-seen-time", "tampered.json", MARK}
        assert contents(tmp_path / "run") == set()
        assert here.keys.info.fingerprint == ""
        await here.room.was_reset.wait()


async def test_nothing_that_is_written_after_it_survives_a_power_cut(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.factory_reset("room.example.com")
        await here.room.set_policy(PolicyChange(minimum_level="locked"))
        assert FactoryReset(tmp_path / "state", tmp_path / "run").is_unfinished


async def test_no_enrollment_begins_once_it_has_begun(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.factory_reset("room.example.com")
        with pytest.raises(RoomError) as caught:
            await here.room.enroll(EnrollmentRequest("new.example.com"))
        assert caught.value.kind is RoomErrorKind.BUSY
        assert here.keys.info.fingerprint == ""


async def test_it_is_not_done_for_whoever_does_not_name_the_room(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        before = contents(tmp_path)
        for word in ("", "yes", "other.example.com"):
            with pytest.raises(RoomError) as caught:
                await here.room.factory_reset(word)
            assert caught.value.kind is RoomErrorKind.INVALID_ARGUMENT
            assert "room.example.com" in caught.value.hint
        assert contents(tmp_path) == before
        assert not here.room.was_reset.is_set()


async def test_the_serial_number_names_a_room_too_and_a_dry_run_erases_nothing(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        before = contents(tmp_path)
        assert (await here.room.factory_reset(here.room.device().serial, dry_run=True)).changed
        assert contents(tmp_path) == before


def test_a_reset_that_was_cut_short_is_seen_and_ended(tmp_path: Path) -> None:
    state, runtime = tmp_path / "state", tmp_path / "run"
    (state / "audit").mkdir(parents=True)
    runtime.mkdir()
    (state / "settings.toml").write_text("x")
    reset = FactoryReset(state, runtime)
    assert not reset.is_unfinished
    reset.begin()
    assert FactoryReset(state, runtime).is_unfinished
    reset.finish()
    assert contents(tmp_path) == set()
    assert not reset.is_unfinished


def test_what_is_written_into_a_folder_while_it_is_emptied_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    (state / "acme").mkdir(parents=True)
    (state / "acme/account.json").write_text("x")
    real, is_written = os.rmdir, False

    def rmdir(path: Any, *arguments: Any, **options: Any) -> None:
        nonlocal is_written
        if not is_written:
            is_written = True
            (state / "acme/renewal.json").write_text("x")
        real(path, *arguments, **options)

    monkeypatch.setattr(os, "rmdir", rmdir)
    FactoryReset(state, tmp_path / "run").erase()
    assert is_written
    assert list(state.iterdir()) == []


def test_a_link_is_removed_and_what_it_leads_to_is_not(tmp_path: Path) -> None:
    state, outside = tmp_path / "state", tmp_path / "outside"
    state.mkdir()
    outside.mkdir()
    (outside / "file").write_text("x")
    (state / "link").symlink_to(outside)
    FactoryReset(state, tmp_path / "run").finish()
    assert contents(outside) == {"file"}
    assert list(state.iterdir()) == []


def test_the_mark_survives_until_the_last() -> None:
    assert MARK in KEPT
