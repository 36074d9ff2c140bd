"""Each board's configuration is one that the daemon takes."""

from pathlib import Path

import pytest

from conclave_hal.config import make_devices
from conclaved.service import config

BOARDS = Path(__file__).parents[2] / "buildroot/board"
CONFIGURED = sorted(path.parent for path in BOARDS.glob("*/overlay/etc/conclave/hal.toml"))


def test_there_is_a_board() -> None:
    assert CONFIGURED


@pytest.mark.parametrize("folder", CONFIGURED, ids=lambda folder: folder.parents[2].name)
def test_the_boards_hardware_is_known_with_every_option(folder: Path) -> None:
    assert make_devices(folder / "hal.toml")


def test_the_settings_of_all_boards_are_known_and_name_the_hardware() -> None:
    settings = BOARDS / "common/overlay/etc/conclave/conclave.toml"
    assert config.load(settings).hal == Path("/etc/conclave/hal.toml")


@pytest.mark.parametrize("folder", CONFIGURED, ids=lambda folder: folder.parents[2].name)
def test_no_board_has_settings_of_its_own(folder: Path) -> None:
    assert not (folder / "conclave.toml").exists()
