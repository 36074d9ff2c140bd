"""The group rules: when a commit is invalid for everybody (DESIGN §4).

They depend only on what all members share: the log, the tree, signatures, the invitation. No
clock, no trust anchor, no device's policy stands in this file; those are *own rules*, and when
one of them is broken the device leaves, it does not refuse the commit. So all members apply
the same commits, and the first valid one for an epoch wins.

`check_commit` is the list; each rule below opens with what it prevents.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Protocol

from conclaved.meeting.admission import (
    ADMISSION_EXTENSION,
    Admission,
    IssuerType,
    Role,
    check,
    line,
    origin,
)
from conclaved.meeting.errors import AdmissionError, GroupRuleError
from conclaved.meeting.invitation import Invitation
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    Extension,
    GroupContextExtensions,
    LeafNode,
    Remove,
    Update,
)


class RemoveReason(IntEnum):
    """Why a Remove is proposed; one byte in the authenticated data of its message."""

    LEAVE = 1
    KICK = 2
    VANISHED = 3


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


def check_commit(
    before: MeetingContext,
    leaves_before: dict[int, LeafNode],
    leaves_after: dict[int, LeafNode],
    effect: CommitEffect,
    proposed: Sequence[AuthenticatedContent] = (),
) -> MeetingContext:
    """Apply every group rule to a verified commit. Returns the context that it leads to.

    `leaves_before` and `leaves_after` map leaf indices to leaves; `proposed` are the proposals that
    stand before the commit in this epoch's log, in its order. Raises GroupRuleError.
    """
    _only_known_proposals(effect.proposals)
    _kicks_are_carried_out(before, leaves_before, effect, proposed)
    after = MeetingContext.of(effect.extensions)
    for item in effect.proposals:
        match item.proposal:
            case Remove(removed=removed):
                _remove_has_authority(item, removed, after, leaves_before)
            case GroupContextExtensions():
                _context_change_is_a_hosts(item, leaves_before)
    _context_changes_little(before, after)
    _keys_stay(effect.updated)
    check_tree(after, (leaves_after[i] for i in _touched(effect, leaves_after, before, after)))
    for index in effect.added:
        check_newcomer(after, leaves_after[index], leaves_before.values())
    return after


def check_tree(context: MeetingContext, leaves: Iterable[LeafNode]) -> None:
    """Every leaf has a valid admission and is not kicked.

    Prevents: a member, or the service through a member, letting in whom no host admitted; and a
    kicked one coming back without a host. A joiner applies this to the whole tree. Raises
    GroupRuleError.
    """
    for leaf in leaves:
        admission = admission_of(leaf)
        try:
            check(admission, leaf.signature_key, context.invitation)
        except AdmissionError as error:
            raise GroupRuleError(str(error), rule="DESIGN §4 Admission") from error
        if not line(admission).isdisjoint(context.kicked):
            raise GroupRuleError("a kicked key is in the group", rule="DESIGN §4 Group rules")
        if (
            context.is_link_closed
            and origin(admission).issuer_type is IssuerType.LINK
            and line(admission).isdisjoint(context.link_guests)
        ):
            raise GroupRuleError("the meeting's link is closed", rule="DESIGN §4 Group rules")


def check_newcomer(context: MeetingContext, leaf: LeafNode, members: Iterable[LeafNode]) -> None:
    """One who comes in now was not let in by one who was thrown out.

    Prevents: a kicked host admitting itself under a new key. Who is among the `members` already may
    come back; a host among them admits, whoever admitted it once. Raises GroupRuleError.
    """
    check_tree(context, (leaf,))
    members_keys = {member.signature_key for member in members}
    if leaf.signature_key in members_keys:
        return
    admission: Admission | None = admission_of(leaf)
    while admission is not None:
        if admission.issuer_key in context.kicked:
            raise GroupRuleError("an admission by one who was kicked", rule="DESIGN §4 Group rules")
        if admission.issuer_key in members_keys:
            return
        admission = admission.issuer_admission


def admission_of(leaf: LeafNode) -> Admission:
    """The admission that a leaf carries. Raises GroupRuleError where it has none or a bad one."""
    found = [e for e in leaf.extensions if e.extension_type == ADMISSION_EXTENSION]
    if len(found) != 1:
        raise GroupRuleError("a leaf carries no admission", rule="DESIGN §4 Admission")
    try:
        return Admission.decode(found[0].data)
    except AdmissionError as error:
        raise GroupRuleError(str(error), rule="DESIGN §4 Admission") from error


def line_of(leaf: LeafNode) -> frozenset[bytes]:
    """The keys that a leaf of a checked tree has had, its present one among them."""
    return line(admission_of(leaf))


def kicks_in_force(
    proposed: Sequence[AuthenticatedContent], leaves: dict[int, LeafNode], before: MeetingContext
) -> tuple[AuthenticatedContent | None, dict[int, AuthenticatedContent]]:
    """The hosts' change of the meeting that an epoch's log asks for, and the kicks that it lists.

    Of several changes the latest counts that all who stay can stay under: a host that kicks two
    lists both in its second one. The kicks are Removes by leaf index. All members find the same.
    """
    for change in reversed(proposed):
        if not isinstance(change.body, GroupContextExtensions) or not is_host(leaves.get(change.sender)):
            continue
        try:
            after = MeetingContext.of(change.body.extensions)
            _context_changes_little(before, after)
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
            continue
        return change, kicks
    return None, _kicks(proposed, leaves, before.kicked)


def _kicks(
    proposed: Sequence[AuthenticatedContent], leaves: dict[int, LeafNode], kicked: frozenset[bytes]
) -> dict[int, AuthenticatedContent]:
    kicks: dict[int, AuthenticatedContent] = {}
    for each in proposed:
        if not isinstance(each.body, Remove) or each.authenticated_data != bytes([RemoveReason.KICK]):
            continue
        leaf = leaves.get(each.body.removed)
        if leaf is not None and line_of(leaf) <= kicked and is_host(leaves.get(each.sender)):
            kicks.setdefault(each.body.removed, each)
    return kicks


def _kicks_are_carried_out(
    before: MeetingContext,
    leaves: dict[int, LeafNode],
    effect: CommitEffect,
    proposed: Sequence[AuthenticatedContent],
) -> None:
    """Prevents: one who is to be thrown out ending the epoch first, again and again.

    A commit that comes after a host's kick in the log carries it out, or it is nobody's. Since nobody
    can commit its own removal (RFC 9420 §12.2), the one concerned can make no commit at all.
    """
    change, kicks = kicks_in_force(proposed, leaves, before)
    removed = {item.proposal.removed for item in effect.proposals if isinstance(item.proposal, Remove)}
    if not kicks.keys() <= removed:
        raise GroupRuleError("a commit passes over a host's kick", rule="DESIGN §4 Group rules")
    if kicks and change is not None and change.body not in [item.proposal for item in effect.proposals]:
        raise GroupRuleError("a commit passes over a host's kick", rule="DESIGN §4 Group rules")


def is_host(leaf: LeafNode | None) -> bool:
    """Whether a leaf (of a checked tree) has the host role."""
    return leaf is not None and admission_of(leaf).role is Role.HOST


def _by_host(item: CommittedProposal, leaves: dict[int, LeafNode]) -> bool:
    return item.sender is not None and is_host(leaves.get(item.sender))


def _only_known_proposals(proposals: tuple[CommittedProposal, ...]) -> None:
    """Prevents: what no rule here has thought about (ReInit, PSK, external init, the unknown)."""
    for item in proposals:
        if not isinstance(item.proposal, Add | Update | Remove | GroupContextExtensions):
            raise GroupRuleError(
                f"a commit holds a {type(item.proposal).__name__} proposal", rule="DESIGN §4 Group rules"
            )
        if item.sender is None:
            raise GroupRuleError("a proposal from outside the group", rule="DESIGN §4 Group rules")


def _remove_has_authority(
    item: CommittedProposal, removed: int, after: MeetingContext, leaves: dict[int, LeafNode]
) -> None:
    """Prevents: a member throwing out another.

    A member leaves by its own proposal, and cannot make it look like a kick; a host kicks, and the
    same commit lists the key; anyone may clear away one who has vanished, which is shown, and who may
    come back without the lobby.
    """
    leaf = leaves.get(removed)
    if leaf is None:
        raise GroupRuleError("a Remove of an empty leaf", rule="RFC 9420 §12.1.3")
    if item.sender == removed:
        if item.authenticated_data != bytes([RemoveReason.LEAVE]):
            raise GroupRuleError("a leave under another reason", rule="DESIGN §4 Group rules")
        return
    if item.authenticated_data == bytes([RemoveReason.VANISHED]):
        return
    if item.authenticated_data != bytes([RemoveReason.KICK]):
        raise GroupRuleError("a Remove without a reason", rule="DESIGN §4 Group rules")
    if not _by_host(item, leaves):
        raise GroupRuleError("a kick by somebody who is not a host", rule="DESIGN §4 Group rules")
    if not line_of(leaf) <= after.kicked:
        raise GroupRuleError("a kick that does not list the key", rule="DESIGN §4 Group rules")


def _context_change_is_a_hosts(item: CommittedProposal, leaves: dict[int, LeafNode]) -> None:
    """Prevents: a member rewriting the meeting's terms."""
    if not _by_host(item, leaves):
        raise GroupRuleError(
            "a change of the meeting by somebody who is not a host", rule="DESIGN §4 Group rules"
        )


def _context_changes_little(before: MeetingContext, after: MeetingContext) -> None:
    """Prevents: even a host turning the meeting into another one under its members' feet."""
    old, new = before.invitation, after.invitation
    if old.token != new.token and not (
        old.content.meeting_id == new.content.meeting_id
        and old.signer_key == new.signer_key
        and new.content.serial > old.content.serial
    ):
        raise GroupRuleError("a change to another meeting's invitation", rule="DESIGN §4 Group rules")
    if _terms(old.content) != _terms(new.content):
        raise GroupRuleError("a new invitation with other terms", rule="DESIGN §4 Group rules")
    if before.is_link_closed and not after.is_link_closed:
        raise GroupRuleError("a closed link stays closed", rule="DESIGN §4 Group rules")
    if before.is_link_closed and not after.link_guests <= before.link_guests:
        raise GroupRuleError("a closed link admits nobody new", rule="DESIGN §4 Group rules")


def _terms(invitation: Invitation) -> tuple[object, ...]:
    """What a newer invitation may not change while the meeting runs: who is in has agreed to it."""
    return (
        invitation.level,
        invitation.is_open,
        invitation.link_public_key,
        invitation.service,
        invitation.service_ends,
    )


def _keys_stay(updated: tuple[tuple[int, LeafNode, LeafNode], ...]) -> None:
    """Prevents: a leaf passing into other hands. A new key comes by a new admission."""
    for _, old, new in updated:
        if old.signature_key != new.signature_key:
            raise GroupRuleError("a leaf changes its key", rule="DESIGN §4 Admission")


def _touched(
    effect: CommitEffect, leaves_after: dict[int, LeafNode], before: MeetingContext, after: MeetingContext
) -> Iterable[int]:
    """The leaves whose admission is to be looked at: all of them if the terms have changed."""
    if before != after:
        return leaves_after
    changed = (*effect.added, *(index for index, _, _ in effect.updated))
    return (index for index in changed if index in leaves_after)
