"""The record of a meeting that a room signed: who came and went, which codes there were, what was decided.

What is printed of it is read here; `--json` passes the signed object on as it is. A record's time is that of
its last entry: the signer's certificate has to have been valid then. That is the signer's own word: who
steals the key of a certificate that has ended can still write records of the past.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography import x509

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.signed_token import read_object, read_token
from conclave_provisioning.cli.vouching import Anchor, Signer, claimed_name, vouch

JWS_TYPE = "conclave-audit+jws"
VERSION = 1
WHAT = "the record"
ENDED = "ended"
CAME = frozenset({"joined", "present"})
"""Events of those who are in."""
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. What a record leaves out is empty here."""

    seq: int
    """Counts from 1 in the meeting; of a record that was too long, the beginning is missing."""
    time: int
    """Seconds since 1970, by the room's clock."""
    event: str
    epoch: int = 0
    name: str = ""
    assurance: str = ""
    role: str = ""
    cause: str = ""
    transcript: str = ""
    """Of a code epoch, hex: the same in the records of all who shared it."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record whose signature is right under its own certificate. Who vouches for that, `check` asks."""

    content: dict[str, Any]
    """The signed object as it is."""
    title: str
    room: str
    service: str
    meeting: str
    entries: tuple[Entry, ...]
    chain: tuple[x509.Certificate, ...]

    @property
    def time(self) -> int:
        """When the last entry was made: seconds since 1970."""
        return max((entry.time for entry in self.entries), default=0)

    @property
    def began(self) -> int:
        """When the first entry was made: seconds since 1970; 0 where there is none."""
        return min((entry.time for entry in self.entries), default=0)

    @property
    def lasted_s(self) -> int:
        """Seconds between the first entry and the last."""
        return self.time - self.began

    @property
    def others(self) -> tuple[str, ...]:
        """Who else was in, each once, in the order in which the record first names them."""
        came = (entry.name for entry in self.entries if entry.event in CAME)
        return tuple(dict.fromkeys(name for name in came if name and name != self.room))

    @property
    def missing(self) -> int:
        """How many entries at the beginning are not kept."""
        return max(self.entries[0].seq - 1, 0) if self.entries else 0

    @property
    def left_out(self) -> int:
        """How many entries between others are not kept."""
        if not self.entries:
            return 0
        return self.entries[-1].seq - self.entries[0].seq + 1 - len(self.entries)

    @property
    def has_end(self) -> bool:
        """Whether the record was made when the meeting had ended for this room."""
        return bool(self.entries) and self.entries[-1].event == ENDED

    @property
    def claimed_signer(self) -> str:
        """The name in the certificate that signed; nobody has vouched for it."""
        return claimed_name(self.chain[0])

    def check(self, anchors: Sequence[Anchor]) -> Signer:
        """Find out who signed and which anchor vouches. Raises CommandError(NOT_GENUINE).

        Prevents: a record that one room signs and that says to be another's.
        """
        signer = vouch(self.chain, anchors, at=self.time, what=WHAT)
        if signer.name != self.room:
            raise CommandError(
                ErrorKind.NOT_GENUINE, f"{WHAT} says that it is of {self.room}, but {signer.name} signed it"
            )
        return signer


def read_record(token: str) -> AuditRecord:
    """Read a signed record. Raises CommandError(NOT_GENUINE) if it was changed or is something else."""
    signed = read_token(token.strip(), typ=JWS_TYPE, what=WHAT)
    content = read_object(signed.payload, WHAT)
    if content.get("version") != VERSION:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{WHAT} is of a version that this conclavectl does not know",
            hint="read it with a newer conclavectl",
        )
    entries = content.get("entries")
    if not isinstance(entries, list):
        raise _damaged()
    read = tuple(_entry(entry) for entry in entries)
    if any(later.seq <= earlier.seq for earlier, later in pairwise(read)):
        raise _damaged()
    return AuditRecord(
        content=content,
        title=_text(content, "title"),
        room=_text(content, "room"),
        service=_text(content, "service"),
        meeting=_text(content, "meeting"),
        entries=read,
        chain=signed.chain,
    )


def _entry(found: object) -> Entry:
    if not isinstance(found, dict):
        raise _damaged()
    return Entry(
        seq=_number(found, "seq"),
        time=_number(found, "time"),
        event=_text(found, "event"),
        epoch=_number(found, "epoch"),
        name=_text(found, "name"),
        assurance=_text(found, "assurance"),
        role=_text(found, "role"),
        cause=_text(found, "cause"),
        transcript=_text(found, "transcript"),
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise _damaged()
    return unicodedata.normalize("NFC", value)


def _number(found: dict[str, Any], name: str) -> int:
    value = found.get(name, 0)
    if type(value) is not int or not 0 <= value < 2**53:
        raise _damaged()
    return value


def _damaged() -> CommandError:
    return CommandError(ErrorKind.NOT_GENUINE, f"{WHAT} does not hold what it should")
