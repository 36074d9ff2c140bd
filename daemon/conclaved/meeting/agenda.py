"""What waits to be committed, and which of it goes into the next commit.

All waiting joins and leaves go in one commit (DESIGN §4). Proposals by reference belong to an
epoch and are forgotten with it, not before: another member's commit may name any of them. Offers
stay until their key is in the tree.

Nobody may hold up the rest with an offer or a proposal that spoils every commit it is in. What
can be seen to do so is left out of the plan; when a commit fails all the same, `failed` narrows
down on what it was: first the Updates are left out, then proposals and offers go apart, then the
offers one by one. An Update or an offer that is left out goes alone, after everything else.
"""

import contextlib
from dataclasses import dataclass

from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.limits import DEFAULT_LIMITS, Limits
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.meeting.rules import (
    RemoveReason,
    check_newcomer,
    check_replacement,
    is_host,
    kicks_in_force,
    line_of,
)
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    Commit,
    GroupContextExtensions,
    KeyPackage,
    LeafNode,
    Proposal,
    Remove,
    Update,
)

MAX_REFUSED = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of a commit."""

    by_reference: tuple[AuthenticatedContent, ...]
    by_value: tuple[Proposal, ...]
    authenticated_data: bytes
    is_barred: bool = False
    """Whether this device may commit nothing at all: it is to be thrown out."""

    def __bool__(self) -> bool:
        return bool(self.by_reference or self.by_value)

    @property
    def updates(self) -> tuple[AuthenticatedContent, ...]:
        """The Updates that it holds."""
        return tuple(content for content in self.by_reference if isinstance(content.body, Update))

    @property
    def offers(self) -> tuple[KeyPackage, ...]:
        """The KeyPackages that it adds."""
        return tuple(proposal.key_package for proposal in self.by_value if isinstance(proposal, Add))


class Agenda:
    """Offers and proposals. `since` is when the oldest of them came (monotonic seconds)."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._max_offers = limits.offers
        self._max_proposals_of_one = limits.proposals_of_one
        self._offers: dict[bytes, KeyPackage] = {}
        self._proposals: list[AuthenticatedContent] = []
        self._set_aside: list[AuthenticatedContent] = []
        self._is_apart = False
        self._suspects: set[bytes] = set()
        self._suspected_updates: dict[bytes, None] = {}
        self._refused: dict[bytes, None] = {}
        self._vanished: frozenset[int] = frozenset()
        self.since: float | None = None

    def __repr__(self) -> str:
        return f"Agenda({len(self._offers)} offers, {len(self._proposals)} proposals)"

    @property
    def proposals(self) -> tuple[AuthenticatedContent, ...]:
        """The proposals of this epoch, in log order."""
        return tuple(self._proposals)

    def has(self, key_package: KeyPackage) -> bool:
        """Whether this very KeyPackage waits already, or was found to spoil commits."""
        waits = self._offers.get(key_package.leaf_node.signature_key) == key_package
        return waits or key_package.encode() in self._refused

    def clear(self) -> None:
        """Forget everything: the group is given up."""
        self.next_epoch(frozenset(), 0.0)
        self._offers.clear()
        self._suspects.clear()
        self._suspected_updates.clear()
        self._refused.clear()
        self.since = None

    def offer(self, key_package: KeyPackage, now: float) -> bool:
        """Take a checked KeyPackage; a newer one of the same key replaces it. True when it is new."""
        key = key_package.leaf_node.signature_key
        if self._offers.get(key) == key_package or key_package.encode() in self._refused:
            return False
        if key not in self._offers and len(self._offers) >= self._max_offers:
            return False
        self._offers[key] = key_package
        self._stamp(now)
        return True

    def withdraw(self, signature_key: bytes) -> None:
        """Forget the offer of a key."""
        self._offers.pop(signature_key, None)
        self._unstamp()

    def propose(self, content: AuthenticatedContent, now: float) -> None:
        """Take a proposal that was opened and verified; all members take the same ones, in log order."""
        if isinstance(content.body, bytes | Commit) or content in self._proposals:
            return
        if sum(1 for each in self._proposals if each.sender == content.sender) < self._max_proposals_of_one:
            self._proposals.append(content)
            self._stamp(now)

    def is_taken_for_gone(self, leaf: int) -> bool:
        """Whether somebody has proposed to clear a leaf away as vanished."""
        return any(
            isinstance(content.body, Remove)
            and content.body.removed == leaf
            and content.authenticated_data == bytes([RemoveReason.VANISHED])
            for content in self._proposals
        )

    def vanish(self, leaves: frozenset[int], now: float, *, is_host: bool) -> None:
        """These have not been heard for long, by this member's own observation.

        For a host that is work; another member waits until somebody else has said so too.
        """
        self._vanished = leaves
        if leaves and is_host:
            self._stamp(now)
        else:
            self._unstamp()

    def next_epoch(
        self, added_keys: frozenset[bytes], now: float, *, updated_keys: frozenset[bytes] = frozenset()
    ) -> None:
        """Proposals die with their epoch; offers whose key has just come in are done.

        `updated_keys` are the keys, before it, of those whose Update the commit has carried out.
        """
        self._proposals.clear()
        self._set_aside.clear()
        self._vanished = frozenset()
        self._is_apart = False
        self._suspects -= added_keys
        for key in updated_keys & self._suspected_updates.keys():
            del self._suspected_updates[key]
        for key in added_keys & self._offers.keys():
            del self._offers[key]
        self.since = now if self._offers else None

    def failed(self, plan: Plan, leaves: dict[int, LeafNode]) -> None:
        """A commit of this plan cannot be made: find out what spoils it, and leave that out."""
        offers, updates = plan.offers, plan.updates
        if updates:
            for content in updates:
                self._suspect_update(leaves[content.sender].signature_key)
            if plan.by_reference == updates and len(updates) == 1 and not plan.by_value:
                self._set_aside.extend(updates)
        elif plan.by_reference and offers:
            self._is_apart = True
        elif plan.by_reference:
            self._set_aside.extend(plan.by_reference)
        else:
            self._suspects |= {each.leaf_node.signature_key for each in offers}
            if len(offers) == 1:
                self._refuse(offers[0])
        self._unstamp()

    def plan(self, leaves: dict[int, LeafNode], context: MeetingContext, own_leaf: int) -> Plan:
        """What the next commit holds: everything that the group rules let in together."""
        proposals = [content for content in self._proposals if content not in self._set_aside]
        change, kicks = kicks_in_force(proposals, leaves, context)
        if own_leaf in kicks:
            # Nobody commits its own removal, and a commit that passes over it is nobody's.
            return Plan((), (), b"", is_barred=True)
        by_reference, after = _references(
            proposals, change, kicks, leaves, context, own_leaf, self._vanished - {own_leaf}
        )
        gone = {content.body.removed for content in by_reference if isinstance(content.body, Remove)}
        if self._is_apart and by_reference:
            return Plan(by_reference, (), b"")
        updates = _updates(proposals, leaves, after, own_leaf)
        # A host clears away alone; another member only what somebody else has proposed.
        silent = self._vanished & leaves.keys() - gone - {own_leaf} if is_host(leaves[own_leaf]) else set()
        by_value: list[Proposal] = [Remove(index) for index in sorted(silent)]
        gone |= silent
        leaf_of_key = {key: index for index, leaf in leaves.items() for key in line_of(leaf)}
        encryption_keys = {leaf.encryption_key for index, leaf in leaves.items() if index not in gone}
        is_rejoin = bool(silent)
        lines: set[bytes] = set()
        for key_package in self._offers_by_trust():
            new = key_package.leaf_node
            if by_value and new.signature_key in self._suspects:
                break
            if new.encryption_key in encryption_keys or not _may_come(new, after, leaves):
                continue
            line = line_of(new)
            old = next((leaf_of_key[key] for key in line if key in leaf_of_key), None)
            if old == own_leaf or not lines.isdisjoint(line):
                continue
            if old is not None and (leaves[old] == new or not line_of(leaves[old]) <= line):
                continue
            encryption_keys.add(new.encryption_key)
            lines |= line
            if old is not None and old not in gone:
                by_value.append(Remove(old))
                is_rejoin = True
            by_value.append(Add(key_package))
        data = bytes([RemoveReason.VANISHED]) if is_rejoin else b""
        gone |= {item.removed for item in by_value if isinstance(item, Remove)}
        staying = {sender: update for sender, update in updates.items() if sender not in gone}
        good = [u for s, u in staying.items() if leaves[s].signature_key not in self._suspected_updates]
        if staying and not (good or by_reference or by_value):
            return Plan((next(iter(staying.values())),), (), b"")
        return Plan((*by_reference, *good), tuple(by_value), data)

    def _offers_by_trust(self) -> list[KeyPackage]:
        """Those that nothing is held against first; the others come one to a commit, after them."""
        return sorted(self._offers.values(), key=lambda o: o.leaf_node.signature_key in self._suspects)

    def _suspect_update(self, signature_key: bytes) -> None:
        while len(self._suspected_updates) >= MAX_REFUSED:
            del self._suspected_updates[next(iter(self._suspected_updates))]
        self._suspected_updates[signature_key] = None

    def _refuse(self, key_package: KeyPackage) -> None:
        while len(self._refused) >= MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[key_package.encode()] = None
        self._offers.pop(key_package.leaf_node.signature_key, None)

    def _stamp(self, now: float) -> None:
        if self.since is None:
            self.since = now

    def _unstamp(self) -> None:
        if not self._offers and not self._vanished and len(self._proposals) == len(self._set_aside):
            self.since = None


def _references(
    proposals: list[AuthenticatedContent],
    change: AuthenticatedContent | None,
    kicks: dict[int, AuthenticatedContent],
    leaves: dict[int, LeafNode],
    context: MeetingContext,
    own_leaf: int,
    vanished: frozenset[int],
) -> tuple[tuple[AuthenticatedContent, ...], MeetingContext]:
    """Removes with authority, one a leaf, the context change that goes with them, and its outcome.

    `vanished` are those whom this member does not hear either: it takes nobody's word for it.
    """
    removes = dict(kicks)
    for content in proposals:
        if isinstance(content.body, Remove) and content.body.removed in leaves:
            removed = content.body.removed
            if _is_leave(content, removed) or _is_witnessed(content, removed, own_leaf, vanished):
                removes.setdefault(removed, content)
    removes.pop(own_leaf, None)
    if change is None or not isinstance(change.body, GroupContextExtensions):
        return tuple(removes.values()), context
    return (*removes.values(), change), MeetingContext.of(change.body.extensions)


def _updates(
    proposals: list[AuthenticatedContent],
    leaves: dict[int, LeafNode],
    context: MeetingContext,
    own_leaf: int,
) -> dict[int, AuthenticatedContent]:
    """Each member's latest Update of its leaf (RFC 9420 §12.2: one change a leaf), by leaf index.

    None of the committer's: its path says what its leaf is to be.
    """
    updates = {}
    for content in proposals:
        if isinstance(content.body, Update) and content.sender in leaves and content.sender != own_leaf:
            with contextlib.suppress(GroupRuleError):
                old = leaves[content.sender]
                check_replacement(context, old, content.body.leaf_node, leaves.values())
                updates[content.sender] = content
    return updates


def _is_leave(content: AuthenticatedContent, removed: int) -> bool:
    return content.sender == removed and content.authenticated_data == bytes([RemoveReason.LEAVE])


def _is_witnessed(
    content: AuthenticatedContent, removed: int, own_leaf: int, vanished: frozenset[int]
) -> bool:
    """Whether another member takes for gone whom this one does not hear either."""
    is_others = content.sender not in (own_leaf, removed)
    reason = bytes([RemoveReason.VANISHED])
    return is_others and removed in vanished and content.authenticated_data == reason


def _may_come(leaf: LeafNode, context: MeetingContext, leaves: dict[int, LeafNode]) -> bool:
    if MEETING_EXTENSION not in leaf.capabilities.extensions:
        return False
    try:
        check_newcomer(context, leaf, leaves.values())
    except GroupRuleError:
        return False
    return True
