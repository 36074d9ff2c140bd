"""What root tells the daemon, and how RAUC's words are read."""

from pathlib import Path

import pytest

from conclaved.updates import rauc
from conclaved.updates.progress import Progress, Refusal, Stage


def test_what_was_saved_is_read_again_and_everybody_may_read_it(tmp_path: Path) -> None:
    place = tmp_path / "progress.json"
    progress = Progress(
        Stage.FAILED, 40, "copying", "1.2.0", Refusal.TOO_OLD, "too old", "take another", "1.1.0"
    )
    progress.save(place)
    assert Progress.load(place) == progress
    assert place.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"stage": "odd"}', "\x00"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: str) -> None:
    place = tmp_path / "progress.json"
    place.write_text(content)
    assert Progress.load(place) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (" 40% Checking bundle done.\n", (40, "Checking bundle done")),
        ("100% Installing done.\n", (100, "Installing done")),
        ("  0% Installing\n", (0, "Installing")),
        ("installing\n", None),
        ("LastError: 5% is missing\n", None),
    ],
)
def test_a_step_of_raucs_is_told_from_its_other_lines(line: str, found: tuple[int, str] | None) -> None:
    assert rauc.step(line) == found


def test_the_kind_of_device_is_read_from_raucs_settings(tmp_path: Path) -> None:
    settings = tmp_path / "system.conf"
    settings.write_text("[system]\ncompatible=conclave-x\n[slot.root.0]\ndevice=/dev/x\n")
    assert rauc.device_compatible(settings) == "conclave-x"
    assert rauc.device_compatible(tmp_path / "missing") == ""
