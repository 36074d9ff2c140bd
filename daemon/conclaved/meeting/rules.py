"""The group rules: when a commit is invalid for everybody (DESIGN §4).

They depend only on what all members share: the log, the tree, signatures, the invitation. No
clock, no trust anchor, no device's policy stands here; those are *own rules*, and when one of
them is broken the device leaves, it does not refuse the commit. So all members apply the same
commits, and the first valid one for an epoch wins.

`GROUP_RULES` is the list, in the order in which a commit is held against it: a later rule may
rely on an earlier one. Each is a pure function of an `EpochChange`, opens with what it prevents,
and returns, in words, how it is broken, or None. What they say about terms stands in
`terms_rules`, about leaves in `tree_rules`, and what hosts have asked for in `host_orders`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conclaved.meeting import terms_rules, tree_rules
from conclaved.meeting.capabilities import Capability
from conclaved.meeting.errors import GroupRuleError
from conclaved.meeting.host_orders import RemoveReason, kicks_in_force, orders_in_force
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.tree_rules import (
    Members,
    admission_of,
    check_admitted,
    check_joined,
    check_newcomer,
    check_replacement,
    check_tree,
    is_host,
    is_successor,
    leaf_may,
    line_of,
)
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    Extension,
    GroupContextExtensions,
    LeafNode,
    Remove,
    Update,
)

__all__ = [
    "GROUP_RULES",
    "CommitEffect",
    "CommittedProposal",
    "EpochChange",
    "RemoveReason",
    "admission_of",
    "check_admitted",
    "check_commit",
    "check_joined",
    "check_newcomer",
    "check_replacement",
    "check_tree",
    "is_host",
    "kicks_in_force",
    "leaf_may",
    "line_of",
]


class CommittedProposal(Protocol):
    """A proposal of a commit, with who stands behind it."""

    @property
    def proposal(self) -> object: ...
    @property
    def sender(self) -> int | None: ...
    @property
    def by_reference(self) -> bool: ...
    @property
    def authenticated_data(self) -> bytes: ...


class CommitEffect(Protocol):
    """What a verified commit would do, as `mls.StagedCommit` and `mls.PendingCommit.staged` tell it."""

    @property
    def committer(self) -> int: ...
    @property
    def proposals(self) -> tuple[CommittedProposal, ...]: ...
    @property
    def added(self) -> tuple[int, ...]: ...
    @property
    def updated(self) -> tuple[tuple[int, LeafNode, LeafNode], ...]: ...
    @property
    def extensions(self) -> tuple[Extension, ...]: ...


@dataclass(frozen=True, slots=True)
class EpochChange:
    """One commit, as the rules see it: what was, what it does, what would be."""

    before: MeetingContext
    leaves_before: Mapping[int, LeafNode]
    leaves_after: Mapping[int, LeafNode]
    effect: CommitEffect
    proposed: Sequence[AuthenticatedContent] = ()
    """The proposals that stand before the commit in this epoch's log, in its order."""

    @property
    def after(self) -> MeetingContext:
        """The terms that it leads to. Raises GroupRuleError if `it_stays_a_meeting` is broken."""
        return MeetingContext.of(self.effect.extensions)

    def removes(self) -> Iterator[tuple[CommittedProposal, int]]:
        """The Removes, with whose leaf each removes."""
        for item in self.effect.proposals:
            if isinstance(item.proposal, Remove):
                yield item, item.proposal.removed

    def touched(self) -> Iterator[LeafNode]:
        """The leaves that are to be looked at: those that are new, or all if the terms have changed."""
        if self.before != self.after:
            yield from self.leaves_after.values()
            return
        for index in (*self.effect.added, *(index for index, _, _ in self.effect.updated)):
            if index in self.leaves_after:
                yield self.leaves_after[index]


# -- the commit as a whole ------------------------------------------------------------------------


def nothing_follows_the_end(change: EpochChange) -> str | None:
    """Prevents: a meeting that goes on behind the backs of those who left it when a host ended it."""
    return "a commit after the end of the meeting" if change.before.is_ended else None


def only_known_proposals(change: EpochChange) -> str | None:
    """Prevents: what no rule here has thought about.

    ReInit, PSK, external init, the unknown; and what somebody outside proposes, the service for one.
    """
    for item in change.effect.proposals:
        if not isinstance(item.proposal, Add | Update | Remove | GroupContextExtensions):
            return f"a commit holds a {type(item.proposal).__name__} proposal"
        if item.sender is None:
            return "a proposal from outside the group"
    return None


def it_stays_a_meeting(change: EpochChange) -> str | None:
    """Prevents: a group whose terms nobody can read, in which no rule would hold any more."""
    try:
        MeetingContext.of(change.effect.extensions)
    except GroupRuleError as error:
        return str(error)
    return None


def kicks_are_carried_out(change: EpochChange) -> str | None:
    """Prevents: one who is to be thrown out ending the epoch first, again and again.

    A commit that comes after a host's kick in the log carries it out, or it is nobody's. Since nobody
    can commit its own removal (RFC 9420 §12.2), the one concerned can make no commit at all.
    """
    orders = orders_in_force(change.proposed, change.leaves_before, change.before)
    removed = {removed for _, removed in change.removes()}
    committed = [item.proposal for item in change.effect.proposals]
    if not orders.kicks.keys() <= removed:
        return "a commit passes over a host's kick"
    if orders.kicks and orders.change is not None and orders.change.body not in committed:
        return "a commit passes over a host's kick"
    return None


def ends_are_carried_out(change: EpochChange) -> str | None:
    """Prevents: a member keeping a meeting alive that a host has ended, by committing without the end."""
    orders = orders_in_force(change.proposed, change.leaves_before, change.before)
    committed = [item.proposal for item in change.effect.proposals]
    if orders.is_end and orders.change is not None and orders.change.body not in committed:
        return "a commit passes over the end of the meeting"
    return None


# -- who is removed, and by whom ------------------------------------------------------------------


def a_leave_says_so(change: EpochChange) -> str | None:
    """Prevents: a leave that looks like a kick, which a host would seem to have wanted."""
    for item, removed in change.removes():
        if item.sender == removed and item.authenticated_data != bytes([RemoveReason.LEAVE]):
            return "a leave under another reason"
    return None


def removes_have_a_reason(change: EpochChange) -> str | None:
    """Prevents: a member made to go without anybody seeing why.

    Another one's Remove is a kick, or clears away one who has vanished. Anyone may do that: it is
    shown, and the removed one may come back without the lobby.
    """
    for item, removed in change.removes():
        if removed not in change.leaves_before:
            return "a Remove of an empty leaf"
        if item.sender != removed and item.authenticated_data not in _REASONS_FOR_OTHERS:
            return "a Remove without a reason"
    return None


_REASONS_FOR_OTHERS = (bytes([RemoveReason.KICK]), bytes([RemoveReason.VANISHED]))


def only_hosts_kick(change: EpochChange) -> str | None:
    """Prevents: a member throwing out another."""
    if all(_sender_may(change, item, Capability.KICK) for item, _ in _kicks(change)):
        return None
    return "a kick by somebody who is not a host"


def kicks_list_every_key(change: EpochChange) -> str | None:
    """Prevents: a kick that is none, after which the same member comes back at once.

    Under the key that it has or under one that it had: the whole line is listed.
    """
    kicked = change.after.kicked
    if all(line_of(change.leaves_before[removed]) <= kicked for _, removed in _kicks(change)):
        return None
    return "a kick that does not list the key"


# -- what is changed in the terms, and by whom ----------------------------------------------------


def only_hosts_change_the_terms(change: EpochChange) -> str | None:
    """Prevents: a member listing whom it likes as kicked, opening the link, ending the meeting for all."""
    needed = terms_rules.capabilities_to_change(change.before, change.after)
    changes = [i for i in change.effect.proposals if isinstance(i.proposal, GroupContextExtensions)]
    if all(_sender_may(change, item, capability) for item in changes for capability in needed):
        return None
    return "a change of the meeting by somebody who is not a host"


def it_stays_the_same_meeting(change: EpochChange) -> str | None:
    """Prevents: a host turning the meeting into another one, or back to an invitation that was replaced."""
    return terms_rules.it_stays_the_same_meeting(change.before, change.after)


def its_terms_stay(change: EpochChange) -> str | None:
    """Prevents: even a host changing, under its members' feet, what they agreed to when they came."""
    return terms_rules.its_terms_stay(change.before, change.after)


def a_closed_link_stays_closed(change: EpochChange) -> str | None:
    """Prevents: one who was thrown out of an open meeting finding the link open again."""
    return terms_rules.a_closed_link_stays_closed(change.before, change.after)


def who_is_allowed_back_is_let_in_anew(change: EpochChange) -> str | None:
    """Prevents: an old admission coming to life again when its bearer may ask again."""
    return terms_rules.who_is_allowed_back_is_let_in_anew(change.before, change.after)


def its_serial_counts_changes(change: EpochChange) -> str | None:
    """Prevents: terms that stand for a later decision than those that a host makes after them."""
    return terms_rules.its_serial_counts_changes(change.before, change.after)


def its_terms_are_a_hosts(change: EpochChange) -> str | None:
    """Prevents: a list of kicked keys on which no host's signature stands, which no joiner would accept."""
    return terms_rules.its_terms_are_a_hosts(change.before, change.after)


def nobody_comes_in_at_the_end(change: EpochChange) -> str | None:
    """Prevents: somebody welcomed into a meeting that is over, who takes the one that is left for it."""
    return "an end that lets somebody in" if change.after.is_ended and change.effect.added else None


# -- the leaves that the commit touches -----------------------------------------------------------


def every_leaf_is_admitted(change: EpochChange) -> str | None:
    """Prevents: a member, or the service through a member, letting in whom no host admitted."""
    return _of_leaves(change, tree_rules.every_leaf_is_admitted)


def nobody_kicked_is_in(change: EpochChange) -> str | None:
    """Prevents: one who was thrown out coming back without a host, under that key or its successor."""
    return _of_leaves(change, tree_rules.nobody_kicked_is_in)


def a_closed_link_admits_nobody(change: EpochChange) -> str | None:
    """Prevents: one who was thrown out of an open meeting coming back by the link under a new key."""
    return _of_leaves(change, tree_rules.a_closed_link_admits_nobody)


def service_ends_are_named(change: EpochChange) -> str | None:
    """Prevents: a recorder that nobody agreed to when they followed the invitation."""
    return _of_leaves(change, tree_rules.service_ends_are_named)


def named_service_ends_are_nothing_else(change: EpochChange) -> str | None:
    """Prevents: a recorder that sits among the people as one of them."""
    return _of_leaves(change, tree_rules.named_service_ends_are_nothing_else)


def nobody_alone_takes_for_gone(change: EpochChange) -> str | None:
    """Prevents: a member that takes all others for gone, and has the meeting to itself.

    Who proposes it and who commits it are two, or it is a host. Who comes back in the same commit was
    never gone: its own offer says so.
    """
    back = [line_of(change.leaves_after[index]) for index in change.effect.added]
    for item, removed in change.removes():
        if (
            item.authenticated_data != bytes([RemoveReason.VANISHED])
            or item.sender != change.effect.committer
        ):
            continue
        if _sender_may(change, item, Capability.REMOVE_PARTICIPANT):
            continue
        line = line_of(change.leaves_before[removed])
        if not any(line <= keys for keys in back):
            return "one member alone takes another for gone"
    return None


def one_leaf_for_a_line(change: EpochChange) -> str | None:
    """Prevents: a member letting in others by statements that they succeed its key."""
    return tree_rules.one_leaf_for_a_line(change.leaves_after.values())


def nobody_kicked_admits(change: EpochChange) -> str | None:
    """Prevents: one who was thrown out letting itself or others in, or making one who is in a host."""
    comers = [change.leaves_after[index] for index in change.effect.added]
    comers += [new for _, old, new in change.effect.updated if admission_of(old) != admission_of(new)]
    return _of_comers(change, comers, tree_rules.nobody_kicked_admits)


def no_admission_outlives_a_kick(change: EpochChange) -> str | None:
    """Prevents: one who is allowed back coming in, or becoming more, by what it held before."""
    comers = [change.leaves_after[index] for index in change.effect.added]
    comers += [new for _, old, new in change.effect.updated if admission_of(old) != admission_of(new)]
    return _of_comers(change, comers, tree_rules.no_admission_outlives_a_kick)


def successors_take_a_place(change: EpochChange) -> str | None:
    """Prevents: a member admitting others by naming them its successors."""
    comers = [change.leaves_after[index] for index in change.effect.added]
    return _of_comers(change, comers, tree_rules.successors_take_a_place)


def who_comes_back_has_its_name(change: EpochChange) -> str | None:
    """Prevents: one whom a host let in under one name sitting there, after a rejoin, under another."""
    by_key = {leaf.signature_key: leaf for leaf in change.leaves_before.values()}
    comers = (change.leaves_after[index] for index in change.effect.added)
    return next(filter(None, (tree_rules.who_comes_back_has_its_name(by_key, leaf) for leaf in comers)), None)


def keys_change_by_succession(change: EpochChange) -> str | None:
    """Prevents: a leaf passing into other hands than its owner wants, or with another's admission."""
    return _of_updates(change, tree_rules.keys_change_by_succession)


def roles_only_rise(change: EpochChange) -> str | None:
    """Prevents: a member that has several admissions changing what the others take it for."""
    return _of_updates(change, tree_rules.roles_only_rise)


# -- the list -------------------------------------------------------------------------------------

GroupRule = Callable[[EpochChange], str | None]

GROUP_RULES: tuple[GroupRule, ...] = (
    nothing_follows_the_end,
    only_known_proposals,
    it_stays_a_meeting,
    kicks_are_carried_out,
    ends_are_carried_out,
    a_leave_says_so,
    removes_have_a_reason,
    only_hosts_kick,
    kicks_list_every_key,
    only_hosts_change_the_terms,
    it_stays_the_same_meeting,
    its_terms_stay,
    a_closed_link_stays_closed,
    who_is_allowed_back_is_let_in_anew,
    its_serial_counts_changes,
    its_terms_are_a_hosts,
    nobody_comes_in_at_the_end,
    every_leaf_is_admitted,
    nobody_kicked_is_in,
    a_closed_link_admits_nobody,
    service_ends_are_named,
    named_service_ends_are_nothing_else,
    nobody_alone_takes_for_gone,
    one_leaf_for_a_line,
    keys_change_by_succession,
    roles_only_rise,
    nobody_kicked_admits,
    no_admission_outlives_a_kick,
    successors_take_a_place,
    who_comes_back_has_its_name,
)


def check_commit(
    before: MeetingContext,
    leaves_before: Mapping[int, LeafNode],
    leaves_after: Mapping[int, LeafNode],
    effect: CommitEffect,
    proposed: Sequence[AuthenticatedContent] = (),
) -> MeetingContext:
    """Hold a verified commit against every group rule. Returns the terms that it leads to.

    `leaves_before` and `leaves_after` map leaf indices to leaves; `proposed` are the proposals that
    stand before the commit in this epoch's log, in its order. Raises GroupRuleError with the rule's name.
    """
    change = EpochChange(before, leaves_before, leaves_after, effect, proposed)
    for rule in GROUP_RULES:
        reason = rule(change)
        if reason is not None:
            raise GroupRuleError(reason, rule=rule.__name__)
    return change.after


def _kicks(change: EpochChange) -> Iterator[tuple[CommittedProposal, int]]:
    for item, removed in change.removes():
        if item.sender != removed and item.authenticated_data == bytes([RemoveReason.KICK]):
            yield item, removed


def _sender_may(change: EpochChange, item: CommittedProposal, capability: Capability) -> bool:
    return item.sender is not None and leaf_may(change.leaves_before.get(item.sender), capability)


def _of_leaves(change: EpochChange, rule: tree_rules.LeafRule) -> str | None:
    after = change.after
    return next(filter(None, (rule(after, leaf) for leaf in change.touched())), None)


def _of_comers(change: EpochChange, comers: Sequence[LeafNode], rule: tree_rules.NewcomerRule) -> str | None:
    after = change.after
    # Most who come are admitted by a host, into a meeting that nobody was thrown out of.
    if not (after.kicked or after.allowed_back) and not any(map(is_successor, comers)):
        return None
    members = Members.of(change.leaves_before.values())
    return next(filter(None, (rule(after, leaf, members) for leaf in comers)), None)


def _of_updates(change: EpochChange, rule: Callable[[LeafNode, LeafNode], str | None]) -> str | None:
    return next(filter(None, (rule(old, new) for _, old, new in change.effect.updated)), None)
