"""Files that hold a link's secret or a record: whole or not at all, and for their owner's eyes.

The file "-" is stdout. All words of the command go to stderr then, and there is no JSON: stdout is the file.
"""

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path

import click

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import Settings
from conclave_provisioning.cli.named_file import STREAM


def check_places(*paths: Path | None) -> None:
    """Raise CommandError unless files can come to be at these paths; None is no file."""
    given = [path for path in paths if path is not None]
    streams = given.count(Path(STREAM))
    if streams > 1:
        raise CommandError(
            ErrorKind.USAGE, "two files cannot both go to stdout", hint="give - for one of them only"
        )
    if streams and click.get_current_context().ensure_object(Settings).is_json:
        raise CommandError(
            ErrorKind.USAGE, "--json and a file cannot both go to stdout", hint="leave one of them out"
        )
    for path in given:
        check_place(path)


def check_place(path: Path) -> None:
    """Raise CommandError unless a file can come to be at `path`.

    Prevents: a meeting that is created and whose invitation is then lost.
    """
    if path == Path(STREAM):
        return
    folder = path.parent
    if not folder.is_dir():
        raise _unwritable(path, "there is no such folder")
    if not os.access(folder, os.W_OK):
        raise _unwritable(path, "this user may not write there")
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    # A device or a link would be replaced by the file.
    if not stat.S_ISREG(mode):
        raise _unwritable(path, "something that is no plain file stands there")


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read (0600); one that stands there is replaced in one step.

    Raises CommandError.
    """
    check_place(path)
    if path == Path(STREAM):
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        sys.stdout = sys.stderr
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error.strerror or "an error of the disk") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise _unwritable(path, error.strerror or "an error of the disk") from error


def _unwritable(path: Path, why: str) -> CommandError:
    return CommandError(
        ErrorKind.FAILED, f"{path} cannot be written: {why}", hint="give a path in a folder of this user's"
    )
