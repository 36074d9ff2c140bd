"""Kconfig of the kernel and of U-Boot takes each symbol of the boards; none is dropped for what it needs.

Sources of the versions that are built prove it; near ones prove nearly as much.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import BOARDS, DEFCONFIGS, EXTERNAL, symbols

COMMON = EXTERNAL / "board/common"
COMPILERS = ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc-12")


def sources(variable: str, what: str) -> Path:
    """A folder of sources that the environment names."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(
            f"not proven: no sources of {what}. make firmware-check {variable.removeprefix('CONCLAVE_')}=DIR"
        )
    return Path(named).resolve()


def compiler() -> str:
    """A compiler for ARM64: Kconfig asks it what it can."""
    for name in COMPILERS:
        if shutil.which(name) and all(shutil.which(program) for program in ("flex", "bison")):
            return name
    pytest.skip("not proven: gcc for ARM64, flex or bison is not installed")


def configured(
    source: Path, arch: str, out: Path, defconfig: str | None, texts: list[Path]
) -> dict[str, str]:
    """What Kconfig makes of a configuration and what is laid over it."""
    words = ["make", "-s", "-C", str(source), f"O={out}", f"ARCH={arch}", f"CC={compiler()}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    config = out / ".config"
    if defconfig is not None:
        subprocess.run([*words, defconfig], check=True, capture_output=True, timeout=300, env=environment)
    wanted = {name: value for path in texts for name, value in symbols(path.read_text()).items()}
    kept = [
        line
        for line in (config.read_text().splitlines() if config.exists() else ())
        if not (found := re.match(r"(?:# )?(CONFIG_\w+)", line)) or found[1] not in wanted
    ]
    lines = [f"# {name} is not set" if value == "n" else f"{name}={value}" for name, value in wanted.items()]
    config.write_text("\n".join([*kept, *lines]) + "\n")
    subprocess.run([*words, "olddefconfig"], check=True, capture_output=True, timeout=300, env=environment)
    return symbols(config.read_text())


def dropped(texts: list[Path], got: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What was asked for and came out otherwise."""
    wanted = {name: value for path in texts for name, value in symbols(path.read_text()).items()}
    return {
        name: (value, got.get(name, "n")) for name, value in wanted.items() if got.get(name, "n") != value
    }


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_the_kernel_takes_every_symbol(board: Path, tmp_path: Path) -> None:
    texts = [COMMON / "linux.config", board / "linux.fragment"]
    got = configured(sources("CONCLAVE_LINUX", "Linux"), "arm64", tmp_path, None, texts)
    assert dropped(texts, got) == {}


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_u_boot_takes_every_symbol(board: Path, tmp_path: Path) -> None:
    chosen = next(
        symbols(path.read_text())["BR2_TARGET_UBOOT_BOARD_DEFCONFIG"].strip('"')
        for path in DEFCONFIGS
        if f'SCRIPT_ARGS="{board.name}"' in path.read_text()
    )
    texts = [COMMON / "uboot.fragment", board / "uboot.fragment"]
    got = configured(sources("CONCLAVE_UBOOT", "U-Boot"), "arm", tmp_path, f"{chosen}_defconfig", texts)
    assert dropped(texts, got) == {}


def test_a_dropped_symbol_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "fragment").write_text("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\n")
    got = {"CONFIG_A": "y", "CONFIG_B": "y"}
    assert dropped([tmp_path / "fragment"], got) == {"CONFIG_B": ("n", "y"), "CONFIG_C": ("m", "n")}
