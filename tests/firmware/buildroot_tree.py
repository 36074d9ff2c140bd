"""A checkout of Buildroot, asked through its own make: no download and no build is done here."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXTERNAL = ROOT / "buildroot"
DEFCONFIGS = sorted((EXTERNAL / "configs").glob("*_defconfig"))
BOARDS = sorted(path.parent for path in (EXTERNAL / "board").glob("*/board.conf"))
VARIABLE = "CONCLAVE_BUILDROOT"
"""The environment variable that names the checkout."""


@dataclass
class BuildrootTree:
    """A checkout and a folder for what its make writes."""

    folder: Path
    out: Path
    _told: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def make(self, *words: str) -> str:
        """What make printed. Raises CalledProcessError with what it complained of."""
        done = subprocess.run(
            ["make", "-s", "-C", str(self.folder), f"O={self.out}", f"BR2_EXTERNAL={EXTERNAL}", *words],
            capture_output=True,
            text=True,
            timeout=300,
            env={key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "BR2_"))},
        )
        if done.returncode != 0:
            raise AssertionError(f"make {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def configure(self, defconfig: Path) -> dict[str, str]:
        """The whole configuration that kconfig makes of it: names and values."""
        self.make(defconfig.name)
        return symbols((self.out / ".config").read_text())

    def saved(self) -> str:
        """The shortest text that gives the configuration made last."""
        target = self.out / "saved"
        self.make("savedefconfig", f"DEFCONFIG={target}")
        return target.read_text()

    def packages(self, defconfig: Path) -> dict[str, Any]:
        """What `show-info` tells of every package of a board."""
        if defconfig.name not in self._told:
            self.configure(defconfig)
            self._told[defconfig.name] = json.loads(self.make("show-info"))
        return self._told[defconfig.name]


def symbols(text: str) -> dict[str, str]:
    """The symbols of a configuration; one that "is not set" has the value `n`."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name] = value
        elif line.startswith("# ") and line.endswith(" is not set"):
            found[line.removeprefix("# ").removesuffix(" is not set")] = "n"
    return found
