"""Joining without being added: the external Commit, and the GroupInfo that allows one (§12.4.3.2).

Conclave's meetings use none of this (nobody joins but by a member's Add); it is here because RFC 9420 has
it. `unprotect` and `stage` refuse outsiders unless they are told otherwise.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque
from conclaved.mls.commit_processing import EXTERNAL_INIT_LABEL, Transition, advanced
from conclaved.mls.credential import AuthenticationService, Credential
from conclaved.mls.crypto import Signer, crypto_for, suite_from_wire
from conclaved.mls.epoch import EpochSecrets, GroupState
from conclaved.mls.errors import RemoteError
from conclaved.mls.extension import Extension, ExtensionType, find_extension
from conclaved.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.joining import tree_of
from conclaved.mls.key_schedule import epoch_secret, external_key_pair, joiner_secret
from conclaved.mls.leaf_node import Capabilities, LeafNode, LeafNodeSource
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import (
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    Remove,
)
from conclaved.mls.proposal_list import ResolvedProposal, apply_proposals
from conclaved.mls.psk import PreSharedKeyID, look_up, psk_secret
from conclaved.mls.ratchet_tree import check_in_tree
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.transcript_hash import (
    confirmation_tag,
    confirmed_transcript_hash,
    interim_transcript_hash,
)
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import encrypt_path, new_path
from conclaved.mls.validation import (
    check_external_commit,
    check_group_context_extensions,
    check_group_is_new,
    check_joined_tree,
    check_merged_path,
    check_path,
)

_RULE = "RFC 9420 §12.4.3.2"


def make_group_info(
    state: GroupState, secrets: EpochSecrets, *, allow_external: bool, with_ratchet_tree: bool
) -> bytes:
    """An encoded MLSMessage with this epoch's signed GroupInfo; GoneError unless live.

    Whoever has one with `allow_external`, and the tree, can join by itself. LocalError for a group that a
    ReInit has ended.
    """
    state.check_can_send()
    crypto, extensions = state.crypto, []
    if with_ratchet_tree:
        extensions.append(Extension(ExtensionType.RATCHET_TREE, state.tree.encode()))
    if allow_external:
        public = external_key_pair(crypto, secrets.keys.get("external_secret")).public_key
        extensions.append(Extension(ExtensionType.EXTERNAL_PUB, opaque(public)))
    key = secrets.keys.get("confirmation_key")
    tag = confirmation_tag(crypto, key, state.context.confirmed_transcript_hash)
    info = GroupInfo(state.context, tuple(extensions), tag, state.own_leaf)
    return MlsMessage(info.sign(crypto, secrets.signer)).encode()


@dataclass(frozen=True, slots=True)
class Newcomer(NotCopied):
    """Who joins by an external Commit."""

    signer: Signer
    credential: Credential
    extension_types: Iterable[int]
    leaf_extensions: tuple[Extension, ...]
    replaces: int | None
    """Leaf index of an old appearance of the same client, to be removed."""
    psk_ids: Sequence[PreSharedKeyID] = ()
    credential_types: Iterable[int] = ()
    psks: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)


def _read_info(data: bytes) -> tuple[GroupInfo, bytes]:
    info = MlsMessage.decode(data).content
    if not isinstance(info, GroupInfo):
        raise RemoteError("the message is no GroupInfo", rule=_RULE)
    external_pub = find_extension(info.extensions, ExtensionType.EXTERNAL_PUB)
    if external_pub is None:
        raise RemoteError("the GroupInfo allows no external Commit", rule=_RULE)
    return info, decode_whole(external_pub, Reader.opaque)


def join_externally(
    data: bytes,
    newcomer: Newcomer,
    ratchet_tree: bytes | None,
    auth: AuthenticationService,
    now: int | None,
    other_groups: Container[bytes] = (),
) -> tuple[bytes, GroupState, EpochSecrets]:
    """Make an external Commit: the message to send, and the epoch that begins if it is accepted.

    RemoteError if the GroupInfo or its tree breaks a rule, MissingPsk, LocalError without a tree or with a
    signer of another suite.
    """
    info, external_pub = _read_info(data)
    context = info.group_context
    crypto = crypto_for(suite_from_wire(context.cipher_suite))
    crypto.check_signer(newcomer.signer)
    check_group_is_new(context.group_id, other_groups)
    tree = tree_of(info, ratchet_tree)
    info.verify(crypto, check_in_tree(tree, info.signer, _RULE).signature_key)
    interim = interim_transcript_hash(crypto, context.confirmed_transcript_hash, info.confirmation_tag)
    state = GroupState(crypto, context, tree, interim, 0, auth)
    judge = state.judge(now)
    check_joined_tree(judge, tree, context.tree_hash, context.extensions)
    check_group_context_extensions(judge, (), GroupContextExtensions(context.extensions))

    public = crypto.hpke_public_key(external_pub)
    kem_output, init_secret = crypto.hpke_context(b"").send_export(
        public, EXTERNAL_INIT_LABEL, crypto.hash_size
    )
    proposals: list[Proposal] = [ExternalInit(kem_output)]
    if newcomer.replaces is not None:
        proposals.append(Remove(newcomer.replaces))
    proposals += (PreSharedKey(each) for each in newcomer.psk_ids)
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    resolved = tuple(ResolvedProposal(each, None, False, b"", sender.type) for each in proposals)
    applied = apply_proposals(tree, context.extensions, resolved, is_external=True)
    own = applied.external_leaf or 0
    state = GroupState(crypto, context, tree, interim, own, auth)

    def make_leaf(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        types = [*newcomer.extension_types, *(each.extension_type for each in newcomer.leaf_extensions)]
        return LeafNode(
            encryption_key,
            newcomer.signer.public_key,
            newcomer.credential,
            Capabilities.of_this_library(
                crypto, types, (newcomer.credential.credential_type, *newcomer.credential_types)
            ),
            LeafNodeSource.COMMIT,
            None,
            parent_hash,
            newcomer.leaf_extensions,
        ).sign(crypto, newcomer.signer, context.group_id, own)

    path = new_path(crypto, applied.tree, own, make_leaf)
    provisional = context.provisional(tree_hash(crypto, path.tree.root), applied.extensions)
    update_path = encrypt_path(crypto, path, provisional.encode())
    check_external_commit(judge, tree, resolved, update_path)
    check_path(judge, applied, own, update_path)
    check_merged_path(path.tree, update_path, applied.extensions)
    transition = Transition(own, resolved, applied, path.tree, provisional, None)

    framed = FramedContent(
        context.group_id, context.epoch, sender, b"", Commit(tuple(proposals), update_path)
    )
    wire_format = WireFormat.PUBLIC_MESSAGE
    signature = sign_content(crypto, newcomer.signer, wire_format, framed, context.encode())
    unconfirmed = AuthenticatedContent(wire_format, framed, signature, None)
    confirmed = confirmed_transcript_hash(crypto, interim, unconfirmed)
    final = provisional.confirmed(confirmed)
    joiner = joiner_secret(crypto, init_secret, path.commit_secret, final.encode())
    psk = psk_secret(crypto, look_up(applied.psks, newcomer.psks))
    secret = epoch_secret(crypto, joiner, psk, final.encode())
    secrets = EpochSecrets.derive(crypto, secret, path.tree.n_leaves, path.private_keys, newcomer.signer)
    tag = confirmation_tag(crypto, secrets.keys.get("confirmation_key"), confirmed)
    commit = AuthenticatedContent(wire_format, framed, signature, tag)
    message = MlsMessage(PublicMessage(commit, None)).encode()
    return message, advanced(state, transition, commit, final), secrets
