"""From one epoch to the next: the part that creating and processing a Commit share, and processing.

RFC 9420 §12.4.2. Pure: reads the epoch's secrets, consumes none, touches no ratchet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conclaved.mls.crypto import Signer
from conclaved.mls.epoch import EpochSecrets, GroupState
from conclaved.mls.errors import LocalError, OwnMessage, RemoteError
from conclaved.mls.extension import external_senders
from conclaved.mls.framing import AuthenticatedContent, SenderType
from conclaved.mls.group_context import GroupContext
from conclaved.mls.kem import HpkePrivateKey
from conclaved.mls.key_schedule import epoch_secret, external_key_pair, joiner_secret
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.message_protection import verify_content
from conclaved.mls.proposal import Add, Commit, ExternalInit, ReInit
from conclaved.mls.proposal_list import Applied, ResolvedProposal, apply_proposals, resolve
from conclaved.mls.psk import look_up, psk_secret, resumption_psk_key
from conclaved.mls.ratchet_tree import RatchetTree, check_in_tree
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.transcript_hash import (
    check_confirmation_tag,
    confirmed_transcript_hash,
    interim_transcript_hash,
)
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import decrypt_path, keys_still_valid, merge_path
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.validation import (
    Judge,
    check_applied,
    check_committer_may,
    check_external_commit,
    check_external_sender,
    check_group_goes_on,
    check_is_for_group,
    check_merged_path,
    check_path,
    check_path_is_there,
    check_proposal_list,
)

EXTERNAL_INIT_LABEL = b"MLS 1.0 external init secret"


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
    """The committer's old and new leaf, if it was a member and there is a path."""

    @property
    def added(self) -> tuple[int, ...]:
        """Leaf indices of new members, whether added or come by an external Commit."""
        external = self.applied.external_leaf
        indices = tuple(index for index, _ in self.applied.added)
        return indices if external is None else (*indices, external)

    @property
    def updated(self) -> tuple[tuple[int, LeafNode, LeafNode], ...]:
        path = () if self.path_leaf is None else ((self.committer, *self.path_leaf),)
        return (*self.applied.updated, *path)


@dataclass(frozen=True, slots=True)
class NextEpoch(NotCopied):
    """The state and secrets that follow a Commit; `secrets` is None for who it removes."""

    transition: Transition
    state: GroupState
    secrets: EpochSecrets | None = field(repr=False)


def applied_list(
    state: GroupState, committer: int, proposals: Sequence[ResolvedProposal], judge: Judge
) -> Applied:
    """Validate a list of proposals and apply it; RemoteError if it breaks a rule."""
    extensions = state.context.extensions
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


def init_secret_of(state: GroupState, secrets: EpochSecrets, proposals: Iterable[ResolvedProposal]) -> bytes:
    """This epoch's init secret, or the one that an ExternalInit brings (§8.3)."""
    crypto = state.crypto
    for each in proposals:
        if isinstance(each.proposal, ExternalInit):
            private = external_key_pair(crypto, secrets.keys.get("external_secret"))
            context = crypto.hpke_context(b"")
            return context.receive_export(
                private, each.proposal.kem_output, EXTERNAL_INIT_LABEL, crypto.hash_size
            )
    return bytes(secrets.keys.get("init_secret"))


def _check_is_for_us(state: GroupState, commit: AuthenticatedContent, *, allow_external: bool) -> Commit:
    content, body = commit.content, commit.body
    check_is_for_group(state.context, content.group_id, content.epoch)
    check_group_goes_on(state.reinit)
    if not isinstance(body, Commit):
        raise LocalError("the message carries no Commit")
    check_committer_may(commit.sender_type, allow_external=allow_external)
    if commit.sender_type is SenderType.MEMBER and commit.sender == state.own_leaf:
        raise OwnMessage(content.epoch, commit.content_type)
    return body


def check_is_verified(state: GroupState, message: AuthenticatedContent) -> None:
    """Verify a message's signature, unless `unprotect` or `sign` has done so in this very epoch.

    LocalError for one that is not of this group and epoch.
    """
    content, context = message.content, state.context.encode()
    if content.group_id != state.context.group_id or content.epoch != state.context.epoch:
        raise LocalError("a message of another group or epoch was handed in")
    if message.verified_in != context:
        public_key = signature_key_of(state, message)
        verify_content(state.crypto, public_key, message, context)


def signature_key_of(state: GroupState, message: AuthenticatedContent) -> bytes:
    """The key that a message must be signed with (RFC 9420 §6.1); RemoteError if there is none."""
    rule, sender = "RFC 9420 §6.1", message.content.sender
    match sender.type:
        case SenderType.MEMBER:
            return check_in_tree(state.tree, sender.index, rule).signature_key
        case SenderType.EXTERNAL:
            senders = external_senders(state.context.extensions)
            if isinstance(message.body, bytes | Commit) or sender.index >= len(senders):
                raise RemoteError("not an external sender of this group", rule=rule)
            check_external_sender(sender.type, message.body)
            return senders[sender.index].signature_key
        case SenderType.NEW_MEMBER_PROPOSAL:
            if not isinstance(message.body, Add):
                raise RemoteError("a new member may only propose its Add", rule=rule)
            return message.body.key_package.leaf_node.signature_key
        case SenderType.NEW_MEMBER_COMMIT:
            if not isinstance(message.body, Commit):
                raise RemoteError("a new member may only send a Commit", rule=rule)
            if message.body.path is None:
                raise RemoteError("an external Commit without a path", rule="RFC 9420 §12.4.3.2")
            return message.body.path.leaf_node.signature_key


def _transition(
    state: GroupState,
    commit: AuthenticatedContent,
    proposals: tuple[ResolvedProposal, ...],
    path: UpdatePath | None,
    judge: Judge,
) -> Transition:
    if commit.sender_type is SenderType.NEW_MEMBER_COMMIT:
        check_external_commit(judge, state.tree, proposals, path)
        applied = apply_proposals(state.tree, state.context.extensions, proposals, is_external=True)
        committer, old = applied.external_leaf or 0, None
    else:
        check_path_is_there(path, proposals)
        applied, committer = applied_list(state, commit.sender, proposals, judge), commit.sender
        old = check_in_tree(applied.tree, committer, "RFC 9420 §12.4.2")
    tree, path_leaf = applied.tree, None
    if path is not None:
        check_path(judge, applied, committer, path)
        tree = merge_path(state.crypto, applied.tree, committer, path)
        check_merged_path(tree, path, applied.extensions)
        path_leaf = None if old is None else (old, path.leaf_node)
    context = state.context.provisional(tree_hash(state.crypto, tree.root), applied.extensions)
    return Transition(committer, proposals, applied, tree, context, path_leaf)


def process_commit(
    state: GroupState,
    secrets: EpochSecrets,
    commit: AuthenticatedContent,
    proposals: Iterable[AuthenticatedContent],
    psks: Mapping[bytes, bytes],
    now: int | None,
    *,
    allow_external: bool = False,
    allow_reinit: bool = False,
) -> NextEpoch:
    """Validate a peer's Commit wholly and compute the epoch that follows it (§12.4.2).

    Raises RemoteError for a broken rule, OwnMessage for our own Commit, GoneError if this epoch's
    secrets have been consumed.
    """
    secrets.check_live()
    body = _check_is_for_us(state, commit, allow_external=allow_external)
    check_is_verified(state, commit)
    proposals = tuple(proposals)
    for message in proposals:
        check_is_verified(state, message)
    resolved = resolve(state.crypto, commit, proposals)
    judge = state.judge(now, allow_reinit=allow_reinit)
    transition = _transition(state, commit, resolved, body.path, judge)
    removed = {index for index, _ in transition.applied.removed}
    if state.own_leaf in removed:
        return NextEpoch(transition, advanced(state, transition, commit, transition.context), None)

    private_keys, signer = _own_keys(state, secrets, transition.applied)
    commit_secret = state.crypto.zero
    if body.path is not None:
        decrypted = decrypt_path(
            state.crypto,
            transition.applied.tree,
            transition.committer,
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
    init_secret = init_secret_of(state, secrets, resolved)
    joiner = joiner_secret(state.crypto, init_secret, commit_secret, context.encode())
    found = look_up(transition.applied.psks, available_psks(state, secrets, psks))
    following = enter_epoch(
        state, transition, context, joiner, psk_secret(state.crypto, found), private_keys, signer
    )
    try:
        key = following.keys.get("confirmation_key")
        check_confirmation_tag(state.crypto, key, confirmed, commit.confirmation_tag)
    except RemoteError:
        following.close()
        # If another thread ended this epoch meanwhile, its erased secrets and not the peer are to blame.
        secrets.check_live()
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
    reinits = (each.proposal for each in transition.proposals if isinstance(each.proposal, ReInit))
    return replace(
        state,
        context=context,
        tree=transition.tree,
        interim_transcript_hash=interim,
        reinit=next(reinits, None),
    )
