"""What a host decided in a group before this one.

The service can lose a log at will, and the meeting is begun anew then; or one who was thrown out
founds a group for those who come back. So a member remembers, for as long as its session lasts, the
terms as a host left them, and goes by them in the next group; unless that has later ones, by a host
whom nobody threw out: then somebody was allowed back while this device was away.
"""

from collections.abc import Mapping
from dataclasses import replace

from conclaved.meeting.admission import line
from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import check_tree, line_of
from conclaved.mls import LeafNode


class Earlier:
    """See the file's head."""

    def __init__(self) -> None:
        self.terms: MeetingContext | None = None
        """As a host left them, in whatever group; None before the first."""
        self.carried: frozenset[bytes] = frozenset()
        """Keys thrown out of a group before this one, and not on this one's list."""

    def __repr__(self) -> str:
        return f"Earlier({len(self.carried)} carried)"

    def objection_to(self, context: MeetingContext, leaves: Mapping[int, LeafNode]) -> str | None:
        """Why a device does not enter a group of these terms and leaves, or None.

        Whatever calls itself by the name of the group that we knew: who was thrown out of that one may
        have made this one.
        """
        try:
            if self.terms is not None and not self._is_overruled_by(context):
                known = replace(self.terms, kicked=self.terms.kicked | self.carried)
                check_tree(known, leaves.values())
        except GroupRuleError as error:
            return f"the meeting was begun anew with somebody whom a host had thrown out: {error}"
        return None

    def joined(self, context: MeetingContext) -> None:
        """A group that others made is entered: its list may lack whom an earlier one's had."""
        if self._is_overruled_by(context):
            self.carried = frozenset()
        elif self.terms is not None:
            self.carried |= self.terms.kicked

    def to_found(self, *, is_host: bool) -> MeetingContext | None:
        """The terms for a group of our own, or None where there were none before.

        A host puts on its list whom an earlier one had, and signs it anew. Who is no host has only what
        a host has signed.
        """
        if self.terms is None or not is_host or not self.carried:
            return self.terms
        return replace(self.terms, kicked=self.terms.kicked | self.carried, word=None)

    def entered(self, context: MeetingContext, leaves: Mapping[int, LeafNode]) -> tuple[int, ...]:
        """An epoch of the present group has these terms. Returns the leaves of those thrown out before."""
        self.carried -= context.kicked
        self.terms = context
        return tuple(index for index, leaf in leaves.items() if line_of(leaf) & self.carried)

    def _is_overruled_by(self, context: MeetingContext) -> bool:
        """Whether these terms are a later decision, by a host that was not thrown out."""
        if self.terms is None or context.word is None or context.serial <= self.terms.serial:
            return False
        return line(context.word.admission).isdisjoint(self.terms.kicked | self.carried)
