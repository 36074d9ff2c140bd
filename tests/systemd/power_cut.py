"""A script of the device whose power is cut before the n-th program that it runs.

A folder of stand-ins goes before PATH. Each counts, and either runs the real program or kills the script with
all that belongs to it, as a power cut does. The order of the calls is kept, so that a test sees that a file
was on the disk before it got its name.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

PROGRAMS = ("chmod", "cp", "find", "head", "mkdir", "mv", "rm", "ssh-keygen", "sync", "systemd-creds", "wc")

_STAND_IN = """#!/bin/sh
exec 9>>"{folder}/lock"
flock 9
echo "{name} $*" >>"{folder}/calls"
if [ "$(wc -l <"{folder}/calls")" -gt "$CUT_AFTER" ]; then
    kill -KILL 0
fi
exec 9>&-
exec {program} "$@"
"""


class PowerCuts:
    """Stand-ins in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"
        (folder / "bin").mkdir(parents=True)
        for name in PROGRAMS:
            stand_in = folder / "bin" / name
            stand_in.write_text(
                _STAND_IN.format(folder=folder, name=name, program=shutil.which(name)).replace(
                    "$(wc ", f"$({shutil.which('wc')} "
                )
            )
            stand_in.chmod(0o755)

    def run(self, *command: str | Path, cut_after: int) -> bool:
        """Whether the script ended before more than `cut_after` programs. Raises CalledProcessError."""
        self._calls.unlink(missing_ok=True)
        environment = {"PATH": f"{self._folder}/bin:{os.environ['PATH']}", "CUT_AFTER": str(cut_after)}
        done = subprocess.run(
            command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode == -signal.SIGKILL:
            return False
        done.check_returncode()
        return True

    @property
    def calls(self) -> list[list[str]]:
        """The programs that were run, with their arguments, in their order."""
        return [line.split() for line in self._calls.read_text().splitlines()]
