"""What root does with a bundle that the daemon laid down. RAUC itself judges signatures."""

import os
from pathlib import Path

import pytest

from conclaved.updates.install import install
from conclaved.updates.progress import Refusal, Stage
from tests.updates.conftest import SAYS_INSTALLED, Device, Lay


def test_a_good_bundle_is_installed_and_nothing_of_it_stays(device: Device, lay_down: Lay) -> None:
    lay_down("1.3.0+abc")
    assert install(device.places)
    told = device.told
    assert (told.stage, told.percent, told.version) == (Stage.INSTALLED, 100, "1.3.0+abc")
    assert told.next_version == "1.3.0+abc"
    assert device.places.installed_version.read_text() == "1.3.0+abc\n"
    assert not device.places.laid_down.exists()
    assert not device.places.own_folder.exists()


def test_the_minimum_itself_is_new_enough(device: Device, lay_down: Lay) -> None:
    lay_down("1.2.0")
    assert install(device.places)


def refused(device: Device) -> tuple[Refusal | None, str]:
    """Why it was refused, for programs and for people; and that nothing of it was kept."""
    assert not install(device.places)
    told = device.told
    assert (told.stage, told.has_ended) == (Stage.FAILED, True)
    assert told.hint
    assert not device.places.laid_down.exists()
    assert not device.places.own_folder.exists()
    assert not device.places.installed_version.exists()
    return told.refusal, told.message


def test_a_bundle_that_somebody_else_signed(device: Device, lay_down: Lay) -> None:
    lay_down(by_stranger=True)
    why, words = refused(device)
    assert why is Refusal.NOT_GENUINE
    assert "not signed by who makes this device" in words


def test_a_bundle_for_another_device(device: Device, lay_down: Lay) -> None:
    lay_down(board="other")
    why, words = refused(device)
    assert (why, words) == (
        Refusal.WRONG_DEVICE,
        "the bundle is for conclave-other, and this is conclave-test",
    )


def test_a_bundle_that_is_too_old(device: Device, lay_down: Lay) -> None:
    lay_down("1.1.9+abc")
    assert refused(device) == (
        Refusal.TOO_OLD,
        "the bundle is 1.1.9+abc, and this device takes none below 1.2",
    )


def test_a_bundle_without_a_version_that_can_be_compared(device: Device, lay_down: Lay) -> None:
    lay_down("latest")
    assert refused(device)[0] is Refusal.TOO_OLD


def test_half_a_bundle(device: Device, lay_down: Lay) -> None:
    place = lay_down()
    os.truncate(place, place.stat().st_size // 2)
    assert refused(device)[0] is Refusal.DAMAGED


@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000)])
def test_what_is_no_bundle(device: Device, content: bytes) -> None:
    device.places.laid_down.write_bytes(content)
    assert refused(device)[0] is Refusal.DAMAGED


def test_a_signature_that_was_altered(device: Device, lay_down: Lay) -> None:
    place = lay_down()
    content = bytearray(place.read_bytes())
    # In the signed manifest, near the end.
    at = content.rindex(b"version=1.2.0")
    content[at + 8 : at + 13] = b"9.9.9"
    place.write_bytes(content)
    assert refused(device)[0] is Refusal.NOT_GENUINE


def test_a_link_to_a_file_of_roots(device: Device, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    device.places.laid_down.symlink_to(secret)
    assert refused(device)[0] is Refusal.FAILED
    assert secret.read_text() == "root's"


def test_nothing_was_laid_down(device: Device) -> None:
    assert refused(device)[0] is Refusal.FAILED


def test_a_bundle_that_somebody_still_writes_to(device: Device, lay_down: Lay) -> None:
    with lay_down().open("r+b"):
        why, words = refused(device)
    assert (why, words) == (Refusal.FAILED, "somebody still writes to the bundle")


def test_a_device_that_names_no_minimum_takes_nothing(device: Device, lay_down: Lay) -> None:
    lay_down()
    device.places.minimum_version.unlink()
    why, words = refused(device)
    assert why is Refusal.FAILED
    assert "does not say what is too old" in words


def test_the_slot_to_fall_back_to_is_not_overwritten(device: Device, lay_down: Lay) -> None:
    lay_down()
    device.places.trial.unlink()
    assert "was not found to be well yet" in refused(device)[1]


def test_what_rauc_says_when_it_fails_is_told(device: Device, lay_down: Lay) -> None:
    lay_down()
    said = SAYS_INSTALLED.partition(" 99%")[0]
    device.rauc_will(f"{said}LastError: Installation error: Failed updating slot root.1: I/O error\n", 1)
    assert refused(device) == (
        Refusal.FAILED,
        "the update was not installed: Installation error: Failed updating slot root.1: I/O error",
    )


def test_only_what_is_installed_is_expected_at_the_next_start(device: Device, lay_down: Lay) -> None:
    lay_down("1.3.0")
    device.places.installed_version.write_text("1.2.5\n")
    # While RAUC writes, a power cut may come: the slot has neither the one before nor this one.
    program = Path(device.places.rauc[0])
    looks = f"exec test ! -e {device.places.installed_version}"
    program.write_text(program.read_text().replace('cat "$0.says"; exit "$(cat "$0.exit")"', looks))
    assert install(device.places)
    assert device.places.installed_version.read_text() == "1.3.0\n"


def test_an_update_that_waits_for_its_start_is_not_forgotten_for_one_that_is_refused(
    device: Device, lay_down: Lay
) -> None:
    device.places.installed_version.write_text("1.3.0\n")
    lay_down(by_stranger=True)
    assert not install(device.places)
    assert device.places.installed_version.read_text() == "1.3.0\n"
    assert device.told.next_version == "1.3.0"


def test_a_bundle_left_by_a_power_cut_is_forgotten(device: Device, lay_down: Lay) -> None:
    device.places.own_folder.mkdir()
    (device.places.own_folder / "bundle.raucb").write_bytes(b"half")
    lay_down()
    assert install(device.places)
