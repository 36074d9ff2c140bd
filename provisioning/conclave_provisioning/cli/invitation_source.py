"""What `meeting join` was given: a link, a file of an invitation, or either on stdin."""

import sys
import time
from pathlib import Path

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation import WayIn, read_file

MAX_BYTES = 1024 * 1024
STDIN = "-"
# With the mark that some editors put at the start of a file.
BLANKS = b"\xef\xbb\xbf \t\r\n"
CALENDAR = b"BEGIN:VCALENDAR"


def read_source(given: str) -> WayIn:
    """Find the way in. Raises CommandError.

    Whatever begins like a link is left for the room to judge, which knows best what is wrong with it.
    """
    if given == STDIN:
        return _from_stdin()
    if "://" in given:
        return WayIn(given)
    if not given.strip():
        raise CommandError(
            ErrorKind.USAGE,
            "the link is empty",
            hint="quote it, because of the #: conclavectl meeting join 'https://HOST/m/...#...'",
        )
    path = Path(given)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{given} is neither a link nor a file that can be read: {reason}",
            hint="a link looks like https://HOST/m/...#...; quote it, because of the #",
        ) from error
    return _from_content(content, path.name)


def _from_stdin() -> WayIn:
    # A link ends with its line, so that a person may type it.
    first = sys.stdin.buffer.readline(MAX_BYTES + 1)
    if first.strip() and not first.lstrip(BLANKS).startswith((b"{", CALENDAR)):
        return WayIn(first.decode("utf-8", "replace").strip())
    content = first + sys.stdin.buffer.read(MAX_BYTES + 1)
    if not content.strip():
        raise CommandError(
            ErrorKind.USAGE, "there is no link on stdin", hint="see: conclavectl meeting join --help"
        )
    return _from_content(content, "stdin")


def _from_content(content: bytes, name: str) -> WayIn:
    if len(content) > MAX_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{name} is longer than an invitation can be",
            hint="give a file of `conclavectl meeting create --file` or `--ics`",
        )
    start = content.lstrip(BLANKS)
    if start[: len(CALENDAR)].upper() == CALENDAR:
        from conclave_provisioning.cli.calendar_file import read_calendar

        return read_calendar(start, name)
    if start.startswith(b"https://"):
        # A link that was saved as it is.
        return WayIn(start.split()[0].decode("utf-8", "replace"))
    return read_file(start, name, time.time())
