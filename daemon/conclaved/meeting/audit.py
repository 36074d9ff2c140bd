"""The record of a meeting: who came and went, which codes there were, what was decided.

It is what this device saw, in its own words, and it holds no secret: no key, no code, no media. At a
code epoch it holds a fingerprint of the group's history, equal for all who shared it, so that the
records of two rooms can be laid side by side. Signed by the device, it can be checked anywhere by the
device's certificate.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from conclaved.identity import Signer, jws

TYPE = "conclave-audit+jws"
VERSION = 1
MAX_ENTRIES = 10_000
"""Beyond it the oldest are counted and not kept."""
MAX_CAUSE = 300
"""Characters of one cause."""
MAX_TOKEN_BYTES = 16 * 1024 * 1024


class Event(Enum):
    """What happened. The value is the word in the record."""

    JOINED = "joined"
    PRESENT = "present"
    """Was in when this room came in."""
    LEFT = "left"
    REMOVED = "removed"
    VANISHED = "vanished"
    RENEWED = "renewed"
    DOUBTED = "doubted"
    """A certificate changed into one that is no successor of the one before."""
    HOST = "host"
    """Became a host."""
    CODE_EPOCH = "code_epoch"
    TERMS = "terms"
    """A host changed what holds for all."""
    ADMITTED = "admitted"
    """From the lobby, by the people in this room."""
    DENIED = "denied"
    POLICY = "policy"
    """This device's own rules: what they are, what they mind, that it has passed."""
    BEHIND = "behind"
    ALARM = "alarm"
    REJOINING = "rejoining"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. What does not apply is empty."""

    seq: int
    """Counts from 1: a record that does not begin with 1 has lost what came before."""
    time: int
    """Unix seconds, by this device's clock."""
    event: Event
    epoch: int = 0
    name: str = ""
    assurance: str = ""
    role: str = ""
    cause: str = ""
    transcript: str = ""
    """SHA-256 of the `confirmed_transcript_hash`, hex, of a code epoch."""

    def content(self) -> dict[str, int | str]:
        """The entry as JSON has it: what is empty is left out."""
        fields: dict[str, int | str] = {
            "epoch": self.epoch,
            "name": self.name,
            "assurance": self.assurance,
            "role": self.role,
            "cause": self.cause,
            "transcript": self.transcript,
        }
        kept = {key: value for key, value in fields.items() if value}
        return {"seq": self.seq, "time": self.time, "event": self.event.value, **kept}


@dataclass(frozen=True, slots=True)
class Record:
    """All that was written down; see the file's head."""

    meeting_id: bytes
    title: str
    service: str
    room: str
    """The name in this device's certificate."""
    entries: tuple[Entry, ...] = ()

    def __repr__(self) -> str:
        return f"Record({self.room}, {len(self.entries)} entries)"

    @property
    def next_seq(self) -> int:
        """The number of the entry that comes next."""
        return self.entries[-1].seq + 1 if self.entries else 1

    def with_entry(self, entry: Entry) -> "Record":
        """The record with one more entry at the end; the oldest goes where there are too many."""
        entry = replace(entry, cause=entry.cause[:MAX_CAUSE])
        return replace(self, entries=(*self.entries[-(MAX_ENTRIES - 1) :], entry))

    def with_cause(self, seq: int, cause: str) -> "Record":
        """The record with another cause in the entry of that number, if it is still kept."""
        at = seq - self.entries[0].seq if self.entries else -1
        if not 0 <= at < len(self.entries):
            return self
        entry = replace(self.entries[at], cause=cause[:MAX_CAUSE])
        return replace(self, entries=(*self.entries[:at], entry, *self.entries[at + 1 :]))

    def with_last(self, entry: Entry) -> "Record":
        """The record with this entry in the place of its last one."""
        return replace(self, entries=self.entries[:-1]).with_entry(entry)

    def payload(self) -> bytes:
        """The record as one JSON object, its keys in order, UTF-8: equal records have equal bytes."""
        content = {
            "version": VERSION,
            "meeting": self.meeting_id.hex(),
            "title": self.title,
            "service": self.service,
            "room": self.room,
            "entries": [entry.content() for entry in self.entries],
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def sign(self, signer: Signer, chain: Sequence[bytes]) -> str:
        """The record as a compact JWS of type `conclave-audit+jws`, the `chain` (DER, leaf first) in `x5c`.

        Slow where the key is in a TPM. Raises LocalIdentityError when the chain is not the signer's.
        """
        return jws.sign(self.payload(), signer, chain, typ=TYPE, max_bytes=MAX_TOKEN_BYTES)
