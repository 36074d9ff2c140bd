"""The settings on the disk: 0600, the present ones and those before, and never half."""

import contextlib
import json
import stat
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError
from conclaved.service.config import Config
from conclaved.service.configuring import Configuring
from conclaved.service.settings import Settings, SettingsError, SettingsFile, document, parse
from conclaved.service.settings.document import CONTENTS
from conclaved.service.settings.settings_file import PRESENT, PREVIOUS

ONE = parse("join_countdown_s = 11")
TWO = parse("join_countdown_s = 12")


def test_no_file_is_no_settings(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path)
    assert (file.load(), file.previous()) == ((Settings(), 0), None)


def test_the_present_and_the_previous_are_read_back(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "new")
    file.save(TWO, 7, ONE)
    assert (file.load(), file.previous()) == ((TWO, 7), ONE)


def test_only_the_daemon_reads_them(tmp_path: Path) -> None:
    SettingsFile(tmp_path).save(TWO, 1, ONE)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (PRESENT, PREVIOUS)} == {0o600}


def test_settings_that_could_not_be_written_leave_the_present_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SettingsFile(tmp_path)
    file.save(ONE, 1, Settings())
    real = Path.replace

    def cut(path: Path, target: Path) -> Path:
        if target.name == PRESENT:
            raise OSError(5, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(OSError, match="Input"):
        file.save(TWO, 2, ONE)
    assert file.load() == (ONE, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [PREVIOUS, PRESENT]


@pytest.mark.parametrize(
    "content", [b"[", b"\xff", b"colour = 1", b'trust.blocked_names = ["*"]', b"generation = ["]
)
def test_a_damaged_file_is_never_no_settings(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PRESENT).write_bytes(content)
    with pytest.raises(SettingsError, match=PRESENT) as caught:
        SettingsFile(tmp_path).load()
    assert PREVIOUS in caught.value.hint


def test_a_file_that_a_person_wrote_without_a_generation_is_read(tmp_path: Path) -> None:
    (tmp_path / PRESENT).write_text("join_countdown_s = 12\n")
    assert SettingsFile(tmp_path).load() == (TWO, 0)


MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def contents(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in (folder / CONTENTS).iterdir())


def test_settings_that_are_a_files_content_are_laid_out_for_the_daemon_alone(tmp_path: Path) -> None:
    settings = parse(f'acme.eab_mac_key = "{MAC}"')
    SettingsFile(tmp_path).save(settings, 1, Settings())
    path = settings.over_config(Config(state_directory=tmp_path)).acme.eab_mac_file
    assert path is not None
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (MAC, 0o600)


def test_the_files_of_the_present_and_the_previous_settings_stay_and_no_others(tmp_path: Path) -> None:
    file, before = SettingsFile(tmp_path), Settings()
    for number, key in enumerate(("b25l", "dHdv", "dGhy")):
        after = parse(f'acme.eab_mac_key = "{key}"')
        file.save(after, number, before)
        before = after
    assert contents(tmp_path) == ["dGhy", "dHdv"]


def test_a_file_that_was_lost_is_laid_out_again(tmp_path: Path) -> None:
    settings = parse(f'acme.eab_mac_key = "{MAC}"')
    SettingsFile(tmp_path).save(settings, 1, Settings())
    for path in settings.files(tmp_path):
        path.unlink()
    Configuring(Config(state_directory=tmp_path), SettingsFile(tmp_path), lambda before, after: None)
    assert contents(tmp_path) == [MAC]


@pytest.mark.parametrize("cut_at", range(6))
def test_a_power_cut_at_any_write_leaves_the_old_settings_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    file = SettingsFile(tmp_path)
    before = parse(f'join_countdown_s = 11\nacme.eab_mac_key = "{MAC}"')
    after = parse('join_countdown_s = 12\nacme.eab_mac_key = "b25l"\nacme.dns_update.key = "dHdv"')
    file.save(before, 1, Settings())
    real, writes = Path.replace, iter(range(100))

    def cut(path: Path, target: Path) -> Path:
        if next(writes) == cut_at:
            raise OSError(5, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", cut)
    with contextlib.suppress(OSError):
        file.save(after, 2, before)
    found, _ = SettingsFile(tmp_path).load()
    assert found in (before, after)
    # What the settings in force name as a file is there, and whole.
    assert all(path.read_text() == content for path, content in found.files(tmp_path).items())


def test_a_text_with_the_words_of_the_first_line_is_read_back_whole(tmp_path: Path) -> None:
    settings = parse("acme.profile = " + json.dumps("a\ngeneration = 3\nb"))
    SettingsFile(tmp_path).save(settings, 3, Settings())
    assert SettingsFile(tmp_path).load() == (settings, 3)


def test_settings_that_would_be_too_long_to_be_read_again_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "LONGEST_DOCUMENT", 200)
    settings = Configuring(Config(), SettingsFile(tmp_path), lambda before, after: None)
    settings.set({"acme.profile": "a" * 150})
    with pytest.raises(RoomError, match="longer"):
        settings.set({"acme.preferred_chain": "b" * 150})
    assert SettingsFile(tmp_path).load() == (settings.settings, 1)


def test_an_old_content_that_cannot_be_removed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SettingsFile(tmp_path)
    file.save(parse(f'acme.eab_mac_key = "{MAC}"'), 1, Settings())

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    file.save(TWO, 2, ONE)
    assert file.load() == (TWO, 2)
