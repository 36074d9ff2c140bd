"""Log records as entries of systemd's journal, with fields to find them by; or as lines where no journal is.

Only fields that are named here go out: a record's arguments, which may be anything, do not.

    journalctl -u conclaved LOGGER=conclaved.service.renewing
    journalctl MESSAGE_ID=...           # `events` has the table
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from conclaved.service.events import EVENT_ATTRIBUTE, Event

Send = Callable[..., Any]
"""`systemd.journal.send`: a message, and fields by name."""


class JournalHandler(logging.Handler):
    """Hands records to `send`; those that it cannot take are lines on standard error."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send
        self._otherwise = lines_handler()
        self.room = ""
        """The room's own domain, in each entry; empty while it has none."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        fields: dict[str, str | int] = {
            "PRIORITY": str(priority(record)),
            "LOGGER": record.name,
            "SYSLOG_IDENTIFIER": "conclaved",
            "CODE_FILE": record.pathname,
            "CODE_LINE": record.lineno,
            "CODE_FUNC": record.funcName or "",
        }
        if self.room:
            fields["CONCLAVE_ROOM"] = self.room
        event = getattr(record, EVENT_ATTRIBUTE, None)
        if isinstance(event, Event):
            fields |= {"MESSAGE_ID": event.value, "CONCLAVE_EVENT": event.name.lower()}
        try:
            self._send(self.format(record), **fields)
        except Exception:  # noqa: BLE001  # whoever says something does not end by how it is written down
            self._otherwise.emit(record)


def lines_handler() -> logging.Handler:
    """Lines with the priority prefix that journald reads from a service's standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LineFormatter("%(name)s: %(message)s"))
    return handler


def log_handler() -> logging.Handler:
    """The journal where systemd started this process with its standard error there, else lines."""
    if is_in_journal(os.environ.get("JOURNAL_STREAM", ""), sys.stderr.fileno()):
        try:
            from systemd.journal import send
        except ImportError:
            return lines_handler()
        handler = JournalHandler(send)
        handler.setFormatter(logging.Formatter("%(message)s"))
        return handler
    return lines_handler()


def is_in_journal(journal_stream: str, fileno: int) -> bool:
    """Whether a file is the stream that systemd connected to the journal: `device:inode`, systemd.exec(5).

    The variable is inherited, and means nothing where somebody else has redirected the output since.
    """
    try:
        found = os.fstat(fileno)
    except OSError:
        return False
    return journal_stream == f"{found.st_dev}:{found.st_ino}"


def priority(record: logging.LogRecord) -> int:
    """As syslog counts."""
    return 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"<{priority(record)}>{super().format(record)}"
