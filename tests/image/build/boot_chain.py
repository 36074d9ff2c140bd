"""What boots: a signed FIT, and the device tree by which U-Boot knows the signer's key and what to do.

On a board the device tree is a part of U-Boot, which the chip's ROM verifies. Here QEMU hands it over.
"""

import gzip
import shutil
from pathlib import Path

from tests.building.programs import BuildError, run

BOARD = Path(__file__).parents[3] / "buildroot/board"
UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
"""Of Debian's package u-boot-qemu."""
MACHINE = ("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024")
"""The device tree names processors and memory: one that was made for other words does not fit."""
LOAD = 0x40400000
"""Where U-Boot puts the kernel: 2 MiB-aligned, away from U-Boot's own end of the memory."""
IMAGE_MAGIC = (56, b"ARM\x64")
"""Documentation/arm64/booting.rst: an uncompressed Image says so there."""
TPM_ADDRESS, TPM_LENGTH = 0x0, 0x5000
SERIAL = "CN-QEMU-1"


def write_fit(target: Path, kernel: Path, initrd: Path, version: str, keys: Path, epoch: int) -> None:
    """Kernel and initrd with a signature by the key in `keys`. Raises BuildError."""
    data = kernel.read_bytes()
    at, magic = IMAGE_MAGIC
    if data[at : at + 4] != magic:
        raise BuildError(f"{kernel} is not an uncompressed kernel of ARM64")
    packed = target.with_suffix(".kernel.gz")
    packed.write_bytes(gzip.compress(data, compresslevel=6, mtime=0))
    words = {
        "VERSION": version,
        "KERNEL": str(packed),
        "INITRD": str(initrd),
        "COMPRESSION": "gzip",
        "LOAD": f"{LOAD:#x}",
    }
    source = target.with_suffix(".its")
    source.write_text(filled(BOARD / "common/image.its", words))
    run(["mkimage", "-f", source, "-k", keys, target], environment=_dated(epoch))
    run(["mkimage", "-F", "-k", keys, target], environment=_dated(epoch))
    packed.unlink()


def filled(template: Path, words: dict[str, str]) -> str:
    """The template's text with @NAME@ replaced. Raises BuildError if a name is left."""
    text = template.read_text()
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    if "@" in text:
        raise BuildError(f"{template}: a @NAME@ is left")
    return text


def write_device_tree(target: Path, fit: Path, keys: Path, board: str, *, has_tpm: bool) -> None:
    """QEMU's own tree of `MACHINE`, the key that U-Boot demands, and what boots. Raises BuildError."""
    # Without what a machine has by default: its network card wants a file of another package.
    words: list[str | Path] = [*MACHINE, "-nodefaults", "-display", "none", "-bios", UBOOT]
    run(["qemu-system-aarch64", *words, "-machine", f"dumpdtb={target}"])
    # Seeds that QEMU drew for this once: on every machine they would be the same.
    for name in ("rng-seed", "kaslr-seed"):
        run(["fdtput", "-d", target, "/chosen", name])
    put: list[str | Path] = ["fdtput", "-t", "s", target]
    run([*put, "/", "serial-number", SERIAL])
    run(["fdtput", "-p", "-t", "s", target, "/config", "bootcmd", boot_commands(BOARD / board)])
    # No wait for a key, and no prompt for who presses one (U-Boot, autoboot).
    run(["fdtput", "-t", "i", target, "/config", "bootdelay", str(-2 & 0xFFFFFFFF)])
    if has_tpm:
        _add_tpm(target)
    # Signs a copy, so that the public key is written into the tree: every FIT must have its signature then.
    copy = target.with_suffix(".fit")
    shutil.copy(fit, copy)
    run(["mkimage", "-F", "-k", keys, "-K", target, "-r", copy])
    copy.unlink()


def boot_commands(board: Path) -> str:
    """The board's commands and the common ones, without comments."""
    text = (board / "boot.cmd").read_text() + (board.parent / "common/boot.cmd").read_text()
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


def _add_tpm(target: Path) -> None:
    """What QEMU adds for `-device tpm-tis-device`, where it makes the tree itself."""
    node = f"/platform-bus@c000000/tpm_tis@{TPM_ADDRESS:x}"
    run(["fdtput", "-p", "-t", "s", target, node, "compatible", "tcg,tpm-tis-mmio"])
    run(["fdtput", "-t", "x", target, node, "reg", f"{TPM_ADDRESS:x}", f"{TPM_LENGTH:x}"])


def _dated(epoch: int) -> dict[str, str]:
    return {"SOURCE_DATE_EPOCH": str(epoch), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
