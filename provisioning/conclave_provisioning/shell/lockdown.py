"""Shuts the process itself: from here on it opens no file but its own libraries and starts no program.

This stands behind `confinement`: a command that is new, or whose options were declared badly, cannot read or
write a file that an admin names. It is an audit hook (PEP 578), which cannot be removed once it is there. It
guards our own code against its arguments; it is no sandbox for hostile Python.
"""

import errno
import os
import resource
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

WORDS = "files of the device cannot be used in the admin's shell; use - for stdin or stdout"

# Time zones, the terminal's abilities: what the standard library and the line editor look up.
_SYSTEM = (
    "/usr/share/zoneinfo",
    "/usr/share/terminfo",
    "/usr/lib/terminfo",
    "/lib/terminfo",
    "/etc/terminfo",
)
_SYSTEM_FILES = frozenset({"/etc/localtime", "/etc/timezone", "/etc/inputrc"})
_TERMINAL = frozenset({"/dev/tty", "/dev/null"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_LISTING = frozenset({"os.listdir", "os.scandir"})
_REFUSED = frozenset(
    {
        "os.chflags",
        "os.chmod",
        "os.chown",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.link",
        "os.lockf",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.removexattr",
        "os.rename",
        "os.rmdir",
        "os.setxattr",
        "os.spawn",
        "os.symlink",
        "os.system",
        "os.truncate",
        "os.utime",
        "pty.spawn",
        "subprocess.Popen",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "webbrowser.open",
    }
)


def shut() -> None:
    """Let this process open, write, make and start nothing more. For good: only a process's root calls it."""
    # No file grows, by whatever library, and no core dump holds a link that was pasted.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.dont_write_bytecode = True
    sys.addaudithook(hook(_libraries()))


def hook(libraries: Iterable[Path]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that lets files under `libraries` be read; it raises PermissionError else."""
    roots = tuple(f"{os.path.realpath(root)}/" for root in (*map(str, libraries), *_SYSTEM))

    def is_readable(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            # Already open; or the working directory, which `_SYSTEM` has not.
            return isinstance(path, int)
        real = os.path.realpath(os.fsdecode(path))
        return f"{real}/".startswith(roots) or os.fsdecode(path) in _SYSTEM_FILES | _TERMINAL

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int) or (not flags & _WRITING and is_readable(path)):
                return
            if os.fsdecode(path) in _TERMINAL:
                return
            raise PermissionError(errno.EACCES, WORDS, path)
        if event in _REFUSED or (event in _LISTING and not is_readable(arguments[0])):
            raise PermissionError(errno.EACCES, WORDS)

    return look


def _libraries() -> list[Path]:
    """Where our code and its libraries lie. A relative entry would be wherever the process stands."""
    places = [*sys.path, *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib"))]
    return [Path(place) for place in places if place.startswith("/") and place != "/"]
