"""The journal of this device's own units, through `journalctl` with fixed arguments.

The daemon reads it for its admins: over SSH they can start no program and read no file. Nothing that a caller
says becomes more than the value of one option, and what comes back is bounded in number, size and time.
"""

import asyncio
import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conclaved.bus.room import LogEntry, LogQuery, LogView, RoomError, RoomErrorKind

PROGRAM = Path("/usr/bin/journalctl")
UNITS = "conclave*"
CHANGE_RECORD = "8f2e0d4b6f6c4c0f9a3b5d1e7c2a9048"
"""The MESSAGE_ID of the record of changes (`conclaved.service.changes`)."""
FIELDS = ("MESSAGE", "PRIORITY", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER")
MOST_LINES = 10_000
LONGEST_MESSAGE = 16_000
LONGEST_ANSWER = 24 * 1024 * 1024
ANSWER_WITHIN_S = 20.0
_SINCE = re.compile(r"[0-9A-Za-z@:+. -]{1,40}")
_CURSOR = re.compile(r"[0-9a-z=;]{1,400}")
_NOTHING = "No data available"
_GROUP = "the daemon's user has to be in the group systemd-journal"
_NO_PRIORITY = 6


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal: the system's, or the one in `directory`."""

    directory: Path | None = None
    program: Path = PROGRAM

    async def read(self, query: LogQuery) -> LogView:
        """What the journal has. Raises RoomError."""
        text = await self._run(self._arguments(query))
        entries = []
        cursor = query.after
        for line in text.splitlines():
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                entry = json.loads(line)
                entries.append(_entry(entry))
                cursor = str(entry.get("__CURSOR", ""))
        return LogView(tuple(entries), cursor)

    def _arguments(self, query: LogQuery) -> list[str]:
        if query.since and not _SINCE.fullmatch(query.since):
            raise _no_time(query.since)
        if query.after and not _CURSOR.fullmatch(query.after):
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, "that is no place in the journal")
        arguments = ["--output=json", "--all", "--no-pager", "--quiet", f"--output-fields={','.join(FIELDS)}"]
        arguments += [f"--unit={UNITS}", f"--lines={min(max(query.lines, 1), MOST_LINES)}"]
        if self.directory is not None:
            arguments.append(f"--directory={self.directory}")
        if query.since:
            arguments.append(f"--since={query.since}")
        if query.after:
            arguments.append(f"--after-cursor={query.after}")
        if query.changes_only:
            arguments.append(f"MESSAGE_ID={CHANGE_RECORD}")
        return arguments

    async def _run(self, arguments: list[str]) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                str(self.program),
                *arguments,
                env={"LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "TZ": "UTC"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_ANSWER,
            )
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"this device keeps no journal that can be read: {error.strerror}",
                hint="read its log where it is kept",
            ) from error
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                out, words = await process.communicate()
        except TimeoutError as error:
            raise RoomError(RoomErrorKind.TIMED_OUT, "the journal does not answer") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = " ".join(words.decode("utf-8", "replace").split())
            if _NOTHING in said:
                return ""
            if "timestamp" in said:
                raise _no_time(said.rpartition(": ")[2])
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the journal cannot be read: {said}",
                hint=_GROUP if "permission" in said else "see: conclavectl doctor",
            )
        if len(out) > LONGEST_ANSWER:
            raise RoomError(
                RoomErrorKind.FAILED, "the journal has too much to say", hint="ask for fewer --lines"
            )
        return out.decode("utf-8", "replace")


def _no_time(text: str) -> RoomError:
    return RoomError(
        RoomErrorKind.INVALID_ARGUMENT,
        f"{text[:60]!r} is no time that the journal understands",
        hint="say it like: today, -1h, '2026-11-30 08:00'",
    )


def _entry(entry: dict[str, Any]) -> LogEntry:
    priority = entry.get("PRIORITY")
    return LogEntry(
        time=int(entry["__REALTIME_TIMESTAMP"]) / 1e6,
        unit=_text(entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER")),
        priority=int(priority) if isinstance(priority, str) and priority.isdigit() else _NO_PRIORITY,
        message=_text(entry.get("MESSAGE"))[:LONGEST_MESSAGE],
    )


def _text(value: object) -> str:
    """A field's text; the journal gives what is not UTF-8, or holds a control, as a list of bytes."""
    if isinstance(value, list):
        return bytes(byte for byte in value if isinstance(byte, int) and 0 <= byte < 256).decode(
            "utf-8", "replace"
        )
    return value if isinstance(value, str) else ""
