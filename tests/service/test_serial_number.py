"""The device's serial number."""

from pathlib import Path

from conclaved.service.serial_number import serial_number


def test_the_makers_number_comes_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"C0FFEE-1\0")
    assert serial_number((tmp_path / "none", tmp_path / "a"), tmp_path / "id") == "C0FFEE-1"


def test_a_number_that_says_nothing_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0000 - 0\n")
    (tmp_path / "id").write_text("0123456789abcdef")
    derived = serial_number((tmp_path / "a",), tmp_path / "id")
    assert len(derived) == 12
    assert derived not in "0123456789abcdef"


def test_a_device_without_any_has_none(tmp_path: Path) -> None:
    assert serial_number((), tmp_path / "id") == ""
