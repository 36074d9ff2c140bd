"""Each board's configuration is taken as it stands, and boards differ only where their chips do."""

import re
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import BOARDS, DEFCONFIGS, EXTERNAL, BuildrootTree, symbols

OF_THE_CHIP = re.compile(
    r"BR2_(cortex_\w+|ARM_FPU_\w+|ROOTFS_OVERLAY|ROOTFS_POST_SCRIPT_ARGS|LINUX_KERNEL_CONFIG_FRAGMENT_FILES|"
    r"LINUX_KERNEL_DTS_SUPPORT|LINUX_KERNEL_INTREE_DTS_NAME|LINUX_KERNEL_CUSTOM_DTS_DIR|LINUX_KERNEL_DTB_\w+|"
    r"PACKAGE_RPI_\w+|PACKAGE_FREESCALE_\w+|PACKAGE_FIRMWARE_IMX|TARGET_UBOOT\w*|TARGET_ARM_TRUSTED_FIRMWARE\w*|"
    r"PACKAGE_HOST_MTOOLS|PACKAGE_HOST_DOSFSTOOLS)"
)
"""What a board may have that others have not, or differently."""


def shared(defconfig: Path) -> dict[str, str]:
    """What a board has in common with the others."""
    return {
        name: value
        for name, value in symbols(defconfig.read_text()).items()
        if not OF_THE_CHIP.fullmatch(name)
    }


def test_each_board_has_one() -> None:
    named = sorted(symbols(path.read_text())["BR2_ROOTFS_POST_SCRIPT_ARGS"].strip('"') for path in DEFCONFIGS)
    assert named == [path.name for path in BOARDS]


@pytest.mark.parametrize("defconfig", DEFCONFIGS[1:], ids=lambda path: path.name)
def test_boards_agree_in_all_but_their_chips(defconfig: Path) -> None:
    assert shared(defconfig) == shared(DEFCONFIGS[0])


@pytest.mark.parametrize("defconfig", DEFCONFIGS, ids=lambda path: path.name)
def test_it_names_files_that_are_there(defconfig: Path) -> None:
    named = re.findall(r"\$\(BR2_EXTERNAL_CONCLAVE_PATH\)/([^ \"]+)", defconfig.read_text())
    assert named
    assert [name for name in named if not (EXTERNAL / name).exists()] == []


@pytest.mark.parametrize("defconfig", DEFCONFIGS, ids=lambda path: path.name)
def test_kconfig_drops_no_symbol(defconfig: Path, buildroot: BuildrootTree) -> None:
    buildroot.configure(defconfig)
    assert buildroot.saved() == defconfig.read_text()


@pytest.mark.parametrize("defconfig", DEFCONFIGS, ids=lambda path: path.name)
def test_only_its_own_scripts_are_named_in_it(defconfig: Path) -> None:
    board = symbols(defconfig.read_text())["BR2_ROOTFS_POST_SCRIPT_ARGS"].strip('"')
    folders = set(re.findall(r"board/([^/ ]+)/", defconfig.read_text()))
    assert folders == {"common", board}
