"""Programs that a build runs: each must succeed."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 300.0


class BuildError(Exception):
    """Something cannot be built. `hint` says what to do about it, where one can."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint


def need(*programs: str, hint: str) -> None:
    """Raise BuildError with `hint` unless all `programs` are found."""
    # Not everybody's PATH has the administrator's folders.
    missing = [name for name in programs if shutil.which(name) is None and not _is_for_admins(name)]
    if missing:
        raise BuildError(f"{', '.join(missing)} cannot be found", hint=hint)


def run(
    words: Sequence[str | Path],
    where: Path | None = None,
    *,
    timeout_s: float = PATIENCE_S,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its output; BuildError with its last words if it fails."""
    command = [str(word) for word in words]
    if shutil.which(command[0]) is None and _is_for_admins(command[0]):
        command[0] = f"/usr/sbin/{command[0]}"
    try:
        done = subprocess.run(
            command,
            cwd=where,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{words[0]} took longer than {timeout_s:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise BuildError(f"{' '.join(command[:2])} failed: {' / '.join(last)}")
    return done.stdout


def _is_for_admins(name: str) -> bool:
    return Path("/usr/sbin", name).exists()
