"""What waits to be committed, and which of it goes into the next commit.

All waiting joins and leaves go in one commit (DESIGN §4). Proposals by reference belong to an
epoch and are forgotten with it; offers stay until their key is in the tree.
"""

from dataclasses import dataclass

from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import RemoveReason, is_host
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    GroupContextExtensions,
    KeyPackage,
    LeafNode,
    Proposal,
    Remove,
)

MAX_OFFERS = 1024
MAX_PROPOSALS = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of a commit."""

    by_reference: tuple[AuthenticatedContent, ...]
    by_value: tuple[Proposal, ...]
    authenticated_data: bytes

    def __bool__(self) -> bool:
        return bool(self.by_reference or self.by_value)


class Agenda:
    """Offers and proposals. `since` is when the oldest of them came (monotonic seconds)."""

    def __init__(self) -> None:
        self._offers: dict[bytes, KeyPackage] = {}
        self._proposals: list[AuthenticatedContent] = []
        self.since: float | None = None

    def __repr__(self) -> str:
        return f"Agenda({len(self._offers)} offers, {len(self._proposals)} proposals)"

    @property
    def proposals(self) -> tuple[AuthenticatedContent, ...]:
        """The proposals of this epoch, in log order."""
        return tuple(self._proposals)

    def offer(self, key_package: KeyPackage, now: float) -> bool:
        """Take a checked KeyPackage; a newer one of the same key replaces it. True when it is new."""
        key = key_package.leaf_node.signature_key
        if self._offers.get(key) == key_package:
            return False
        if key not in self._offers and len(self._offers) >= MAX_OFFERS:
            return False
        self._offers[key] = key_package
        self._stamp(now)
        return True

    def withdraw(self, signature_key: bytes) -> None:
        """Forget the offer of a key."""
        self._offers.pop(signature_key, None)
        self._unstamp()

    def propose(self, content: AuthenticatedContent, now: float) -> None:
        """Take a proposal that was opened and verified."""
        if len(self._proposals) < MAX_PROPOSALS and content not in self._proposals:
            self._proposals.append(content)
            self._stamp(now)

    def next_epoch(self, added_keys: frozenset[bytes], now: float) -> None:
        """Proposals die with their epoch; offers whose key has just come in are done."""
        self._proposals.clear()
        for key in added_keys & self._offers.keys():
            del self._offers[key]
        self.since = now if self._offers else None

    def plan(self, leaves: dict[int, LeafNode], context: MeetingContext, own_leaf: int) -> Plan:
        """What the next commit holds: everything that the group rules let in together."""
        removes, extensions = self._removes(leaves, context, own_leaf)
        gone = {content.body.removed for content in removes if isinstance(content.body, Remove)}
        by_value: list[Proposal] = []
        leaf_of_key = {leaf.signature_key: index for index, leaf in leaves.items()}
        is_rejoin = False
        for key, key_package in self._offers.items():
            if key in context.kicked:
                continue
            old = leaf_of_key.get(key)
            if old == own_leaf:
                continue
            if old is not None and old not in gone:
                by_value.append(Remove(old))
                is_rejoin = True
            by_value.append(Add(key_package))
        data = bytes([RemoveReason.VANISHED]) if is_rejoin else b""
        by_reference = (*removes, *(() if extensions is None else (extensions,)))
        return Plan(by_reference, tuple(by_value), data)

    def _removes(
        self, leaves: dict[int, LeafNode], context: MeetingContext, own_leaf: int
    ) -> tuple[list[AuthenticatedContent], AuthenticatedContent | None]:
        """Removes with authority, one a leaf, and the one context change that goes with them."""
        extensions = next(
            (
                c
                for c in self._proposals
                if isinstance(c.body, GroupContextExtensions) and is_host(leaves.get(c.sender))
            ),
            None,
        )
        kicked = context.kicked
        if extensions is not None and isinstance(extensions.body, GroupContextExtensions):
            try:
                kicked = MeetingContext.of(extensions.body.extensions).kicked
            except GroupRuleError:
                extensions = None
        removes: dict[int, AuthenticatedContent] = {}
        for content in self._proposals:
            if not isinstance(content.body, Remove):
                continue
            leaf = leaves.get(content.body.removed)
            if leaf is None or content.body.removed == own_leaf:
                continue
            is_own_wish = content.sender == content.body.removed
            is_vanished = content.authenticated_data == bytes([RemoveReason.VANISHED])
            is_kick = is_host(leaves.get(content.sender)) and leaf.signature_key in kicked
            if is_own_wish or is_vanished or is_kick:
                removes.setdefault(content.body.removed, content)
        return list(removes.values()), extensions

    def _stamp(self, now: float) -> None:
        if self.since is None:
            self.since = now

    def _unstamp(self) -> None:
        if not self._offers and not self._proposals:
            self.since = None
