from pathlib import Path

import pytest

from tests.image.tpm import MachineTpm


@pytest.fixture
def chip(tmp_path: Path) -> MachineTpm:
    return MachineTpm(tmp_path / "chip")


def test_a_chip_answers_where_the_machine_looks_for_it(chip: MachineTpm, tmp_path: Path) -> None:
    chip.start()
    try:
        assert f"path={tmp_path / 'chip.sock'}" in " ".join(chip.arguments)
        assert (tmp_path / "chip.sock").is_socket()
    finally:
        chip.stop()


def test_a_restored_chip_has_the_state_of_its_copy(chip: MachineTpm, tmp_path: Path) -> None:
    (tmp_path / "chip").mkdir()
    state = tmp_path / "chip" / "tpm2-00.permall"
    state.write_bytes(b"seeds")
    chip.save(tmp_path / "copy")
    state.write_bytes(b"other seeds")
    chip.restore(tmp_path / "copy")
    assert state.read_bytes() == b"seeds"
