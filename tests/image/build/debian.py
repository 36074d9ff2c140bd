"""Debian's packages for ARM64: a smallest system of them, and single ones that are only unpacked.

The machine that builds is of another architecture, and stays as it is: lists of ARM64 packages are kept
in the image's own cache.
"""

import os
import re
import time
from pathlib import Path

from tests.building.programs import BuildError, need, run

SUITE = "bookworm"
ARCHITECTURE = "arm64"
LISTS_AGE_S = 86_400
"""After a day the lists are asked for anew: what a security update replaced is gone from mirrors."""
BASE_TIMEOUT_S = 3600.0
UNREAD = ("man", "locale", "doc", "info", "lintian", "bug", "doc-base", "common-licenses")
"""Folders of /usr/share that nobody reads in a room."""
SETUP = "run tests/setup.sh image"


def base(packages: list[str], target: Path) -> None:
    """Writes a tar of a smallest Debian with `packages` to `target`. Raises BuildError."""
    need("mmdebstrap", "arch-test", hint=SETUP)
    try:
        run(["arch-test", ARCHITECTURE])
    except BuildError as error:
        raise BuildError(
            "programs of ARM64 do not run here", hint=f"{SETUP}: it enables qemu-aarch64 in binfmt_misc"
        ) from error
    if os.geteuid() != 0:
        # By which mmdebstrap is root in a namespace of its own.
        need("newuidmap", hint=SETUP)
    run(
        [
            "mmdebstrap",
            f"--arch={ARCHITECTURE}",
            "--variant=minbase",
            "--mode=root" if os.geteuid() == 0 else "--mode=unshare",
            "--format=tar",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNREAD),
            '--aptopt=Apt::Install-Recommends "false"',
            f"--include={','.join(packages)}",
            SUITE,
            target,
        ],
        timeout_s=BASE_TIMEOUT_S,
    )


class Arm64Packages:
    """Debian's ARM64 packages as apt on this machine can fetch them, with lists in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}

    def download(self, name: str, into: Path) -> Path:
        """The file of the newest package of that name, in the folder `into`. Raises BuildError."""
        self._refresh()
        into.mkdir(parents=True, exist_ok=True)
        run(["apt-get", "download", "-q", name], into, environment=self._settings)
        found = next(into.glob(f"{name}_*.deb"), None)
        if found is None:
            raise BuildError(f"apt downloaded no {name}")
        return found

    def depends(self, name: str, prefix: str) -> str:
        """The one package that `name` depends on whose name begins with `prefix`. Raises BuildError."""
        self._refresh()
        told = run(["apt-cache", "depends", name], environment=self._settings)
        found = re.search(rf"Depends: ({re.escape(prefix)}\S*)", told)
        if found is None:
            raise BuildError(
                f"apt knows no {name} for {ARCHITECTURE}", hint="are Debian 12's sources set up?"
            )
        return found[1]

    def _refresh(self) -> None:
        need("apt-get", "apt-cache", "dpkg-deb", hint="the image is made of Debian's packages, on Debian")
        lists = self._folder / "lists"
        if lists.exists() and time.time() - lists.stat().st_mtime < LISTS_AGE_S:
            return
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "apt.conf").write_text(
            f'APT::Architecture "{ARCHITECTURE}";\n'
            f'APT::Architectures {{ "{ARCHITECTURE}"; }};\n'
            f'Dir::State::lists "{lists}";\n'
            'Dir::State::status "/dev/null";\n'
            f'Dir::Cache "{self._folder}/cache";\n'
            # Its lists are in a folder of ours, where apt's own user may not be let in.
            'APT::Sandbox::User "root";\n'
        )
        run(["apt-get", "update", "-q"], environment=self._settings)
        os.utime(lists)
