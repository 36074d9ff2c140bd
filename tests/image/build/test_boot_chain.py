"""What the boot loader is given, without booting it: the image's tests do that."""

import re
from pathlib import Path

import pytest

from tests.building.programs import BuildError
from tests.image.build.boot_chain import BOARD, boot_commands, filled, write_fit
from tests.image.build.image import QEMU_BOARD
from tests.image.build.kernel import names_in


def test_commands_for_the_boot_loader_have_no_comments_and_come_from_board_and_common() -> None:
    commands = boot_commands(BOARD / QEMU_BOARD)
    assert "#" not in commands.replace("}#conf", "")
    assert commands.index("setenv boot_interface virtio") < commands.index("env import -c")


def test_no_more_than_three_variables_come_from_the_disk() -> None:
    [line] = [line for line in boot_commands(BOARD / QEMU_BOARD).splitlines() if "env import" in line]
    assert line.split()[5:] == ["BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT"]


def test_every_slot_of_the_layout_is_one_that_the_boot_loader_and_the_initrd_know() -> None:
    layout = (BOARD / "common/partitions.sfdisk").read_text()
    names = re.findall(r"^name=([\w-]+)", layout, re.M)
    assert names == ["env", "kernel-a", "root-a", "kernel-b", "root-b", "data"]
    for kernel in ("kernel-a", "kernel-b"):
        assert f"setenv kernel {kernel}" in boot_commands(BOARD / QEMU_BOARD)
    first = (BOARD / "common/init").read_text()
    assert {"root-a", "root-b"} <= set(re.findall(r"root='([\w-]+)'", first))


def test_both_slots_have_the_same_room() -> None:
    sizes = dict(
        re.findall(r"^name=([\w-]+),.*?size=(\d+)", (BOARD / "common/partitions.sfdisk").read_text(), re.M)
    )
    assert sizes["kernel-a"] == sizes["kernel-b"]
    assert sizes["root-a"] == sizes["root-b"]


def test_a_template_with_a_name_left_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.its").write_text('description = "@VERSION@"; load = <@LOAD@>;')
    with pytest.raises(BuildError, match="@NAME@ is left"):
        filled(tmp_path / "image.its", {"VERSION": "1"})


def test_what_is_no_kernel_of_arm64_is_not_signed(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"MZ" + bytes(100))
    with pytest.raises(BuildError, match="not an uncompressed kernel"):
        write_fit(tmp_path / "fit", tmp_path / "vmlinuz", tmp_path / "initrd", "1", tmp_path, 0)


def test_a_signature_covers_kernel_and_initrd() -> None:
    assert 'sign-images = "kernel", "ramdisk";' in (BOARD / "common/image.its").read_text()


def test_a_list_of_names_is_read_without_its_comments(tmp_path: Path) -> None:
    (tmp_path / "modules").write_text("# Screens.\nvirtio_gpu # QEMU's\n\n  evdev\n")
    assert names_in(tmp_path / "modules") == ["virtio_gpu", "evdev"]
