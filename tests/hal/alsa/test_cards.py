"""Names of sound devices, and whether their cards are there."""

from pathlib import Path

import pytest

from conclave_hal.alsa.cards import card_of, is_plugged_in, sound_device


@pytest.mark.parametrize(
    ("device", "card"),
    [
        ("hw:CARD=Speakerphone", "Speakerphone"),
        ("plughw:CARD=U0x4b40x309,DEV=0", "U0x4b40x309"),
        ("hw:1,0", "1"),
        ("hw:Loopback,1,0", "Loopback"),
        ("default", None),
        ("dmix:CARD=PCH", None),
    ],
)
def test_the_card_is_read_off_the_name(device: str, card: str | None) -> None:
    assert card_of(device) == card
    assert sound_device().parse(device, Path("/")) == device


@pytest.mark.parametrize(
    "value", ["", "hw:CARD=a b", "-D", "hw:$(x)", "hw:CARD=a\n", 3, "x" * 200, "file:/etc"]
)
def test_what_is_no_name_of_a_device_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        sound_device().parse(value, Path("/"))


def test_a_card_is_there_while_the_kernel_lists_it(tmp_path: Path) -> None:
    (tmp_path / "card1").mkdir()
    (tmp_path / "Speakerphone").symlink_to("card1")
    for device in ("hw:CARD=Speakerphone", "hw:1", "default"):
        assert is_plugged_in(device, proc=tmp_path)
    for device in ("hw:CARD=Other", "plughw:0,0"):
        assert not is_plugged_in(device, proc=tmp_path)
