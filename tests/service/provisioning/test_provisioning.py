"""A file is applied whole or not at all, and once: also after a factory reset."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import BelievedClock
from conclaved.service.config import Config, ConfigError
from conclaved.service.configuring import Configuring
from conclaved.service.factory_reset import FactoryReset
from conclaved.service.provisioning import Provisioning, SerialsFile
from conclaved.service.provisioning_config import ProvisioningConfig
from conclaved.service.settings import SettingsFile
from tests.service.provisioning.files import DEVICE, NOW, SIGNER, file

Make = Callable[[], Provisioning]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the device: again is after a restart."""

    def device() -> Provisioning:
        config = Config(provisioning=ProvisioningConfig(signers=(SIGNER.fingerprint,)))
        return Provisioning(
            Configuring(config, SettingsFile(tmp_path), lambda before, after: None),
            BelievedClock(lambda: NOW, built_at=NOW - 1000),
            SerialsFile(tmp_path),
            DEVICE,
        )

    return device


def level(device: Provisioning) -> str:
    return device.configuring.settings.rules().minimum_level.value


def refusal(device: Provisioning, token: str) -> RoomErrorKind:
    with pytest.raises(RoomError) as caught:
        device.apply(token)
    return caught.value.kind


def test_a_file_sets_what_config_apply_would(make: Make) -> None:
    device = make()
    report = device.apply(file())
    assert [(c.key, c.after) for c in report.changes] == [("policy.minimum_level", '"locked"')]
    assert level(device) == "locked"


def test_it_is_applied_once(make: Make) -> None:
    make().apply(file())
    assert refusal(make(), file()) is RoomErrorKind.REFUSED


def test_a_later_one_of_the_signer_is_applied_after_it(make: Make) -> None:
    make().apply(file())
    device = make()
    device.apply(file(serial=NOW + 1, settings='policy.minimum_level = "standard"'))
    assert level(device) == "standard"
    assert refusal(device, file()) is RoomErrorKind.REFUSED


def test_a_factory_reset_does_not_make_an_old_file_good(make: Make, tmp_path: Path) -> None:
    make().apply(file())
    FactoryReset(tmp_path, tmp_path / "run").finish()
    assert level(make()) == "standard"
    assert refusal(make(), file()) is RoomErrorKind.REFUSED


def test_a_file_with_a_wrong_setting_changes_nothing_and_may_be_mended(make: Make) -> None:
    device = make()
    wrong = 'policy.minimum_level = "locked"\njoin_countdown_s = -1\n'
    assert refusal(device, file(settings=wrong)) is RoomErrorKind.INVALID_ARGUMENT
    assert level(device) == "standard"
    device.apply(file())


def test_a_dry_run_changes_nothing_and_uses_nothing_up(make: Make) -> None:
    device = make()
    assert device.apply(file(), dry_run=True).changed
    assert level(device) == "standard"
    device.apply(file())


def test_replace_unsets_what_the_file_does_not_name(make: Make) -> None:
    device = make()
    device.configuring.set({"join_countdown_s": "20"})
    device.apply(file(replace=True))
    assert device.configuring.config.join_countdown_s == 10.0


def test_a_power_cut_before_the_number_is_kept_lets_it_be_applied_again(make: Make, tmp_path: Path) -> None:
    make().apply(file())
    (tmp_path / "provisioned.json").unlink()
    assert not make().apply(file()).changed


def test_damaged_numbers_are_never_taken_for_none(make: Make, tmp_path: Path) -> None:
    (tmp_path / "provisioned.json").write_text('{"x": "y"}')
    assert refusal(make(), file()) is RoomErrorKind.FAILED
    with pytest.raises(ConfigError):
        SerialsFile(tmp_path).last("x")
    assert level(make()) == "standard"


@pytest.mark.parametrize(
    "wrong",
    [
        ProvisioningConfig(signers=("AB" * 32,)),
        ProvisioningConfig(signers=("ab",)),
        ProvisioningConfig(folder=Path("/x")),
        ProvisioningConfig(signers=("ab" * 32,), url="https://x.example/"),
        ProvisioningConfig(signers=("ab" * 32,), url="http://x.example/", server_key="ab" * 32),
        ProvisioningConfig(signers=("ab" * 32,), url="https://a:b@x.example/", server_key="ab" * 32),
        ProvisioningConfig(signers=("ab" * 32,), server_key="ab" * 32),
        ProvisioningConfig(url="https://x.example/", server_key="ab" * 32),
    ],
)
def test_a_configuration_that_pins_nothing_is_refused(wrong: ProvisioningConfig) -> None:
    assert wrong.objection()
