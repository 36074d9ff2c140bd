"""The kernel's driver for a memory-mapped TPM, which Debian's arm64 kernel leaves out (CONFIG_TCG_TIS).

It is one file beside what that kernel does have (`tpm_tis_core`), so it is built of Debian's source of the
same version, against the headers of the very kernel that boots: their symbol versions have to fit.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

COMPILER = "aarch64-linux-gnu-gcc-12"
"""Debian builds its kernel with it (package gcc-12-aarch64-linux-gnu)."""
SOURCES = ("tpm_tis.c", "tpm.h", "tpm_tis_core.h")
TIMEOUT_S = 600.0


class TpmModuleError(Exception):
    """The driver cannot be built; the message says what to do."""


def tpm_module(release: str, version: str, cache: Path, arm64_package: Callable[[str, Path], Path]) -> Path:
    """`tpm_tis.ko` for the kernel `release` (`6.1.0-57-arm64`), built under `cache` if it is not there.

    `version` is that of the kernel's package (`6.1.192-3`). `arm64_package` downloads the arm64 package of
    a name into a folder and returns its file. Raises TpmModuleError.
    """
    of_what = "\n".join((release, version, Path(__file__).read_text()))
    made = cache / f"tpm_tis-{hashlib.sha256(of_what.encode()).hexdigest()[:20]}.ko"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _build(release, version, Path(scratch), arm64_package).replace(made)
    return made


def _build(release: str, version: str, scratch: Path, arm64_package: Callable[[str, Path], Path]) -> Path:
    if shutil.which(COMPILER) is None:
        raise TpmModuleError(f"{COMPILER} is missing: apt-get install gcc-12-aarch64-linux-gnu")
    packages, tree, module = scratch / "packages", scratch / "tree", scratch / "module"
    packages.mkdir()
    module.mkdir()
    abi, series = release.removesuffix("-arm64"), ".".join(release.split(".")[:2])
    _run("dpkg-deb", "-x", arm64_package(f"linux-headers-{release}", packages), tree)
    native = (f"linux-headers-{abi}-common", f"linux-kbuild-{series}", f"linux-source-{series}")
    # These run here, or are the same everywhere: they are of this machine's own architecture.
    _run("apt-get", "download", "-q", *(f"{name}={version}" for name in native), where=packages)
    for name in native:
        _run("dpkg-deb", "-x", next(packages.glob(f"{name}_*.deb")), tree)
    archive = next((tree / "usr/src").glob("linux-source-*.tar.xz"))
    folder = f"{archive.name.removesuffix('.tar.xz')}/drivers/char/tpm"
    members = tuple(f"{folder}/{name}" for name in SOURCES)
    _run("tar", "-xJf", archive, "-C", module, "--strip-components=4", *members)
    (module / "Makefile").write_text("obj-m := tpm_tis.o\n")
    headers = tree / f"usr/src/linux-headers-{release}"
    makefile = headers / "Makefile"
    # It names the other headers by the place where the package would have put them.
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{tree}/usr/src/"))
    cross = ("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", f"CC={COMPILER}")
    _run("make", "-C", headers, f"M={module}", *cross, "modules")
    _run("aarch64-linux-gnu-strip", "--strip-debug", module / "tpm_tis.ko")
    return module / "tpm_tis.ko"


def _run(*words: str | Path, where: Path | None = None) -> None:
    try:
        done = subprocess.run(
            words, cwd=where, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TpmModuleError(f"{words[0]}: {error}") from error
    if done.returncode != 0:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise TpmModuleError(f"{words[0]} failed: {last}; if a package is not found: apt-get update")
