"""What hosts have asked for in an epoch's log: kicks, a change of the terms, the end.

A commit that comes after them in the log carries them out (`rules`). Whoever makes a commit and
whoever judges one find the same here, since it depends on the log and the tree alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from conclaved.meeting.capabilities import Capability
from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.terms_rules import TERMS_RULES, capabilities_to_change
from conclaved.meeting.tree_rules import check_tree, leaf_may, line_of
from conclaved.mls import AuthenticatedContent, GroupContextExtensions, LeafNode, Remove

MAX_CHANGES_OF_ONE = 4
"""How many of one host's changes in an epoch are looked at, the newest ones."""


class RemoveReason(IntEnum):
    """Why a Remove is proposed; one byte in the authenticated data of its message."""

    LEAVE = 1
    KICK = 2
    VANISHED = 3


@dataclass(frozen=True, slots=True)
class HostOrders:
    """What is in force."""

    change: AuthenticatedContent | None = None
    """The GroupContextExtensions proposal that counts."""
    kicks: Mapping[int, AuthenticatedContent] = field(default_factory=dict)
    """The Removes that it, or the context before it, covers: by leaf index."""
    is_end: bool = False
    """The change ends the meeting."""


def orders_in_force(
    proposed: Sequence[AuthenticatedContent], leaves: Mapping[int, LeafNode], before: MeetingContext
) -> HostOrders:
    """What an epoch's log asks for in the hosts' names.

    Of several changes the latest counts that all who stay can stay under: a host that kicks two lists
    both in its second one. An end counts before anything else. What a host asks for when one before
    it in the log has thrown it out does not count: it could take its own kick back otherwise.
    """
    in_force = HostOrders(None, _kicks(proposed, leaves, before.kicked))
    for change in _newest_changes(proposed):
        if change.sender in in_force.kicks:
            continue
        orders = _orders(change, proposed, leaves, before)
        if orders is not None and (orders.is_end or not in_force.is_end):
            in_force = orders
    return in_force


def kicks_in_force(
    proposed: Sequence[AuthenticatedContent], leaves: Mapping[int, LeafNode], before: MeetingContext
) -> tuple[AuthenticatedContent | None, dict[int, AuthenticatedContent]]:
    """The change of the terms that counts, and the Removes by leaf index: `orders_in_force` in short."""
    orders = orders_in_force(proposed, leaves, before)
    return orders.change, dict(orders.kicks)


def _newest_changes(proposed: Sequence[AuthenticatedContent]) -> list[AuthenticatedContent]:
    """The proposals of changes, in the log's order: of one sender only the last few.

    Each costs a look at every leaf, whenever a commit is made or judged.
    """
    newest: list[AuthenticatedContent] = []
    count: Counter[int] = Counter()
    for content in reversed(proposed):
        if isinstance(content.body, GroupContextExtensions) and count[content.sender] < MAX_CHANGES_OF_ONE:
            count[content.sender] += 1
            newest.append(content)
    return newest[::-1]


def _orders(
    change: AuthenticatedContent,
    proposed: Sequence[AuthenticatedContent],
    leaves: Mapping[int, LeafNode],
    before: MeetingContext,
) -> HostOrders | None:
    """What a proposal changes, with the kicks that go with it; None if a commit could not hold it."""
    if not isinstance(change.body, GroupContextExtensions):
        return None
    if not leaf_may(leaves.get(change.sender), Capability.BAN):
        return None
    try:
        after = MeetingContext.of(change.body.extensions)
        needed = capabilities_to_change(before, after)
        if not all(leaf_may(leaves.get(change.sender), capability) for capability in needed):
            return None
        if any(rule(before, after) is not None for rule in TERMS_RULES):
            return None
        kicks = _kicks(proposed, leaves, after.kicked)
        leaving = {
            each.sender
            for each in proposed
            if isinstance(each.body, Remove)
            and each.body.removed == each.sender
            and each.authenticated_data == bytes([RemoveReason.LEAVE])
        }
        gone = kicks.keys() | leaving
        check_tree(after, (leaf for index, leaf in leaves.items() if index not in gone))
    except GroupRuleError:
        return None
    return HostOrders(change, kicks, after.is_ended)


def _kicks(
    proposed: Sequence[AuthenticatedContent], leaves: Mapping[int, LeafNode], kicked: frozenset[bytes]
) -> dict[int, AuthenticatedContent]:
    kicks: dict[int, AuthenticatedContent] = {}
    for each in proposed:
        if not isinstance(each.body, Remove) or each.authenticated_data != bytes([RemoveReason.KICK]):
            continue
        leaf = leaves.get(each.body.removed)
        if (
            leaf is not None
            and line_of(leaf) <= kicked
            and leaf_may(leaves.get(each.sender), Capability.KICK)
        ):
            kicks.setdefault(each.body.removed, each)
    return kicks
