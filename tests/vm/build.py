"""Makes the guest's kernel and its initial file system of Debian's packages, in the user's cache.

Nothing of the packages is installed: they are downloaded and unpacked. A cold build downloads some 70 MB
and takes seconds; afterwards it is there under a hash of what it was made of.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm.initial_files import Entry, archive, file, folder, link

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
KERNEL = "linux-image-amd64"
"""Depends on the newest kernel of this Debian; `busybox-static` is what runs before `/usr` is there."""
DOWNLOAD_TIMEOUT_S = 300.0


class GuestError(Exception):
    """The guest cannot be made or run. `hint` says what to do about it, where one can."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint


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


def cache_folder() -> Path:
    """Where guests are kept: `conclave/vm` in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "conclave" / "vm"


def place() -> Built:
    """Where kernel and initial file system are once they have been built from these sources."""
    digest = hashlib.sha256()
    for source in (Path(__file__), HERE / "initial_files.py", HERE / "modules", REQUIREMENTS):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    digest.update(sys.version.encode())
    where = cache_folder() / digest.hexdigest()[:20]
    return Built(where / "vmlinuz", where / "initial.cpio", where / "python")


def built() -> Built:
    """Kernel and initial file system, built if the cache has them not.

    Raises GuestError, which says what to install.
    """
    found = place()
    if found.exists:
        return found
    with _only_one_builder():
        if not found.exists:
            _build(found)
    return found


def _build(wanted: Built) -> None:
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise GuestError(f"{tool} is missing", hint="the guest is made of Debian's packages, on Debian")
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        packages, tree = Path(scratch, "packages"), Path(scratch, "tree")
        packages.mkdir()
        _download(packages)
        for package in packages.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(tree)])
        kernel = next(tree.glob("boot/vmlinuz-*"))
        busybox = next(path for path in (tree / "bin/busybox", tree / "usr/bin/busybox") if path.exists())
        entries = _initial(busybox, {path.stem: path for path in tree.rglob("*.ko*")})
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
    except GuestError:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "update", "-q"])
        _fetch(folder)


def _fetch(folder: Path) -> None:
    depends = _run(["apt-cache", "depends", KERNEL])
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if found is None:
        raise GuestError(f"apt knows no {KERNEL}", hint="run apt-get update (as root)")
    try:
        _run(["apt-get", "download", "-q", found[1], "busybox-static"], folder)
    except GuestError as error:
        raise GuestError(f"no download: {error}", hint="run apt-get update (as root)") from error


def _install(folder: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps")
    _run([*pip, "--only-binary=:all:", "--require-hashes", "--target", str(folder), "-r", str(REQUIREMENTS)])


def _initial(busybox: Path, kernel_modules: Mapping[str, Path]) -> list[Entry]:
    """What is there before `/usr` is: one program, and modules in the order in which they load."""
    files = {name.replace("-", "_"): path for name, path in kernel_modules.items()}
    parameters: dict[str, str] = {}
    for line in (HERE / "modules").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, words = line.partition(" ")
            for needed in _with_needed(name.replace("-", "_"), files):
                parameters.setdefault(needed, words if needed == name.replace("-", "_") else "")
    order = "".join(f"{name}.ko {words}".strip() + "\n" for name, words in parameters.items())
    folders = ("dev", "modules", "proc", "root", "run", "sys", "tmp", "usr", "var", "var/tmp", "etc")
    return [
        *(folder(name) for name in folders),
        *(link(name, f"usr/{name}") for name in ("bin", "lib", "lib64", "sbin")),
        file("busybox", busybox.read_bytes(), is_program=True),
        file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        file("etc/group", b"root:x:0:\n"),
        file("etc/hosts", b"127.0.0.1 localhost guest\n"),
        file("modules/order", order.encode()),
        *(file(f"modules/{name}.ko", files[name].read_bytes()) for name in parameters),
    ]


def _with_needed(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """A module after those that it says it needs; one that is built into the kernel is not a file."""
    if name not in files:
        raise GuestError(f"Debian's kernel has no module {name}")
    needed = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
    for other in needed[1].decode().split(",") if needed else ():
        if other.replace("-", "_") in files:
            yield from _with_needed(other.replace("-", "_"), files)
    yield name


@contextmanager
def _only_one_builder() -> Iterator[None]:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(words: list[str], where: Path | None = None) -> str:
    """Run a program and return its output; GuestError with its last words if it fails."""
    try:
        done = subprocess.run(
            words, cwd=where, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise GuestError(f"{words[0]} took longer than {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise GuestError(f"{' '.join(words[:2])} failed: {' / '.join(last)}")
    return done.stdout
