"""The record of changes: each verb that was asked for, in the journal, where nobody in the room can edit it.

Spoken is journald's native protocol (a datagram of lines `NAME=value`), because systemd's library writes to
one fixed socket only, and a record that no test can catch is a record that nobody has seen. Where no journal
is, a log line says the same.

    journalctl MESSAGE_ID=8f2e0d4b6f6c4c0f9a3b5d1e7c2a9048     # all of them
    journalctl CONCLAVE_VERB=Trust.AddAnchor -o json            # one kind, with all its fields
"""

import json
import logging
import pwd
import socket
from pathlib import Path

from conclave_hal.panel import PanelAction
from conclaved.bus.record import DONE, Record

log = logging.getLogger(__name__)

MESSAGE_ID = "8f2e0d4b6f6c4c0f9a3b5d1e7c2a9048"
"""The same for every record, of this and of later versions."""
NOTICE, WARNING = 5, 4


class ChangeRecord:
    """Writes records to the journal's socket, or else to the log."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def __call__(self, record: Record) -> None:
        """Write one record down; never waits."""
        fields = fields_of(record)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(encode(fields), str(self._journal))
        except OSError as error:
            log.debug("the journal takes no record: %s", error)
            log.info("%s", fields["MESSAGE"])


def fields_of(record: Record) -> dict[str, str]:
    """Return the journal's fields of a record. Every one is a single line of printable characters."""
    user = record.who or _user(record.uid)
    changes = [{"key": c.key, "before": c.before, "after": c.after} for c in record.changes]
    fields = {
        "MESSAGE": _message(record, user),
        "MESSAGE_ID": MESSAGE_ID,
        "PRIORITY": str(NOTICE if record.outcome == DONE else WARNING),
        "SYSLOG_IDENTIFIER": "conclaved",
        "CONCLAVE_USER": user,
        "CONCLAVE_UID": "" if record.uid is None else str(record.uid),
        "CONCLAVE_ORIGIN": record.origin,
        "CONCLAVE_VERB": record.verb,
        "CONCLAVE_ARGUMENTS": json.dumps(dict(record.arguments)),
        "CONCLAVE_CHANGED": {True: "true", False: "false", None: "unknown"}[record.changed],
        "CONCLAVE_CHANGES": json.dumps(changes),
        "CONCLAVE_OUTCOME": record.outcome,
        "CONCLAVE_REASON": record.reason,
    }
    return {name: _line(value) for name, value in fields.items()}


def press_record(action: PanelAction) -> Record:
    """Return the record of a press on the panel, which anybody in the room may have made."""
    about = {"request_id": action.request_id, "name": action.name}
    return Record(
        uid=None,
        origin="the panel",
        verb=f"Panel.{action.kind.value}",
        arguments=tuple((name, value) for name, value in about.items() if value),
        outcome=DONE,
        changed=None,
        who="people in the room",
    )


def encode(fields: dict[str, str]) -> bytes:
    """Return one datagram of journald's native protocol; no value has a line break."""
    return b"".join(f"{name}={value}\n".encode("utf-8", "replace") for name, value in fields.items())


def _message(record: Record, user: str) -> str:
    who = f"{user} ({record.origin})" if record.origin else user
    what = " ".join([record.verb, *(f"{name}={value}" for name, value in record.arguments if value)])
    if record.outcome != DONE:
        return f"{who}: {what}: {record.outcome}: {record.reason}"
    if record.changed is False:
        return f"{who}: {what}: done, nothing changed"
    changes = "; ".join(f"{c.key}: {c.before or 'nothing'} -> {c.after or 'nothing'}" for c in record.changes)
    return f"{who}: {what}: done{f': {changes}' if changes else ''}"


def _user(uid: int | None) -> str:
    if uid is None:
        return "unknown"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _line(text: str) -> str:
    """A name may hold what it likes: a record must not begin another line, or move a cursor."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
