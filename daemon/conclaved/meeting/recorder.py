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

    def code(self, group: Group, reason: str) -> None:
        """A code epoch."""
        transcript = hashlib.sha256(group.confirmed_transcript_hash).hexdigest()
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
