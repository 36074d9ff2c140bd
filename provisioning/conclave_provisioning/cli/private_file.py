"""Files that hold a link's secret or a record: whole or not at all, and for their owner's eyes."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from conclave_provisioning.cli.errors import CommandError, ErrorKind


def check_place(path: Path) -> None:
    """Raise CommandError unless a file can come to be at `path`.

    Prevents: a meeting that is created and whose invitation is then lost.
    """
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
