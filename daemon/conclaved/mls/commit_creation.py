"""Creating a Commit and the Welcome for those it adds (RFC 9420 §12.4.1).

Pure: reads the epoch's secrets, consumes none, touches no ratchet. Heavy: one seal for each node of the
copath's resolutions and for each joiner, and up to three signatures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conclaved.mls.commit_processing import (
    NextEpoch,
    Transition,
    advanced,
    applied_list,
    available_psks,
    check_is_verified,
    enter_epoch,
)
from conclaved.mls.crypto import Signer
from conclaved.mls.epoch import EpochSecrets, GroupState
from conclaved.mls.extension import Extension, ExtensionType
from conclaved.mls.framing import AuthenticatedContent, FramedContent, Sender, SenderType, WireFormat
from conclaved.mls.group_context import GroupContext
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.key_schedule import joiner_secret, welcome_secret
from conclaved.mls.leaf_node import LeafChange, LeafNode, LeafNodeSource
from conclaved.mls.message_protection import check_wire_format, sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import Commit, Proposal
from conclaved.mls.proposal_list import Applied, ResolvedProposal
from conclaved.mls.psk import ResumptionPskUsage, look_up, psk_secret
from conclaved.mls.ratchet_tree import check_in_tree
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.transcript_hash import confirmation_tag, confirmed_transcript_hash
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import NewPath, encrypt_path, new_path
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.validation import check_merged_path, check_path, is_path_required
from conclaved.mls.welcome import GroupSecrets, seal_welcome
from conclaved.mls.working_ahead import Worker


@dataclass(frozen=True, slots=True)
class CommitOrder(NotCopied):
    """What the caller wants committed, and how."""

    by_reference: Sequence[AuthenticatedContent]
    by_value: Sequence[Proposal]
    force_path: bool
    authenticated_data: bytes
    leaf: LeafChange | None
    psks: Mapping[bytes, bytes] = field(repr=False)
    wire_format: WireFormat
    now: int | None
    allow_reinit: bool = False
    continues: ResumptionPskUsage = ResumptionPskUsage.APPLICATION
    with_ratchet_tree: bool = True
    worker: Worker | None = None


@dataclass(frozen=True, slots=True)
class CreatedCommit(NotCopied):
    """The Commit to send, the Welcome for its joiners, and the epoch that follows it."""

    content: AuthenticatedContent
    welcome: bytes | None = field(repr=False)
    following: NextEpoch


def _resolve(state: GroupState, order: CommitOrder) -> tuple[ResolvedProposal, ...]:
    resolved = []
    for message in order.by_reference:
        check_is_verified(state, message)
        resolved.append(ResolvedProposal.of_message(message))
    for proposal in order.by_value:
        resolved.append(ResolvedProposal(proposal, state.own_leaf, False, order.authenticated_data))
    return tuple(resolved)


def _make_path(
    state: GroupState, applied: Applied, order: CommitOrder, signer: Signer
) -> tuple[NewPath, GroupContext, UpdatePath]:
    """A fresh path, the provisional context with it, and its encryption to the group."""
    crypto, own = state.crypto, state.own_leaf
    old = check_in_tree(applied.tree, own, "RFC 9420 §12.4.1")
    change = order.leaf or LeafChange()

    def make_leaf(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        unsigned = change.apply(old, LeafNodeSource.COMMIT, encryption_key, parent_hash)
        return unsigned.sign(crypto, signer, state.context.group_id, own)

    path = new_path(crypto, applied.tree, own, make_leaf)
    context = state.context.provisional(tree_hash(crypto, path.tree.root), applied.extensions)
    added = [index for index, _ in applied.added]
    return path, context, encrypt_path(crypto, path, context.encode(), added)


def create_commit(state: GroupState, secrets: EpochSecrets, order: CommitOrder) -> CreatedCommit:
    """Make a Commit in this epoch (§12.4.1).

    RemoteError names the rule that a proposal breaks; LocalError for a proposal of another epoch, a
    signer of another suite, and a wire format that carries no Commit; GoneError if this
    epoch's secrets have been consumed.
    """
    secrets.check_live()
    state.check_can_send()
    judge = state.judge(
        order.now, allow_reinit=order.allow_reinit, continues=order.continues, worker=order.worker
    )
    crypto, own, old_signer = state.crypto, state.own_leaf, secrets.signer
    signer = order.leaf.signer if order.leaf and order.leaf.signer else old_signer
    check_wire_format(order.wire_format)
    crypto.check_signer(signer)
    resolved = _resolve(state, order)
    applied = applied_list(state, own, resolved, judge)

    path, update_path, path_leaf = None, None, None
    tree, commit_secret, private_keys = applied.tree, crypto.zero, dict(secrets.private_keys)
    if order.force_path or order.leaf is not None or is_path_required(resolved):
        path, context, update_path = _make_path(state, applied, order, signer)
        check_path(judge, applied, own, update_path)
        check_merged_path(path.tree, update_path, applied.extensions)
        tree, commit_secret = path.tree, path.commit_secret
        private_keys.update(path.private_keys)
        path_leaf = (check_in_tree(applied.tree, own, "RFC 9420 §12.4.1"), path.leaf_node)
    else:
        context = state.context.provisional(tree_hash(crypto, tree.root), applied.extensions)
    transition = Transition(own, resolved, applied, tree, context, path_leaf)

    references = tuple(message.proposal_reference(crypto) for message in order.by_reference)
    body = Commit((*references, *order.by_value), update_path)
    sender = Sender(SenderType.MEMBER, own)
    framed = FramedContent(
        state.context.group_id, state.context.epoch, sender, order.authenticated_data, body
    )
    group_context = state.context.encode()
    signature = sign_content(crypto, old_signer, order.wire_format, framed, group_context)
    unconfirmed = AuthenticatedContent(order.wire_format, framed, signature, None)
    confirmed = confirmed_transcript_hash(crypto, state.interim_transcript_hash, unconfirmed)
    context = context.confirmed(confirmed)
    init_secret = secrets.keys.get("init_secret")
    joiner = joiner_secret(crypto, init_secret, commit_secret, context.encode())
    psk = psk_secret(crypto, look_up(applied.psks, available_psks(state, secrets, order.psks)))
    following = enter_epoch(state, transition, context, joiner, psk, private_keys, signer)
    tag = confirmation_tag(crypto, following.keys.get("confirmation_key"), confirmed)
    content = AuthenticatedContent(order.wire_format, framed, signature, tag).mark_verified(group_context)
    after = advanced(state, transition, content, context)
    welcome = None
    if applied.added:
        welcome = _make_welcome(
            after, transition, path, joiner, psk, tag, signer, with_ratchet_tree=order.with_ratchet_tree
        )
    return CreatedCommit(content, welcome, NextEpoch(transition, after, following))


def _make_welcome(
    after: GroupState,
    transition: Transition,
    path: NewPath | None,
    joiner: bytes,
    psk: bytes,
    tag: bytes,
    signer: Signer,
    *,
    with_ratchet_tree: bool,
) -> bytes:
    """One Welcome for all joiners: an encoded MLSMessage."""
    crypto, applied = after.crypto, transition.applied
    extensions: tuple[Extension, ...] = ()
    if with_ratchet_tree:
        extensions = (Extension(ExtensionType.RATCHET_TREE, after.tree.encode()),)
    info = GroupInfo(after.context, extensions, tag, after.own_leaf).sign(crypto, signer)
    joiners = []
    for index, package in applied.added:
        path_secret = None if path is None else path.path_secret_for(after.own_leaf, index)
        joiners.append((package, GroupSecrets(joiner, path_secret, applied.psks)))
    sealed = seal_welcome(crypto, info, welcome_secret(crypto, joiner, psk), joiners)
    return MlsMessage(sealed).encode()
