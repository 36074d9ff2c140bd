"""What a host decided in a group before this one.

The service can lose a log at will, and the meeting is begun anew then; or one who was thrown out
founds a group for those who come back. So a member remembers, over a restart too, the
terms as a host left them, and goes by them in the next group; unless that has later ones, by a host
whom nobody threw out: then somebody was allowed back while this device was away.

It remembers too who stood in that group by the word of one who was thrown out since. They may stay;
nobody else comes in by such a word, which may have been signed after the kick.
"""

from collections.abc import Mapping
from dataclasses import replace

from conclaved.meeting.admission import Admission, IssuerType, chain, line, origin
from conclaved.meeting.capabilities import Capability, may
from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.tree_rules import admission_of, check_tree, is_by_a_kicked_one, line_of
from conclaved.mls import LeafNode

_BEGUN_ANEW = "the meeting was begun anew with somebody whom a host had thrown out"


def not_noted(
    allowed_back: frozenset[tuple[bytes, int]], context: MeetingContext
) -> frozenset[tuple[bytes, int]]:
    """Those of `allowed_back` that the terms do not note, or note with a lower serial."""
    noted = dict(context.allowed_back)
    return frozenset((key, serial) for key, serial in allowed_back if noted.get(key, -1) < serial)


class Earlier:
    """See the file's head."""

    def __init__(self, terms: MeetingContext | None = None) -> None:
        """`terms` are those that this device had in a session before, of the same meeting."""
        self.terms = terms
        """As a host left them, in whatever group; None before the first."""
        self.carried: frozenset[bytes] = frozenset()
        """Keys thrown out of a group before this one, and not on this one's list."""
        self.link_guests: frozenset[bytes] | None = None
        """Who may stay by a link that was closed in a group before this one and is open in it; else None."""
        self.allowed_back: frozenset[tuple[bytes, int]] = frozenset()
        """Who was allowed back in a group before this one, and has to be let in anew, where this one's terms
        do not say so."""
        self._standing: frozenset[Admission] | None = frozenset() if terms is None else None
        """Of those who were in: the hosts', and those that stand on the word of one who was thrown out. None
        before the first group of a session that began with terms: who was in then is not known."""

    def __repr__(self) -> str:
        return f"Earlier({len(self.carried)} carried)"

    def objection_to(self, context: MeetingContext, leaves: Mapping[int, LeafNode]) -> str | None:
        """Why a device does not enter a group of these terms and leaves, or None.

        Whatever calls itself by the name of the group that we knew: who was thrown out of that one may
        have made this one.
        """
        known, kicked = self.terms, self._kicked()
        if known is None:
            return None
        try:
            if self._is_overruled_by(context):
                kicked &= context.kicked
            else:
                check_tree(self._known(known), leaves.values())
        except GroupRuleError as error:
            return f"{_BEGUN_ANEW}: {error}"
        # The terms of the group that we knew may be shown by whoever was in it: they prove no founder.
        if any(self._is_by_a_kicked_one(leaf, kicked) for leaf in leaves.values()):
            return f"{_BEGUN_ANEW}, or by its word"
        return None

    @property
    def to_keep(self) -> MeetingContext | None:
        """What the next session of this device has to know; None while no host has decided anything."""
        if self.terms is None or not self.is_carrying:
            return None if self.terms is None or self.terms.is_plain else self.terms
        return self._known(self.terms)

    @property
    def is_carrying(self) -> bool:
        """Whether the present group's terms lack what a host decided before."""
        return bool(self.carried or self.allowed_back) or self.link_guests is not None

    def joined(self, context: MeetingContext) -> None:
        """A group that others made is entered: its list may lack whom an earlier one's had."""
        if self._is_overruled_by(context):
            self.carried, self.link_guests, self.allowed_back = frozenset(), None, frozenset()
        elif self.terms is not None:
            if self.terms.is_link_closed:
                self.link_guests = self.terms.link_guests
            self.carried |= self.terms.kicked
            self.allowed_back |= self.terms.allowed_back

    def to_found(self, *, is_host: bool) -> MeetingContext | None:
        """The terms for a group of our own, or None where there were none before.

        A host puts on its list whom an earlier one had, and signs it anew. Who is no host has only what
        a host has signed.
        """
        if self.terms is None:
            return None
        if not is_host:
            return self.terms if self.terms.is_plain or self.terms.word is not None else None
        return self._known(self.terms) if self.is_carrying else self.terms

    def entered(self, context: MeetingContext, leaves: Mapping[int, LeafNode]) -> tuple[int, ...]:
        """An epoch of the present group has these terms. Returns the leaves of those thrown out before.

        Whom they have let in since, too.
        """
        self.carried -= context.kicked
        self.allowed_back = not_noted(self.allowed_back, context)
        self.terms = context
        if context.is_link_closed:
            self.link_guests = None
        back = tuple(
            index
            for index, leaf in leaves.items()
            if line_of(leaf) & self.carried
            or self._came_by_a_closed_link(leaf)
            or self._is_by_a_kicked_one(leaf, self.carried)
        )
        kicked = self._kicked()
        standing = frozenset(
            admission
            for admission in map(admission_of, leaves.values())
            if may(admission.role, Capability.ADD_PARTICIPANT)
            or is_by_a_kicked_one(kicked, admission, (), frozenset())
        )
        # Not all who stood in the group before have come into this one yet.
        self._standing = (self._standing or frozenset()) | standing if self.carried else standing
        return back

    def _kicked(self) -> frozenset[bytes]:
        return self.carried if self.terms is None else self.terms.kicked | self.carried

    def _known(self, terms: MeetingContext) -> MeetingContext:
        """These terms with what is carried into them; no host has signed that yet."""
        back = dict(sorted(terms.allowed_back | self.allowed_back))
        known = replace(terms, kicked=self._kicked(), allowed_back=frozenset(back.items()), word=None)
        if self.link_guests is None:
            return known
        return replace(known, is_link_closed=True, link_guests=self.link_guests)

    def _came_by_a_closed_link(self, leaf: LeafNode) -> bool:
        if self.link_guests is None or origin(admission_of(leaf)).issuer_type is not IssuerType.LINK:
            return False
        return line_of(leaf).isdisjoint(self.link_guests)

    def _is_by_a_kicked_one(self, leaf: LeafNode, kicked: frozenset[bytes]) -> bool:
        if not kicked or self._standing is None:
            return False
        standing = [admission for admission in self._standing if line(admission).isdisjoint(kicked)]
        hosts = (line(each) for each in standing if may(each.role, Capability.ADD_PARTICIPANT))
        host_keys = frozenset[bytes]().union(*hosts)
        return is_by_a_kicked_one(kicked, admission_of(leaf), standing, host_keys)

    def _is_overruled_by(self, context: MeetingContext) -> bool:
        """Whether these terms are a later decision, by a host that was not thrown out."""
        if self.terms is None or context.word is None or context.serial <= self.terms.serial:
            return False
        kicked, word = self._kicked(), context.word.admission
        if any({step.signature_key, step.issuer_key} & kicked for step in chain(word)):
            # Who has let it in may have done so after it was thrown out.
            return word in (self._standing or ()) and line(word).isdisjoint(kicked)
        least = dict(self.terms.allowed_back)
        return all(step.serial >= least.get(step.signature_key, 0) for step in chain(word))
