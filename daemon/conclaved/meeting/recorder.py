"""Writes down what happens in a meeting, while it happens: see `audit`."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from conclaved.meeting.audit import Entry, Event, Record
from conclaved.meeting.departures import Departure
from conclaved.meeting.desk import Waiting
from conclaved.meeting.invitation import Level
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.own_rules import OwnRules
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.roster import Assess, Participant
from conclaved.meeting.rules import RemoveReason
from conclaved.mls import Group

_GONE = {
    RemoveReason.LEAVE: Event.LEFT,
    RemoveReason.KICK: Event.REMOVED,
    RemoveReason.VANISHED: Event.VANISHED,
}
CAME_BACK = "came back"
MAX_COUNTED = 4096
CUT = 200
"""Characters of a cause that a count stands behind."""


class Recorder:
    """All parts of a session may write into it; nobody may change what stands there."""

    def __init__(self, own: OwnSide, assess: Assess, wall: Callable[[], int]) -> None:
        """`wall` gives seconds since 1970."""
        self._own = own
        self._assess = assess
        self._wall = wall
        content = own.invitation.content
        self._record = Record(content.meeting_id, content.title, content.service, self._room())
        self._is_in = False
        self._behind = ""
        self._minds = ""
        self._counted: dict[tuple[Event, bytes], tuple[int, int]] = {}
        """The number of the entry that counts what one does again and again, and how often it did."""
        self._codes: tuple[int, int, int] | None = None
        """Of the last entry, if it is a code epoch that stands for several: its number, the first of these
        epochs, and how many came after it."""

    def __repr__(self) -> str:
        return f"Recorder({self._record!r})"

    @property
    def record(self) -> Record:
        """What stands there now."""
        return self._record

    def note(
        self,
        event: Event,
        cause: str = "",
        *,
        epoch: int = 0,
        name: str = "",
        assurance: str = "",
        role: str = "",
        transcript: str = "",
    ) -> None:
        """Write down one thing."""
        seq, time = self._record.next_seq, self._wall()
        entry = Entry(seq, time, event, epoch, name, assurance, role, cause, transcript)
        self._record = replace(self._record.with_entry(entry), room=self._room())

    def note_of(self, who: Participant, event: Event, cause: str = "", *, epoch: int = 0) -> None:
        """Write down what one did, or what was done to it."""
        name, assurance, role = who.name, who.assurance.value, who.role.word
        self.note(event, cause, epoch=epoch, name=name, assurance=assurance, role=role)

    def note_again(self, who: Participant, first: bytes, event: Event, cause: str, *, epoch: int) -> None:
        """Write down what one does again and again: in one entry, which counts, for the whole meeting.

        What is rare and matters would be pushed out of the record otherwise. `first` is the first key of
        its line.
        """
        seq, times = self._counted.get((event, first), (0, 0))
        if self._record.entries and seq >= self._record.entries[0].seq:
            more = f"and {_more(times + 1)}, the last in epoch {epoch}"
            self._record = self._record.with_cause(seq, f"{cause[:CUT]}; {more}")
            self._counted[event, first] = seq, times + 1
        elif len(self._counted) < MAX_COUNTED:
            self._counted[event, first] = self._record.next_seq, 0
            self.note_of(who, event, cause, epoch=epoch)

    def decided(self, waiting: Waiting, event: Event) -> None:
        """The people in this room have let somebody in from the lobby, or turned away."""
        self.note(event, "in this room", name=waiting.name, assurance=waiting.verdict.assurance.value)

    def policy(self, rules: OwnRules) -> None:
        """What this device demands from now on."""
        is_locked = rules.minimum_level is Level.LOCKED
        demands = ["locked meetings only" if is_locked else "standard or locked meetings"]
        demands += ["verified names only"] if rules.requires_verified else []
        demands += [] if rules.allows_service_ends else ["no service ends"]
        self.note(Event.POLICY, f"this room's policy: {', '.join(demands)}")

    def entered(self, epoch: int, participants: Iterable[Participant], added: Mapping[bytes, bool]) -> None:
        """A group, or its next epoch. `added` are the keys that came in; True for one that came back."""
        participants = tuple(participants)
        for who in participants:
            if not self._is_in and who.is_self:
                cause = "this room began the meeting" if len(participants) == 1 else "this room joined"
                self.note_of(who, Event.JOINED, cause, epoch=epoch)
            elif not self._is_in:
                self.note_of(who, Event.PRESENT, f"admitted by {who.admitted_by}", epoch=epoch)
            elif who.signature_key in added:
                cause = CAME_BACK if added[who.signature_key] else f"admitted by {who.admitted_by}"
                self.note_of(who, Event.JOINED, cause, epoch=epoch)
        self._is_in = True

    def gone(self, departure: Departure, epoch: int) -> None:
        """Somebody was removed. Who came back in the same commit was not gone."""
        if not departure.is_back:
            cause = "" if departure.reason is RemoveReason.LEAVE else f"by {departure.by}"
            self.note_of(departure.participant, _GONE[departure.reason], cause, epoch=epoch)

    def code(self, group: Group, reason: str, *, is_again: bool = False) -> None:
        """A code epoch. One that `is_again`, by what somebody does again and again, takes the place of the
        one before it, if that was such a one too, and counts.
        """
        transcript = hashlib.sha256(group.confirmed_transcript_hash).hexdigest()
        last = self._record.entries[-1] if self._record.entries else None
        if is_again and last is not None and self._codes is not None and self._codes[0] == last.seq:
            seq, first, times = self._codes
            self._codes = seq, first, times + 1
            cause = f"{reason[:CUT]}; and {_more(times + 1)} before, since epoch {first}"
            entry = Entry(
                seq, self._wall(), Event.CODE_EPOCH, group.epoch, cause=cause, transcript=transcript
            )
            self._record = self._record.with_last(entry)
            return
        self._codes = (self._record.next_seq, group.epoch, 0) if is_again else None
        self.note(Event.CODE_EPOCH, reason, epoch=group.epoch, transcript=transcript)

    def terms(self, before: MeetingContext, after: MeetingContext, epoch: int) -> None:
        """What a host has changed for all."""
        changes = []
        if after.kicked - before.kicked:
            changes.append("somebody may not come back")
        if before.kicked - after.kicked:
            changes.append("somebody who was removed may ask again")
        if after.is_link_closed and not before.is_link_closed:
            changes.append("the link admits nobody any more")
        if after.invitation.token != before.invitation.token:
            changes.append("the invitation was replaced by a newer one")
        if after.is_ended:
            changes.append("the meeting is over for all")
        if changes:
            self.note(Event.TERMS, "; ".join(changes), epoch=epoch)

    def look(self, behind: str, minds: str) -> None:
        """Write down what is new of these: why this room is behind, what it minds."""
        if behind and not self._behind:
            self.note(Event.BEHIND, behind)
        if minds != self._minds:
            self.note(
                Event.POLICY, f"this room minds: {minds}" if minds else "this room minds nothing any more"
            )
        self._behind, self._minds = behind, minds

    def left_group(self, why: str) -> None:
        """The group is given up, and another way in is taken."""
        if self._is_in:
            self.note(Event.REJOINING, why)
        self._is_in = False

    def _room(self) -> str:
        return self._assess(self._own.identity.chain, self._own.key).name


def _more(times: int) -> str:
    return f"{times} more time{'' if times == 1 else 's'}"
