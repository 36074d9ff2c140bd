"""Makes the guest's kernel and its initial file system of Debian's packages, in the user's cache.

Nothing of the packages is installed: they are downloaded and unpacked. A cold build downloads some 70 MB
and takes seconds; afterwards it is there under a hash of what it was made of.
"""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import building
from tests.building.cache import cache_folder, only_one_builder
from tests.building.initial_files import Entry, archive, file, folder, link
from tests.building.kernel_modules import load_order, modules_in
from tests.building.programs import BuildError, need, run

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
KERNEL = "linux-image-amd64"
"""Depends on the newest kernel of this Debian; `busybox-static` is what runs before `/usr` is there."""
CACHE = "vm"
SHARED = Path(building.__file__).parent


class GuestError(BuildError):
    """The guest cannot be made or run."""


@dataclass(frozen=True, slots=True)
class Built:
    """What QEMU boots, but for the first program, which comes with each run."""

    kernel: Path
    initial: Path
    packages: Path
    """Python's packages that are not in `.venv`."""

    @property
    def exists(self) -> bool:
        """Whether both are there."""
        return self.kernel.exists() and self.initial.exists()


def place() -> Built:
    """Where kernel and initial file system are once they have been built from these sources."""
    digest = hashlib.sha256()
    for source in (Path(__file__), *sorted(SHARED.glob("*.py")), HERE / "modules", REQUIREMENTS):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    digest.update(sys.version.encode())
    where = cache_folder(CACHE) / digest.hexdigest()[:20]
    return Built(where / "vmlinuz", where / "initial.cpio", where / "python")


def built() -> Built:
    """Kernel and initial file system, built if the cache has them not.

    Raises BuildError, which says what to install.
    """
    found = place()
    if found.exists:
        return found
    with only_one_builder(cache_folder(CACHE) / "lock"):
        if not found.exists:
            _build(found)
    return found


def _build(wanted: Built) -> None:
    need("apt-get", "apt-cache", "dpkg-deb", hint="the guest is made of Debian's packages, on Debian")
    with tempfile.TemporaryDirectory(dir=cache_folder(CACHE)) as scratch:
        packages, tree = Path(scratch, "packages"), Path(scratch, "tree")
        packages.mkdir()
        _download(packages)
        for package in packages.glob("*.deb"):
            run(["dpkg-deb", "-x", str(package), str(tree)])
        kernel = next(tree.glob("boot/vmlinuz-*"))
        busybox = next(path for path in (tree / "bin/busybox", tree / "usr/bin/busybox") if path.exists())
        entries = _initial(busybox, modules_in(tree))
        part = Path(scratch, "part")
        part.mkdir()
        shutil.copy(kernel, part / wanted.kernel.name)
        (part / wanted.initial.name).write_bytes(archive(entries))
        _install(part / wanted.packages.name)
        shutil.rmtree(wanted.kernel.parent, ignore_errors=True)
        part.rename(wanted.kernel.parent)


def _download(folder: Path) -> None:
    """The packages of the newest kernel and of busybox into `folder`, with new lists if need be."""
    try:
        _fetch(folder)
    except BuildError:
        if os.geteuid() != 0:
            raise
        run(["apt-get", "update", "-q"])
        _fetch(folder)


def _fetch(folder: Path) -> None:
    depends = run(["apt-cache", "depends", KERNEL])
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if found is None:
        raise GuestError(f"apt knows no {KERNEL}", hint="run apt-get update (as root)")
    try:
        run(["apt-get", "download", "-q", found[1], "busybox-static"], folder)
    except BuildError as error:
        raise GuestError(f"no download: {error}", hint="run apt-get update (as root)") from error


def _install(folder: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps")
    run([*pip, "--only-binary=:all:", "--require-hashes", "--target", str(folder), "-r", str(REQUIREMENTS)])


def _initial(busybox: Path, files: Mapping[str, Path]) -> list[Entry]:
    """What is there before `/usr` is: one program, and modules in the order in which they load."""
    lines = [
        line for line in (HERE / "modules").read_text().splitlines() if line and not line.startswith("#")
    ]
    parameters = {line.partition(" ")[0].replace("-", "_"): line.partition(" ")[2] for line in lines}
    names = load_order(parameters, files)
    order = "".join(f"{name}.ko {parameters.get(name, '')}".strip() + "\n" for name in names)
    folders = ("dev", "modules", "proc", "root", "run", "sys", "tmp", "usr", "var", "var/tmp", "etc")
    return [
        *(folder(name) for name in folders),
        *(link(name, f"usr/{name}") for name in ("bin", "lib", "lib64", "sbin")),
        file("busybox", busybox.read_bytes(), is_program=True),
        file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        file("etc/group", b"root:x:0:\n"),
        file("etc/hosts", b"127.0.0.1 localhost guest\n"),
        file("modules/order", order.encode()),
        *(file(f"modules/{name}.ko", files[name].read_bytes()) for name in names),
    ]
