"""The program itself: who came, what they ask for, one command or a prompt.

    conclave-shell [--bus ADDRESS] [--idle SECONDS] [-c LINE]

sshd runs the account's login shell with `-c` and the ForceCommand, or without it with what the client asked
for. LINE is therefore taken for the client's command, unless it is this program's own name: then the command
is in SSH_ORIGINAL_COMMAND, and where that is missing an interactive session is meant.
"""

import getopt
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NoReturn

from conclave_provisioning.shell import environment, lockdown
from conclave_provisioning.shell.origin import origin
from conclave_provisioning.shell.request import RequestError, split

NAME = "conclave-shell"
IDLE_S = 900
USAGE = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Start:
    """How the program was started, by sshd's or the account's settings."""

    bus: str = ""
    """D-Bus address of the room; empty: the system bus."""
    idle_s: int = IDLE_S
    line: str | None = None
    """The client's command; None for an interactive session."""


def main() -> NoReturn:
    """Run the shell and end the process."""
    code = 1
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    # The program's root: a bug of ours is one line, for the process ends before Python could tell.
    except Exception as error:  # noqa: BLE001
        print(f"{NAME}: a bug: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            try:
                if stream is not None:
                    stream.flush()
            except (OSError, ValueError):
                # The client has gone.
                continue
        # Python's own end would look at PYTHONINSPECT, and open its prompt.
        os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    for number in (signal.SIGTSTP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    os.chdir("/")
    try:
        start = read_start(arguments, os.environ.get("SSH_ORIGINAL_COMMAND"))
    except (getopt.GetoptError, ValueError) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return USAGE
    whence = origin(os.environ, pwd.getpwuid(os.getuid()).pw_name)
    wanted = environment.clean(os.environ, whence)
    os.environ.clear()
    os.environ.update(wanted)
    if start.bus:
        os.environ["CONCLAVE_BUS"] = start.bus
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    lockdown.shut()
    return _serve(start)


def read_start(arguments: Sequence[str], original: str | None) -> Start:
    """Return how the program was started. Raises getopt.GetoptError, ValueError. Pure."""
    options, rest = getopt.getopt(list(arguments), "c:", ["bus=", "idle="])
    if rest:
        raise ValueError(f"{rest[0]!r} is not understood")
    given = dict(options)
    line = given.get("-c")
    if line is not None and PurePath(line).name == NAME:
        line = None
    return Start(
        bus=given.get("--bus", ""),
        idle_s=int(given.get("--idle", IDLE_S)),
        line=line if original is None else original,
    )


def _serve(start: Start) -> int:
    # From here on, for a wrong option of ours needs none of it.
    from conclave_provisioning.cli import main as conclavectl
    from conclave_provisioning.cli.command import root
    from conclave_provisioning.cli.errors import CommandError, ErrorKind
    from conclave_provisioning.cli.output import Output
    from conclave_provisioning.shell.confinement import check

    def run(words: Sequence[str]) -> int:
        if words and words[0] in ("help", "?"):
            words = [*words[1:], "--help"]
        try:
            check(root, words)
        except RequestError as error:
            return refuse(error, is_json="--json" in words)
        stdout = sys.stdout
        try:
            return conclavectl(words)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 1
        finally:
            # A command that gave a file out on it has turned its words elsewhere.
            sys.stdout = stdout

    def refuse(error: RequestError, *, is_json: bool = False) -> int:
        usage = CommandError(ErrorKind.USAGE, str(error), hint=error.hint)
        Output(is_json=is_json).error(usage)
        return usage.exit_code

    if start.line is not None:
        try:
            words = split(start.line)
        except RequestError as error:
            return refuse(error, is_json="--json" in start.line.split())
        return run(words)

    from conclave_provisioning.shell.completion import candidates
    from conclave_provisioning.shell.prompt import converse

    return converse(run, refuse, lambda before, begun: candidates(root, before, begun), idle_s=start.idle_s)
