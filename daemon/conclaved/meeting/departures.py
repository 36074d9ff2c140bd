"""Who is no longer in after a commit, and why; and who has ended the meeting for all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.roster import Assess, Participant, roster
from conclaved.meeting.rules import CommittedProposal, RemoveReason, line_of
from conclaved.meeting.tree_rules import name_on
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
    by: str
    """The name of the one who proposed it."""
    is_back: bool
    """The same commit let it in again."""
    back_as: str = ""
    """The name under which, where that is another one."""

    @property
    def words(self) -> str:
        """For people."""
        if self.back_as:
            return f"{self.participant.in_words} came back as {self.back_as}, let in by a host"
        if self.is_back:
            return f"{self.participant.in_words} came back"
        # Anybody may say so of anybody: people should know who did.
        by = f", by {self.by}" if self.reason is RemoveReason.VANISHED else ""
        return f"{self.participant.in_words} {_WORDS[self.reason]}{by}"


def departures(
    proposals: Iterable[CommittedProposal],
    before: Mapping[int, LeafNode],
    added: Iterable[LeafNode],
    context: MeetingContext,
    assess: Assess,
) -> tuple[Departure, ...]:
    """Whom the Removes of a commit that passed the group rules removed.

    `before` are the leaves before it, by index; `added` those that it let in.
    """
    gone = []
    back = {key: leaf for leaf in added for key in line_of(leaf)}

    def seen(index: int, leaf: LeafNode) -> Participant:
        return roster([(index, leaf)], context, assess, own_leaf=-1)[0]

    for item in proposals:
        if isinstance(item.proposal, Remove):
            index, leaf = item.proposal.removed, before[item.proposal.removed]
            by = None if item.sender is None else before.get(item.sender)
            anew = next((back[key] for key in line_of(leaf) if key in back), None)
            is_renamed = anew is not None and name_on(anew) != name_on(leaf)
            gone.append(
                Departure(
                    participant=seen(index, leaf),
                    reason=RemoveReason(item.authenticated_data[0]),
                    line=line_of(leaf),
                    by="somebody" if by is None else seen(index, by).in_words,
                    is_back=anew is not None,
                    back_as=seen(index, anew).in_words if anew is not None and is_renamed else "",
                )
            )
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
            return ENDED.format(roster([(0, leaf)], context, assess, own_leaf=-1)[0].in_words)
    return ENDED.format("a host")
