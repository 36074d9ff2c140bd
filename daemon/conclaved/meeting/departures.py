"""Who is no longer in after a commit, and why; and who has ended the meeting for all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.roster import Assess, Participant, roster
from conclaved.meeting.rules import CommittedProposal, RemoveReason, line_of
from conclaved.mls import GroupContextExtensions, LeafNode, Remove

ENDED = "{} ended the meeting for all"

_WORDS = {
    RemoveReason.LEAVE: "left",
    RemoveReason.KICK: "was removed by a host",
    RemoveReason.VANISHED: "was taken to have vanished",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """One who went with a commit, as it was seen at that moment."""

    participant: Participant
    reason: RemoveReason
    line: frozenset[bytes]
    """The keys that it has had."""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.participant.name} {_WORDS[self.reason]}"


def departures(
    proposals: Iterable[CommittedProposal],
    before: Mapping[int, LeafNode],
    context: MeetingContext,
    assess: Assess,
) -> tuple[Departure, ...]:
    """Whom the Removes of a commit that passed the group rules removed. `before` are the leaves before it."""
    gone = []
    for item in proposals:
        if isinstance(item.proposal, Remove):
            index, leaf = item.proposal.removed, before[item.proposal.removed]
            participant = roster([(index, leaf)], context, assess, own_leaf=-1)[0]
            reason = RemoveReason(item.authenticated_data[0])
            gone.append(Departure(participant, reason, line_of(leaf)))
    return tuple(gone)


def end_in_words(
    proposals: Iterable[CommittedProposal],
    before: Mapping[int, LeafNode],
    context: MeetingContext,
    assess: Assess,
) -> str:
    """What people read after a commit that ended the meeting for all: which host wanted it."""
    for item in proposals:
        leaf = None if item.sender is None else before.get(item.sender)
        if isinstance(item.proposal, GroupContextExtensions) and leaf is not None:
            return ENDED.format(roster([(0, leaf)], context, assess, own_leaf=-1)[0].name)
    return ENDED.format("a host")
