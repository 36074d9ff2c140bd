"""A root file system in a folder: `systemd/install.sh` and the programs that its units start."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "systemd"
UNITS = Path("usr/lib/systemd/system")
_STARTED = ("usr/bin/python3", "bin/sh", "usr/bin/rauc", "usr/bin/sleep")
"""Programs of other packages that our units start: stubs, which systemd-analyze looks for."""


def run(*command: str | Path) -> str:
    """What a program says, on both streams. Raises CalledProcessError, with that in its notes."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, [str(word) for word in command])
        error.add_note(done.stdout)
        raise error
    return done.stdout


def install(root: Path) -> Path:
    """Everything that `systemd/` has, in `root`."""
    run(SOURCE / "install.sh", root)
    return root


def add_the_system(root: Path) -> None:
    """systemd's own units and the accounts of this machine, and stubs of the programs that units start."""
    for file in Path("/usr/lib/systemd/system").iterdir():
        if file.is_file() and not (root / UNITS / file.name).exists():
            shutil.copy(file, root / UNITS / file.name, follow_symlinks=False)
    (root / "etc").mkdir(exist_ok=True)
    for name in ("passwd", "group"):
        shutil.copy(Path("/etc") / name, root / "etc" / name)
    for name in _STARTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch(mode=0o755)
