"""Reading the configuration anew: all of it or nothing, and without a restart where none is needed."""

from pathlib import Path

import pytest

from conclaved.service.config import Config, load
from conclaved.service.configuring import Configuring
from conclaved.service.reloading import AT_ONCE, BY_ADMINS, Reloading
from conclaved.service.settings import Settings, SettingsFile, parse
from conclaved.service.settings.settings_file import PRESENT


class Device:
    """A device maker's files, and what is in force of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "conclave.toml"
        self.write("")
        self.write_hal("")
        self.told = 0
        self.changed = 0
        config = load(self.file)
        self.configuring = Configuring(config, SettingsFile(folder), self._tell)
        self.reloading = Reloading(config, self.configuring, self._change)

    def write(self, text: str) -> None:
        lines = (f'state_directory = "{self.folder}"', f'hal = "{self.folder / "hal.toml"}"', text)
        self.file.write_text("\n".join(lines))

    def write_hal(self, text: str) -> None:
        (self.folder / "hal.toml").write_text(text)

    def _tell(self, before: Settings, after: Settings) -> None:
        self.told += 1

    def _change(self) -> None:
        self.changed += 1


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_what_can_change_at_once_does(device: Device) -> None:
    device.write("join_countdown_s = 30")
    assert device.reloading.reload(device.file)
    assert device.configuring.config.join_countdown_s == 30
    assert (device.told, device.reloading.problems) == (1, ())


def test_what_an_admin_has_set_stays_over_it(device: Device) -> None:
    device.configuring.set({"join_countdown_s": "20"})
    device.write("join_countdown_s = 30")
    assert device.reloading.reload(device.file)
    assert device.configuring.config.join_countdown_s == 20


def test_what_needs_a_restart_is_named_and_does_not_count_before(device: Device) -> None:
    device.write("allow_plain_key = true\njoin_countdown_s = 30")
    assert device.reloading.reload(device.file)
    assert "allow_plain_key" in device.reloading.problems[0]
    assert not device.configuring.config.allow_plain_key
    assert device.configuring.config.join_countdown_s == 30


def test_other_hardware_needs_a_restart(device: Device) -> None:
    device.write_hal('[panel]\ndriver = "simulated"\n')
    assert device.reloading.reload(device.file)
    assert "hal.toml" in device.reloading.problems[0]


@pytest.mark.parametrize(
    ("text", "hal", "words"),
    [
        ("[", "", "is not TOML"),
        ("colour = 1\njoin_countdown_s = 30", "", "colour"),
        ("join_countdown_s = 30", '[panel]\ndriver = "none such"\n', "none such"),
    ],
)
def test_a_wrong_file_changes_nothing_and_is_said(device: Device, text: str, hal: str, words: str) -> None:
    before = device.configuring.config
    device.write(text)
    device.write_hal(hal)
    assert not device.reloading.reload(device.file)
    assert device.configuring.config == before
    assert (device.told, device.changed) == (0, 1)
    assert words in device.reloading.problems[0]


def test_damaged_settings_change_nothing_either(device: Device, tmp_path: Path) -> None:
    (tmp_path / PRESENT).write_text("[")
    device.write("join_countdown_s = 30")
    assert not device.reloading.reload(device.file)
    assert device.configuring.config.join_countdown_s == 10


def test_settings_that_were_restored_are_in_force_at_once(device: Device, tmp_path: Path) -> None:
    SettingsFile(tmp_path).save(parse("join_countdown_s = 12"), 4, Settings())
    assert device.reloading.reload(device.file)
    assert device.configuring.config.join_countdown_s == 12
    assert device.configuring.status().generation == 4


def test_a_right_file_ends_the_trouble(device: Device) -> None:
    device.write("[")
    device.reloading.reload(device.file)
    device.write("")
    assert device.reloading.reload(device.file)
    assert device.reloading.problems == ()


def test_each_field_that_changes_at_once_is_one() -> None:
    assert {*AT_ONCE, *BY_ADMINS} <= {*Config.__dataclass_fields__}
