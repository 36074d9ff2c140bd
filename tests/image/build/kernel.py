"""Debian's kernel, unpacked and never configured: that would take ten minutes under emulation.

vmlinuz            the kernel itself
busybox            what runs before the root is there
lib/modules/...    the modules that the lists ask for, and what those need
"""

import shutil
from pathlib import Path

from tests.building.kernel_modules import load_order, modules_in
from tests.building.programs import run
from tests.image.build.debian import Arm64Packages
from tests.image.build.tpm_module import tpm_module

PACKAGE = "linux-image-arm64"
"""Depends on the newest kernel of this Debian."""


def names_in(file: Path) -> list[str]:
    """The names in a list of ours: one a line, without what follows a #."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def unpack_kernel(wanted: list[str], packages: Arm64Packages, into: Path) -> None:
    """Kernel, busybox and the modules `wanted` into the folder `into`. Raises BuildError."""
    scratch = into / "scratch"
    image = packages.depends(PACKAGE, "linux-image-")
    release = image.removeprefix("linux-image-")
    file = packages.download(image, scratch)
    run(["dpkg-deb", "-x", file, scratch / "kernel"])
    run(["dpkg-deb", "-x", packages.download("busybox-static", scratch), scratch / "busybox"])
    shutil.copy(scratch / f"kernel/boot/vmlinuz-{release}", into / "vmlinuz")
    shutil.copy(scratch / "busybox/bin/busybox", into / "busybox")
    version = run(["dpkg-deb", "--field", file, "Version"]).strip()
    found = scratch / f"kernel/lib/modules/{release}"
    driver = tpm_module(release, version, into.parent / "tpm", packages.download)
    (found / "updates").mkdir()
    shutil.copy(driver, found / "updates/tpm_tis.ko")
    files = modules_in(found)
    target = into / "lib/modules" / release
    for name in load_order([*wanted, "tpm_tis"], files):
        place = target / files[name].relative_to(found)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[name], place)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(found / name, target / name)
    run(["depmod", "-b", into, release])
    shutil.rmtree(scratch)
