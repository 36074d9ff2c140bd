"""Founding a group, and joining one by a Welcome (RFC 9420 §11, §12.4.3.1)."""

from collections.abc import Callable, Container, Iterable, Mapping

from conclaved.mls.credential import AuthenticationService, Credential
from conclaved.mls.crypto import CipherSuite, Crypto, Signer, crypto_for, suite_from_wire
from conclaved.mls.epoch import EpochSecrets, GroupState
from conclaved.mls.errors import LocalError, MlsError, RemoteError
from conclaved.mls.extension import Extension, ExtensionType, find_extension
from conclaved.mls.group_context import GroupContext
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.key_package import KeyPackageBundle, new_leaf_node
from conclaved.mls.key_schedule import epoch_secret, welcome_secret
from conclaved.mls.leaf_node import Lifetime
from conclaved.mls.lineage import Lineage
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import GroupContextExtensions
from conclaved.mls.psk import look_up, psk_secret, resumption_psk_key
from conclaved.mls.ratchet_tree import MAX_LEAVES, RatchetTree, check_in_tree
from conclaved.mls.transcript_hash import (
    check_confirmation_tag,
    confirmation_tag,
    interim_transcript_hash,
)
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import check_keys_are_known, keys_from_welcome
from conclaved.mls.validation import (
    Judge,
    check_capabilities,
    check_group_context_extensions,
    check_group_info_suite,
    check_group_is_new,
    check_joined_tree,
    check_lifetime,
    check_own_leaf,
    check_ties,
    check_welcome_suite,
)
from conclaved.mls.welcome import Welcome
from conclaved.mls.working_ahead import Worker

_RULE = "RFC 9420 §12.4.3.1"


def found_group(
    suite: CipherSuite,
    group_id: bytes,
    signer: Signer,
    credential: Credential,
    lifetime: Lifetime,
    extension_types: Iterable[int],
    leaf_extensions: Iterable[Extension],
    extensions: tuple[Extension, ...],
    auth: AuthenticationService,
    credential_types: Iterable[int] = (),
) -> tuple[GroupState, EpochSecrets]:
    """Epoch 0 of a group of one (§11)."""
    crypto = crypto_for(suite)
    leaf_key = crypto.generate_key_pair()
    leaf = new_leaf_node(
        crypto,
        signer,
        credential,
        leaf_key,
        lifetime,
        extension_types,
        leaf_extensions,
        extensions,
        credential_types,
    )
    leaf.verify(crypto)
    tree = RatchetTree.of_one(leaf)
    judge = Judge(crypto, group_id, auth, None)
    check_group_context_extensions(judge, (), GroupContextExtensions(extensions))
    check_capabilities(tree, extensions)
    context = GroupContext(suite, group_id, 0, tree_hash(crypto, tree.root), b"", extensions)
    secret = crypto.random(crypto.hash_size)
    secrets = EpochSecrets.derive(crypto, secret, 1, {0: leaf_key}, signer)
    tag = confirmation_tag(crypto, secrets.keys.get("confirmation_key"), b"")
    interim = interim_transcript_hash(crypto, b"", tag)
    return GroupState(crypto, context, tree, interim, 0, auth), secrets


def _read_welcome(data: bytes) -> Welcome:
    content = MlsMessage.decode(data).content
    if not isinstance(content, Welcome):
        raise RemoteError("the message is no Welcome", rule="RFC 9420 §6")
    return content


Inspect = Callable[[tuple[Extension, ...], RatchetTree, int], None]
"""(GroupContext extensions, tree, who signed the GroupInfo): raises what it likes if that is not wanted."""


def tree_of(info: GroupInfo, ratchet_tree: bytes | None, *, max_leaves: int = MAX_LEAVES) -> RatchetTree:
    """The tree of a GroupInfo, from its extension or handed in; LocalError without one."""
    data = find_extension(info.extensions, ExtensionType.RATCHET_TREE)
    if data is None:
        data = ratchet_tree
    if data is None:
        raise LocalError("there is no ratchet tree in it, and none was handed in")
    return RatchetTree.decode(data, max_leaves=max_leaves)


def join_group(
    data: bytes,
    bundle: KeyPackageBundle,
    signer: Signer,
    ratchet_tree: bytes | None,
    psks: Mapping[bytes, bytes],
    auth: AuthenticationService,
    now: int | None,
    lineage: Lineage | None = None,
    *,
    inspect: Inspect | None = None,
    max_leaves: int = MAX_LEAVES,
    other_groups: Container[bytes] = (),
    worker: Worker | None = None,
) -> tuple[GroupState, EpochSecrets]:
    """Join by an encoded MLSMessage with a Welcome. The bundle is consumed only on success.

    RemoteError if the Welcome or the tree breaks a rule, MissingPsk if it wants a PSK that is not in
    `psks`, LocalError without a tree or with a signer of another key, GoneError for a used bundle.
    """
    welcome, package = _read_welcome(data), bundle.key_package
    suite = suite_from_wire(welcome.cipher_suite)
    check_welcome_suite(package, suite)
    if signer.public_key != package.leaf_node.signature_key:
        raise LocalError("the signer is not the one of the KeyPackage")
    crypto = crypto_for(suite)
    opened = welcome.open_secrets(crypto, package.reference(suite), bundle.init_key)
    if lineage is not None:
        psks = {**psks, resumption_psk_key(lineage.group_id, lineage.epoch): lineage.resumption_psk}
    psk = psk_secret(crypto, look_up(opened.psks, psks))
    info = welcome.open_group_info(crypto, welcome_secret(crypto, opened.joiner_secret, psk))
    context = info.group_context
    check_group_info_suite(package, context)
    check_group_is_new(context.group_id, other_groups)
    check_ties(opened.psks, lineage, context)
    tree = tree_of(info, ratchet_tree, max_leaves=max_leaves)
    info.verify(crypto, check_in_tree(tree, info.signer, _RULE).signature_key)
    if inspect is not None:
        inspect(context.extensions, tree, info.signer)
    own = check_own_leaf(tree, package, info.signer)
    judge = Judge(crypto, context.group_id, auth, now, worker=worker)
    check_lifetime(judge, package.leaf_node)
    check_joined_tree(judge, tree, context.tree_hash, context.extensions)
    check_group_context_extensions(judge, (), GroupContextExtensions(context.extensions))

    private_keys = {2 * own: bundle.leaf_key}
    if opened.path_secret is not None:
        private_keys.update(keys_from_welcome(crypto, tree, info.signer, own, opened.path_secret))
    check_keys_are_known(tree, own, private_keys)
    secret = epoch_secret(crypto, opened.joiner_secret, psk, context.encode())
    secrets = EpochSecrets.derive(crypto, secret, tree.n_leaves, private_keys, signer)
    try:
        state = _confirmed_state(crypto, info, tree, own, auth, secrets)
    except MlsError:
        secrets.close()
        raise
    if not package.is_last_resort:
        bundle.close()
    return state, secrets


def _confirmed_state(
    crypto: Crypto,
    info: GroupInfo,
    tree: RatchetTree,
    own: int,
    auth: AuthenticationService,
    secrets: EpochSecrets,
) -> GroupState:
    confirmed = info.group_context.confirmed_transcript_hash
    key = secrets.keys.get("confirmation_key")
    check_confirmation_tag(crypto, key, confirmed, info.confirmation_tag)
    interim = interim_transcript_hash(crypto, confirmed, info.confirmation_tag)
    return GroupState(crypto, info.group_context, tree, interim, own, auth)
