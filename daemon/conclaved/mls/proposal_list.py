"""The proposals of a Commit, found and applied (RFC 9420 §12.3, §12.4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import RemoteError
from conclaved.mls.extension import Extension
from conclaved.mls.framing import AuthenticatedContent, SenderType
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.proposal import (
    Add,
    Commit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    Remove,
    Update,
)
from conclaved.mls.psk import PreSharedKeyID
from conclaved.mls.ratchet_tree import RatchetTree, check_in_tree


@dataclass(frozen=True, slots=True)
class ResolvedProposal:
    """A proposal as a Commit applies it."""

    proposal: Proposal
    sender: int | None
    """Leaf index of the member that proposed it; None if no member did."""
    by_reference: bool
    authenticated_data: bytes
    """Of the message that brought it; the Commit's own for one by value."""
    sender_type: SenderType = SenderType.MEMBER

    @classmethod
    def of_message(cls, message: AuthenticatedContent) -> "ResolvedProposal":
        """The proposal that a message carries, to be committed by reference."""
        body = message.body
        if isinstance(body, bytes | Commit):
            raise RemoteError("the message carries no proposal", rule="RFC 9420 §12.4")
        sender = message.sender if message.sender_type is SenderType.MEMBER else None
        return cls(body, sender, True, message.authenticated_data, message.sender_type)


def resolve(
    crypto: Crypto, commit: AuthenticatedContent, proposals: Iterable[AuthenticatedContent]
) -> tuple[ResolvedProposal, ...]:
    """The Commit's proposals in their order; RemoteError for a reference to none of those given."""
    body = commit.body
    if not isinstance(body, Commit):
        raise RemoteError("the message carries no Commit", rule="RFC 9420 §12.4")
    by_reference: dict[bytes, AuthenticatedContent] = {}
    if any(isinstance(item, bytes) for item in body.proposals):
        by_reference = {message.proposal_reference(crypto): message for message in proposals}
    resolved = []
    kind, data = commit.sender_type, commit.authenticated_data
    committer = commit.sender if kind is SenderType.MEMBER else None
    for item in body.proposals:
        if not isinstance(item, bytes):
            resolved.append(ResolvedProposal(item, committer, False, data, kind))
        elif item in by_reference:
            resolved.append(ResolvedProposal.of_message(by_reference[item]))
        else:
            raise RemoteError("a committed proposal is not known", rule="RFC 9420 §12.4")
    return tuple(resolved)


@dataclass(frozen=True, slots=True)
class Applied:
    """The group's tree and extensions with the proposals in, before any path."""

    tree: RatchetTree
    extensions: tuple[Extension, ...]
    added: tuple[tuple[int, KeyPackage], ...] = ()
    removed: tuple[tuple[int, LeafNode], ...] = ()
    updated: tuple[tuple[int, LeafNode, LeafNode], ...] = ()
    psks: tuple[PreSharedKeyID, ...] = field(default=())
    external_leaf: int | None = None
    """Where the sender of an external Commit will be."""


def apply_proposals(
    tree: RatchetTree,
    extensions: tuple[Extension, ...],
    proposals: Iterable[ResolvedProposal],
    *,
    is_external: bool = False,
) -> Applied:
    """Apply in the order of §12.3: extensions, Updates, Removes, Adds, PSKs.

    For an external Commit there is a blank place in the resulting tree for its sender (§12.4.2).
    """
    proposals = tuple(proposals)
    editor = tree.edit()
    for each in proposals:
        if isinstance(each.proposal, GroupContextExtensions):
            extensions = each.proposal.extensions
    updated = []
    for each in proposals:
        if isinstance(each.proposal, Update) and each.sender is not None:
            old = check_in_tree(tree, each.sender, "RFC 9420 §12.1.2")
            editor.update(each.sender, each.proposal.leaf_node)
            updated.append((each.sender, old, each.proposal.leaf_node))
    removed = [
        (each.proposal.removed, check_in_tree(tree, each.proposal.removed, "RFC 9420 §12.1.3"))
        for each in proposals
        if isinstance(each.proposal, Remove)
    ]
    if removed:
        editor.remove(index for index, _ in removed)
    added = [
        (editor.add(each.proposal.key_package.leaf_node), each.proposal.key_package)
        for each in proposals
        if isinstance(each.proposal, Add)
    ]
    psks = tuple(each.proposal.psk for each in proposals if isinstance(each.proposal, PreSharedKey))
    external_leaf = editor.leftmost_blank() if is_external else None
    return Applied(
        editor.freeze(), extensions, tuple(added), tuple(removed), tuple(updated), psks, external_leaf
    )
