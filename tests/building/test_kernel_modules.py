"""The order in which a kernel's modules load."""

from pathlib import Path

import pytest

from tests.building.kernel_modules import load_order, modules_in
from tests.building.programs import BuildError


def module(folder: Path, name: str, needs: str = "") -> None:
    """A file with what modinfo(8) reads of a module."""
    (folder / f"{name}.ko").write_bytes(b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0rest")


def test_a_module_comes_after_all_that_it_needs_and_each_once(tmp_path: Path) -> None:
    module(tmp_path, "dm-verity", "dm-mod,reed_solomon")
    module(tmp_path, "reed_solomon")
    module(tmp_path, "dm-mod")
    module(tmp_path, "squashfs")
    order = load_order(["squashfs", "dm-verity", "dm-mod"], modules_in(tmp_path))
    assert order == ["squashfs", "dm_mod", "reed_solomon", "dm_verity"]


def test_what_is_built_into_the_kernel_is_no_file(tmp_path: Path) -> None:
    module(tmp_path, "ext4", "crc16")
    assert load_order(["ext4"], modules_in(tmp_path)) == ["ext4"]


def test_a_module_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no module vivid"):
        load_order(["vivid"], modules_in(tmp_path))
