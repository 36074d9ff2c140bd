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
import time
from dataclasses import replace
from pathlib import Path

from conclave_hal.panel import PanelAction
from conclaved.bus.change_report import Change
from conclaved.bus.record import DONE, Record
from conclaved.service.mutes import Hand

log = logging.getLogger(__name__)

MESSAGE_ID = "8f2e0d4b6f6c4c0f9a3b5d1e7c2a9048"
"""The same for every record, of this and of later versions."""
NOTICE, WARNING = 5, 4
MOST_CHANGES_BYTES = 6_000
"""In one entry: all of it is shown where the journal is read (`journal.LONGEST_MESSAGE`)."""
MOST_WAIT_S = 0.1
"""For a journal that is slow to take a record: after that the log has it."""


class ChangeRecord:
    """Writes records to the journal's socket, or else to the log."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def __call__(self, record: Record) -> None:
        """Write one record down, in several entries if it is long; waits for `MOST_WAIT_S` in all at most."""
        give_up_at = time.monotonic() + MOST_WAIT_S
        for part in in_parts(record):
            fields = fields_of(part)
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.settimeout(max(0.0, give_up_at - time.monotonic()))
                    sender.connect(str(self._journal))
                    sender.send(encode(fields))
            except OSError as error:
                log.debug("the journal takes no record: %s", error)
                log.info("%s", fields["MESSAGE"])


def in_parts(record: Record) -> list[Record]:
    """Return a record as several, none with more changes than a datagram has room for."""
    groups: list[list[Change]] = [[]]
    room = MOST_CHANGES_BYTES
    for change in record.changes:
        size = len(json.dumps([change.key, change.before, change.after]))
        if groups[-1] and size > room:
            groups.append([])
            room = MOST_CHANGES_BYTES
        groups[-1].append(change)
        room -= size
    return [
        replace(record, changes=tuple(group), part=number, parts=len(groups))
        for number, group in enumerate(groups, start=1)
    ]


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


def press_record(action: PanelAction, by: Hand) -> Record:
    """Return the record of a press on the panel or a button, which anybody in the room may have made."""
    about = {
        "request_id": action.request_id,
        "name": action.name,
        "invitation_id": action.invitation_id,
    }
    return Record(
        uid=None,
        origin=by.value,
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
    if record.parts > 1:
        who = f"{record.part} of {record.parts}: {who}"
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
