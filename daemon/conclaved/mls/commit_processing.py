"""From one epoch to the next: the part that creating and processing a Commit share, and processing.

RFC 9420 §12.4.2. Pure: reads the epoch's secrets, consumes none, touches no ratchet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from conclaved.mls.crypto import HpkePrivateKey, Signer
from conclaved.mls.epoch import EpochSecrets, GroupState
from conclaved.mls.errors import LocalError, OwnMessage, RemoteError, WrongEpoch
from conclaved.mls.framing import AuthenticatedContent, SenderType
from conclaved.mls.group_context import GroupContext
from conclaved.mls.key_schedule import epoch_secret, joiner_secret
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.message_protection import verify_content
from conclaved.mls.proposal import Commit
from conclaved.mls.proposal_list import Applied, ResolvedProposal, apply_proposals, resolve
from conclaved.mls.psk import look_up, psk_secret, resumption_psk_key
from conclaved.mls.ratchet_tree import RatchetTree, check_in_tree
from conclaved.mls.transcript_hash import (
    check_confirmation_tag,
    confirmed_transcript_hash,
    interim_transcript_hash,
)
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import decrypt_path, keys_still_valid, merge_path
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.validation import (
    check_applied,
    check_merged_path,
    check_path,
    check_path_is_there,
    check_proposal_list,
)


@dataclass(frozen=True, slots=True)
class Transition:
    """What a Commit does to a group, as far as everybody can see."""

    committer: int
    proposals: tuple[ResolvedProposal, ...]
    applied: Applied
    tree: RatchetTree
    """With the path in it."""
    context: GroupContext
    """The provisional one: new but for the transcript hash."""
    path_leaf: tuple[LeafNode, LeafNode] | None
    """The committer's old and new leaf, if there is a path."""

    @property
    def added(self) -> tuple[int, ...]:
        return tuple(index for index, _ in self.applied.added)

    @property
    def updated(self) -> tuple[tuple[int, LeafNode, LeafNode], ...]:
        path = () if self.path_leaf is None else ((self.committer, *self.path_leaf),)
        return (*self.applied.updated, *path)


@dataclass(frozen=True, slots=True)
class NextEpoch:
    """The state and secrets that follow a Commit; `secrets` is None for who it removes."""

    transition: Transition
    state: GroupState
    secrets: EpochSecrets | None = field(repr=False)


def applied_list(
    state: GroupState, committer: int, proposals: Sequence[ResolvedProposal], now: int | None
) -> Applied:
    """Validate a list of proposals and apply it; RemoteError if it breaks a rule."""
    judge, extensions = state.judge(now), state.context.extensions
    check_proposal_list(judge, state.tree, extensions, committer, proposals)
    applied = apply_proposals(state.tree, extensions, proposals)
    check_applied(applied)
    return applied


def available_psks(
    state: GroupState, secrets: EpochSecrets, psks: Mapping[bytes, bytes]
) -> Mapping[bytes, bytes]:
    """The PSKs handed in, and this epoch's own resumption PSK."""
    key = resumption_psk_key(state.context.group_id, state.context.epoch)
    return {**psks, key: bytes(secrets.keys.get("resumption_psk"))}


def derive_joiner(
    state: GroupState, secrets: EpochSecrets, commit_secret: bytes, context: GroupContext
) -> bytes:
    """The joiner secret of the next epoch; GoneError if the init secret has been consumed."""
    init_secret = secrets.keys.get("init_secret")
    return joiner_secret(state.crypto, init_secret, commit_secret, context.encode())


def _check_is_for_us(state: GroupState, commit: AuthenticatedContent) -> Commit:
    content, body = commit.content, commit.body
    if content.group_id != state.context.group_id:
        raise RemoteError("a Commit of another group", rule="RFC 9420 §12.4.2")
    if content.epoch != state.context.epoch:
        raise WrongEpoch(content.epoch, state.context.epoch)
    if not isinstance(body, Commit):
        raise LocalError("the message carries no Commit")
    if commit.sender_type is not SenderType.MEMBER:
        raise RemoteError("external Commits are not supported", rule="RFC 9420 §12.4.3.2")
    if commit.sender == state.own_leaf:
        raise OwnMessage(content.epoch, commit.content_type)
    return body


def check_is_verified(state: GroupState, message: AuthenticatedContent) -> None:
    """Verify a message's signature, unless `unprotect` or `sign` has done so in this very epoch."""
    context = state.context.encode()
    if message.verified_in != context:
        leaf = check_in_tree(state.tree, message.sender, "RFC 9420 §6.1")
        verify_content(state.crypto, leaf.signature_key, message, context)


def _transition(
    state: GroupState,
    committer: int,
    proposals: tuple[ResolvedProposal, ...],
    path: UpdatePath | None,
    now: int | None,
) -> Transition:
    check_path_is_there(path, proposals)
    applied = applied_list(state, committer, proposals, now)
    tree, path_leaf = applied.tree, None
    if path is not None:
        check_path(state.judge(now), applied, committer, path)
        tree = merge_path(state.crypto, applied.tree, committer, path)
        check_merged_path(tree, path, applied.extensions)
        old = check_in_tree(applied.tree, committer, "RFC 9420 §12.4.2")
        path_leaf = (old, path.leaf_node)
    context = state.context.provisional(tree_hash(state.crypto, tree.root), applied.extensions)
    return Transition(committer, proposals, applied, tree, context, path_leaf)


def process_commit(
    state: GroupState,
    secrets: EpochSecrets,
    commit: AuthenticatedContent,
    proposals: Iterable[AuthenticatedContent],
    psks: Mapping[bytes, bytes],
    now: int | None,
) -> NextEpoch:
    """Validate a peer's Commit wholly and compute the epoch that follows it (§12.4.2).

    Raises RemoteError for a broken rule, OwnMessage for our own Commit, GoneError if this epoch's
    secrets have been consumed.
    """
    secrets.check_live()
    body = _check_is_for_us(state, commit)
    check_is_verified(state, commit)
    proposals = tuple(proposals)
    for message in proposals:
        if message.content.group_id != state.context.group_id or message.epoch != state.context.epoch:
            raise LocalError("a proposal of another group or epoch was handed in")
        if message.sender_type is SenderType.MEMBER:
            check_is_verified(state, message)
        elif message.verified_in is None:
            raise LocalError("an outsider's proposal was handed in that unprotect has not verified")
    resolved = resolve(state.crypto, commit, proposals)
    transition = _transition(state, commit.sender, resolved, body.path, now)
    removed = {index for index, _ in transition.applied.removed}
    if state.own_leaf in removed:
        return NextEpoch(transition, advanced(state, transition, commit, transition.context), None)

    private_keys, signer = _own_keys(state, secrets, transition.applied)
    commit_secret = state.crypto.zero
    if body.path is not None:
        decrypted = decrypt_path(
            state.crypto,
            transition.applied.tree,
            commit.sender,
            state.own_leaf,
            private_keys,
            body.path,
            transition.context.encode(),
            transition.added,
        )
        private_keys = {**private_keys, **decrypted.private_keys}
        commit_secret = decrypted.commit_secret
    confirmed = confirmed_transcript_hash(state.crypto, state.interim_transcript_hash, commit)
    context = transition.context.confirmed(confirmed)
    joiner = derive_joiner(state, secrets, commit_secret, context)
    found = look_up(transition.applied.psks, available_psks(state, secrets, psks))
    following = enter_epoch(
        state, transition, context, joiner, psk_secret(state.crypto, found), private_keys, signer
    )
    try:
        key = following.keys.get("confirmation_key")
        check_confirmation_tag(state.crypto, key, confirmed, commit.confirmation_tag)
    except RemoteError:
        following.close()
        raise
    return NextEpoch(transition, advanced(state, transition, commit, context), following)


def _own_keys(
    state: GroupState, secrets: EpochSecrets, applied: Applied
) -> tuple[dict[int, HpkePrivateKey], Signer]:
    """Our private keys once the proposals are applied, and the signer that goes with our leaf."""
    private_keys, signer = dict(secrets.private_keys), secrets.signer
    for index, _, leaf in applied.updated:
        if index == state.own_leaf:
            update = secrets.find_update(leaf.encryption_key)
            private_keys[2 * index], signer = update.leaf_key, update.signer
    return private_keys, signer


def enter_epoch(
    state: GroupState,
    transition: Transition,
    context: GroupContext,
    joiner: bytes,
    psk: bytes,
    private_keys: Mapping[int, HpkePrivateKey],
    signer: Signer,
) -> EpochSecrets:
    """The secrets of the epoch with that (final) context."""
    secret = epoch_secret(state.crypto, joiner, psk, context.encode())
    kept = keys_still_valid(transition.tree, state.own_leaf, private_keys)
    return EpochSecrets.derive(state.crypto, secret, transition.tree.n_leaves, kept, signer)


def advanced(
    state: GroupState, transition: Transition, commit: AuthenticatedContent, context: GroupContext
) -> GroupState:
    """The public state after a Commit with that (final) context."""
    tag = commit.confirmation_tag or b""
    interim = interim_transcript_hash(state.crypto, context.confirmed_transcript_hash, tag)
    return GroupState(state.crypto, context, transition.tree, interim, state.own_leaf, state.auth)
