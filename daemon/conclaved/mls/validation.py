"""Every rule of RFC 9420 by which a peer's contribution is judged, from top to bottom.

Each check is a pure function of what the members share, named for what it demands, and opens with what
it prevents. All raise RemoteError with the section that they enforce. What a credential claims is judged
by the authentication service, whose refusal reaches the caller as it is.

Order: leaves (§7.3), KeyPackages (§10.1), single proposals (§12.1), the list (§12.2), the tree that
results (§7.3, §11.1, §13.4), the Commit and its path (§12.4.2), a joiner's group (§12.4.3).

Rules about bytes are where bytes are read, those that need a secret where the secret is: the shape of a
tree in `ratchet_tree`, parent hashes in `parent_hash`, a path's length, ciphertexts and keys in `treekem`,
signatures, tags and padding in `message_protection`. docs/mls-rules.md lists all, by section.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from conclaved.mls.credential import AuthenticationService, check_key_binding
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import RemoteError, WrongEpoch
from conclaved.mls.extension import (
    DEFAULT_EXTENSION_TYPES,
    Extension,
    extension_types,
    external_senders,
    required_capabilities,
)
from conclaved.mls.framing import SenderType
from conclaved.mls.group_context import GroupContext
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.leaf_node import PROTOCOL_VERSION, LeafNode, LeafNodeSource
from conclaved.mls.lineage import Lineage, is_tie
from conclaved.mls.parent_hash import check_parent_hashes
from conclaved.mls.proposal import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalType,
    ReInit,
    Remove,
    UnknownProposal,
    Update,
)
from conclaved.mls.proposal_list import Applied, ResolvedProposal
from conclaved.mls.psk import PreSharedKeyID, PskType, ResumptionPskUsage
from conclaved.mls.ratchet_tree import ParentNode, RatchetTree, check_in_tree
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.working_ahead import Worker, WorkingAhead

_DEFAULT_PROPOSAL_TYPES = frozenset(int(member) for member in ProposalType)
_EXTERNAL_SENDER_TYPES = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)


@dataclass(frozen=True, slots=True)
class Judge:
    """What every check needs: the suite, the group, the authentication service, the time if known."""

    crypto: Crypto
    group_id: bytes
    auth: AuthenticationService
    now: int | None
    """Seconds since 1970; None where there is no believable clock, and lifetimes go unchecked."""
    allow_reinit: bool = False
    """Whether a ReInit is wanted at all."""
    continues: ResumptionPskUsage = ResumptionPskUsage.APPLICATION
    """Reinit or branch in the first Commit of a group that continues another one."""
    worker: Worker | None = None
    """Who may verify signatures at the same time."""


# --- Leaves (§7.3) -------------------------------------------------------------------------------


def check_leaf_source(leaf: LeafNode, source: LeafNodeSource) -> None:
    """Prevents a leaf signed for one purpose from being used for another."""
    if leaf.leaf_node_source is not source:
        raise RemoteError(f"the leaf's source is not {source.name.lower()}", rule="RFC 9420 §7.3")


def check_lifetime_is_bounded(judge: Judge, leaf: LeafNode) -> None:
    """Prevents a leaf that never ends: a key that was lost long ago would still let somebody in."""
    if judge.now is not None and leaf.lifetime is not None and not leaf.lifetime.is_acceptable:
        raise RemoteError("the leaf's lifetime is too long", rule="RFC 9420 §7.2")


def check_lifetime(judge: Judge, leaf: LeafNode) -> None:
    """Prevents adding a client by a KeyPackage that has expired, is not valid yet, or never ends."""
    if judge.now is None or leaf.lifetime is None:
        return
    if not leaf.lifetime.includes(judge.now):
        raise RemoteError("the leaf's lifetime does not include the present", rule="RFC 9420 §7.3")
    check_lifetime_is_bounded(judge, leaf)


def check_leaf_extensions_are_listed(leaf: LeafNode) -> None:
    """Prevents a leaf from using an extension that it does not say it supports."""
    if not extension_types(leaf.extensions) <= set(leaf.capabilities.extensions):
        raise RemoteError("a leaf extension is not in its capabilities", rule="RFC 9420 §7.3")


def check_leaf_supports_group(judge: Judge, leaf: LeafNode) -> None:
    """Prevents adding a client that cannot take part in the group's version and suite."""
    capabilities = leaf.capabilities
    if PROTOCOL_VERSION not in capabilities.versions or judge.crypto.suite not in capabilities.cipher_suites:
        raise RemoteError("the leaf does not support the group's version and suite", rule="RFC 9420 §11.1")
    if leaf.credential.credential_type not in capabilities.credentials:
        raise RemoteError("the leaf does not support its own credential type", rule="RFC 9420 §7.2")


def check_leaf(judge: Judge, leaf: LeafNode, leaf_index: int = 0) -> None:
    """All that can be said of a leaf by itself, its signature and key binding included."""
    check_leaf_extensions_are_listed(leaf)
    check_leaf_supports_group(judge, leaf)
    leaf.verify(judge.crypto, judge.group_id, leaf_index)


def check_new_credential(judge: Judge, leaf: LeafNode, old: LeafNode | None = None) -> None:
    """Prevents a credential from entering that the authentication service refuses (§5.3.1)."""
    if old is None:
        judge.auth.validate(leaf.credential, leaf.signature_key)
    elif old.credential != leaf.credential or old.signature_key != leaf.signature_key:
        judge.auth.validate(leaf.credential, leaf.signature_key)
        judge.auth.validate_successor(old.credential, leaf.credential)


# --- KeyPackages (§10.1) -------------------------------------------------------------------------


def check_key_package(judge: Judge, package: KeyPackage) -> None:
    """Prevents adding a client by a package that it did not sign for this kind of group."""
    if package.version != PROTOCOL_VERSION or package.cipher_suite != judge.crypto.suite:
        raise RemoteError("the KeyPackage is for another version or suite", rule="RFC 9420 §10.1")
    leaf = package.leaf_node
    check_leaf_source(leaf, LeafNodeSource.KEY_PACKAGE)
    check_lifetime(judge, leaf)
    check_leaf(judge, leaf)
    if not extension_types(package.extensions) <= set(leaf.capabilities.extensions):
        raise RemoteError("a KeyPackage extension is not in the capabilities", rule="RFC 9420 §10")
    package.verify_signature(judge.crypto)
    if package.init_key == leaf.encryption_key:
        raise RemoteError("init key and encryption key are the same", rule="RFC 9420 §10.1")
    check_new_credential(judge, leaf)


# --- Single proposals (§12.1) --------------------------------------------------------------------


def check_add(judge: Judge, proposal: Add) -> None:
    """§12.1.1: prevents an Add with an invalid KeyPackage."""
    check_key_package(judge, proposal.key_package)


def check_update(judge: Judge, tree: RatchetTree, sender: int | None, proposal: Update) -> None:
    """§12.1.2: prevents a member from keeping its old key, or from replacing another's leaf."""
    if sender is None:
        raise RemoteError("an Update from outside the group", rule="RFC 9420 §12.1.8")
    old = check_in_tree(tree, sender, "RFC 9420 §12.1.2")
    check_replacement_leaf(judge, old, proposal.leaf_node, sender, LeafNodeSource.UPDATE)


def check_replacement_leaf(
    judge: Judge, old: LeafNode, new: LeafNode, leaf_index: int, source: LeafNodeSource
) -> None:
    """§7.3, §12.4.2: prevents an invalid successor of a leaf, in an Update or a path."""
    check_leaf_source(new, source)
    if new.encryption_key == old.encryption_key:
        raise RemoteError("the leaf keeps its encryption key", rule="RFC 9420 §7.3")
    check_leaf(judge, new, leaf_index)
    check_new_credential(judge, new, old)


def check_remove(tree: RatchetTree, proposal: Remove) -> None:
    """§12.1.3: prevents removing what is not there."""
    check_in_tree(tree, proposal.removed, "RFC 9420 §12.1.3")


def check_psk(judge: Judge, proposal: PreSharedKey) -> None:
    """§12.1.4: prevents a PSK nonce that adds nothing, and PSKs of other procedures."""
    if len(proposal.psk.nonce) != judge.crypto.hash_size:
        raise RemoteError("the PSK nonce has the wrong length", rule="RFC 9420 §12.1.4")
    is_resumption = proposal.psk.psk_type is PskType.RESUMPTION
    allowed = (ResumptionPskUsage.APPLICATION, judge.continues)
    if is_resumption and proposal.psk.usage not in allowed:
        raise RemoteError("a reinit or branch PSK in a proposal", rule="RFC 9420 §12.1.4")


def check_group_context_extensions(
    judge: Judge, current: Sequence[Extension], proposal: GroupContextExtensions
) -> None:
    """§12.1.7: prevents malformed extensions, and external senders that the service refuses."""
    types = [extension.extension_type for extension in proposal.extensions]
    if len(types) != len(set(types)):
        raise RemoteError("an extension type occurs twice", rule="RFC 9420 §13.4")
    required_capabilities(proposal.extensions)
    known = frozenset(external_senders(current))
    for sender in external_senders(proposal.extensions):
        if sender not in known:
            check_key_binding(judge.crypto, sender.credential, sender.signature_key)
            judge.auth.validate(sender.credential, sender.signature_key)


def check_reinit(judge: Judge, proposal: ReInit) -> None:
    """§12.1.5: prevents a step back to an older version, and any ReInit where none is wanted."""
    if not judge.allow_reinit:
        raise RemoteError("a ReInit is refused without allow_reinit", rule="RFC 9420 §12.1.5")
    if proposal.version < PROTOCOL_VERSION:
        raise RemoteError("a ReInit to an older version", rule="RFC 9420 §12.1.5")


def may_propose(sender: SenderType, proposal: Proposal) -> bool:
    """§12.1.8: whether a sender of that type may propose that at all."""
    match sender:
        case SenderType.MEMBER:
            return True
        case SenderType.EXTERNAL:
            return isinstance(proposal, _EXTERNAL_SENDER_TYPES)
        case SenderType.NEW_MEMBER_PROPOSAL:
            return isinstance(proposal, Add)
        case SenderType.NEW_MEMBER_COMMIT:
            return False


def check_external_sender(sender: SenderType, proposal: Proposal) -> None:
    """§12.1.8: prevents outsiders from proposing what only members may."""
    if not may_propose(sender, proposal):
        raise RemoteError("an outsider may not propose that", rule="RFC 9420 §12.1.8")


def check_proposal(
    judge: Judge, tree: RatchetTree, extensions: Sequence[Extension], each: ResolvedProposal
) -> None:
    """§12.1: one proposal by itself."""
    check_external_sender(each.sender_type, each.proposal)
    match each.proposal:
        case Add() as add:
            check_add(judge, add)
        case Update() as update:
            check_update(judge, tree, each.sender, update)
        case Remove() as remove:
            check_remove(tree, remove)
        case PreSharedKey() as psk:
            check_psk(judge, psk)
        case GroupContextExtensions() as change:
            check_group_context_extensions(judge, extensions, change)
        case ReInit() as reinit:
            check_reinit(judge, reinit)
        case ExternalInit():
            raise RemoteError("ExternalInit in a member's Commit", rule="RFC 9420 §12.2")
        case UnknownProposal():
            raise RemoteError("a proposal type that not all support", rule="RFC 9420 §12.2")


# --- The list of proposals (§12.2) ---------------------------------------------------------------


def check_committer_leaves_own_leaf_alone(committer: int, proposals: Iterable[ResolvedProposal]) -> None:
    """Prevents a committer from removing or updating itself, which its path would contradict."""
    for each in proposals:
        if isinstance(each.proposal, Update) and each.sender == committer:
            raise RemoteError("an Update by the committer", rule="RFC 9420 §12.2")
        if isinstance(each.proposal, Remove) and each.proposal.removed == committer:
            raise RemoteError("a Remove of the committer", rule="RFC 9420 §12.2")


def check_one_change_a_leaf(proposals: Iterable[ResolvedProposal]) -> None:
    """Prevents an outcome that depends on the order of Updates and Removes."""
    changed: set[int | None] = set()
    for each in proposals:
        if isinstance(each.proposal, Update | Remove):
            leaf = each.proposal.removed if isinstance(each.proposal, Remove) else each.sender
            if leaf in changed:
                raise RemoteError(f"leaf {leaf} is changed twice", rule="RFC 9420 §12.2")
            changed.add(leaf)


def check_no_client_added_twice(proposals: Iterable[ResolvedProposal]) -> None:
    """Prevents one client from holding two leaves."""
    keys: set[bytes] = set()
    for each in proposals:
        if isinstance(each.proposal, Add):
            key = each.proposal.key_package.leaf_node.signature_key
            if key in keys:
                raise RemoteError("a client is added twice", rule="RFC 9420 §12.2")
            keys.add(key)


def check_no_psk_twice(proposals: Iterable[ResolvedProposal]) -> None:
    """Prevents one PSK from being counted twice."""
    ids = [each.proposal.psk for each in proposals if isinstance(each.proposal, PreSharedKey)]
    if len(ids) != len(set(ids)):
        raise RemoteError("a PSK is injected twice", rule="RFC 9420 §12.2")


def check_one_group_context_change(proposals: Iterable[ResolvedProposal]) -> None:
    """Prevents an outcome that depends on the order of extension changes."""
    if sum(isinstance(each.proposal, GroupContextExtensions) for each in proposals) > 1:
        raise RemoteError("more than one GroupContextExtensions", rule="RFC 9420 §12.2")


def check_reinit_is_alone(proposals: Sequence[ResolvedProposal]) -> None:
    """Prevents changes to a group that ends with this very Commit."""
    if len(proposals) > 1 and any(isinstance(each.proposal, ReInit) for each in proposals):
        raise RemoteError("a ReInit together with other proposals", rule="RFC 9420 §12.2")


def check_proposal_list(
    judge: Judge,
    tree: RatchetTree,
    extensions: Sequence[Extension],
    committer: int,
    proposals: Sequence[ResolvedProposal],
) -> None:
    """§12.2: the proposals of a member's Commit. Cheap rules first, signatures last."""
    check_committer_leaves_own_leaf_alone(committer, proposals)
    check_one_change_a_leaf(proposals)
    check_no_client_added_twice(proposals)
    check_no_psk_twice(proposals)
    check_one_group_context_change(proposals)
    check_reinit_is_alone(proposals)
    packages = [each.proposal.key_package for each in proposals if isinstance(each.proposal, Add)]
    jobs = [partial(_verify_package, judge.crypto, package) for package in packages]
    with WorkingAhead(judge.worker, jobs):
        for each in proposals:
            check_proposal(judge, tree, extensions, each)


def _verify_package(crypto: Crypto, package: KeyPackage) -> None:
    """What takes long in `check_key_package`, and is remembered."""
    package.leaf_node.verify(crypto)
    package.verify_signature(crypto)


def check_external_commit(
    judge: Judge, tree: RatchetTree, proposals: Sequence[ResolvedProposal], path: UpdatePath | None
) -> None:
    """§12.2, §12.4.3.2: prevents a newcomer from doing more than joining in its old self's stead."""
    rule = "RFC 9420 §12.2"
    if path is None:
        raise RemoteError("an external Commit without a path", rule="RFC 9420 §12.4.3.2")
    if any(each.by_reference for each in proposals):
        raise RemoteError("an external Commit refers to a proposal", rule="RFC 9420 §12.4.3.2")
    if not all(isinstance(each.proposal, ExternalInit | Remove | PreSharedKey) for each in proposals):
        raise RemoteError("a proposal that an external Commit may not hold", rule=rule)
    if sum(isinstance(each.proposal, ExternalInit) for each in proposals) != 1:
        raise RemoteError("an external Commit needs one ExternalInit", rule=rule)
    removes = [each.proposal for each in proposals if isinstance(each.proposal, Remove)]
    if len(removes) > 1:
        raise RemoteError("an external Commit removes more than one leaf", rule=rule)
    check_no_psk_twice(proposals)
    for each in proposals:
        if isinstance(each.proposal, PreSharedKey):
            check_psk(judge, each.proposal)
    for remove in removes:
        old = check_in_tree(tree, remove.removed, "RFC 9420 §12.1.3")
        if path.leaf_node.encryption_key == old.encryption_key:
            raise RemoteError("the leaf keeps its encryption key", rule="RFC 9420 §7.3")


# --- The tree that results (§7.3, §11.1, §13.4) --------------------------------------------------


def check_keys_are_unique(tree: RatchetTree, leaves: Iterable[LeafNode]) -> None:
    """Prevents two leaves with one key: whose message it is, and who can read it, would be unclear."""
    for leaf in leaves:
        if tree.signature_keys[leaf.signature_key] != 1:
            raise RemoteError("a signature key is already in the group", rule="RFC 9420 §7.3")
        if tree.encryption_keys[leaf.encryption_key] != 1:
            raise RemoteError("an encryption key is already in the group", rule="RFC 9420 §7.3")


def check_capabilities(tree: RatchetTree, extensions: Sequence[Extension]) -> None:
    """Prevents a group that some member cannot take part in. Looks at the whole tree at once."""
    summary = tree.root.summary
    if summary is None:
        raise RemoteError("the group has no members", rule="RFC 9420 §7.3")
    if not summary.credentials_in_use <= summary.credentials:
        raise RemoteError("a credential type that not all support", rule="RFC 9420 §7.3")
    if not extension_types(extensions) <= summary.extensions:
        raise RemoteError("a GroupContext extension that not all support", rule="RFC 9420 §13.4")
    required = required_capabilities(extensions)
    if (
        not set(required.extension_types) - DEFAULT_EXTENSION_TYPES <= summary.extensions
        or not set(required.proposal_types) - _DEFAULT_PROPOSAL_TYPES <= summary.proposals
        or not set(required.credential_types) <= summary.credentials
    ):
        raise RemoteError("required capabilities that not all have", rule="RFC 9420 §11.1")


def check_applied(applied: Applied) -> None:
    """§12.2, last rule: the tree after the proposals, before any path."""
    new = [package.leaf_node for _, package in applied.added]
    new += [leaf for _, _, leaf in applied.updated]
    check_keys_are_unique(applied.tree, new)
    check_capabilities(applied.tree, applied.extensions)


# --- The Commit and its path (§12.4.2) -----------------------------------------------------------


def check_group_goes_on(reinit: ReInit | None) -> None:
    """Prevents a group that a ReInit has ended from being taken up again, or anything being said in it."""
    if reinit is not None:
        raise RemoteError(
            "the group has been reinitialised: it has no more messages", rule="RFC 9420 §12.4.2"
        )


def check_is_for_group(context: GroupContext, group_id: bytes, epoch: int) -> None:
    """Prevents a message from counting in another group or epoch than it was sent in."""
    if group_id != context.group_id:
        raise RemoteError("a message of another group", rule="RFC 9420 §12.4.2")
    if epoch != context.epoch:
        raise WrongEpoch(epoch, context.epoch)


def check_committer_may(sender: SenderType, *, allow_external: bool) -> None:
    """Prevents a Commit by somebody who is no member, unless external Commits are wanted."""
    if sender is SenderType.MEMBER or (allow_external and sender is SenderType.NEW_MEMBER_COMMIT):
        return
    raise RemoteError("a Commit by an outsider is refused without allow_external", rule="RFC 9420 §12.4.3.2")


def is_path_required(proposals: Sequence[ResolvedProposal]) -> bool:
    """§12.4: whether a Commit of these must carry a path."""
    needs_none = (Add, PreSharedKey, ReInit)
    return not proposals or any(not isinstance(each.proposal, needs_none) for each in proposals)


def check_path_is_there(path: UpdatePath | None, proposals: Sequence[ResolvedProposal]) -> None:
    """Prevents a removed member from following into the next epoch."""
    if path is None and is_path_required(proposals):
        raise RemoteError("the Commit has no path and needs one", rule="RFC 9420 §12.4")


def check_path_keys_are_new(tree: RatchetTree, path: UpdatePath) -> None:
    """Prevents a committer from putting in a key that somebody already holds."""
    keys = [path.leaf_node.encryption_key, *(node.encryption_key for node in path.nodes)]
    if len(set(keys)) != len(keys) or any(tree.encryption_keys[key] for key in keys):
        raise RemoteError("a key of the path is already in the tree", rule="RFC 9420 §12.4.2")


def check_path(judge: Judge, applied: Applied, committer: int, path: UpdatePath) -> None:
    """§12.4.2: the path before it is merged; parent hash and ciphertexts are TreeKEM's."""
    if applied.external_leaf == committer:
        check_leaf_source(path.leaf_node, LeafNodeSource.COMMIT)
        check_leaf(judge, path.leaf_node, committer)
        check_new_credential(judge, path.leaf_node)
        for _, old in applied.removed:
            judge.auth.validate_successor(old.credential, path.leaf_node.credential)
    else:
        member = check_in_tree(applied.tree, committer, "RFC 9420 §12.4.2")
        check_replacement_leaf(judge, member, path.leaf_node, committer, LeafNodeSource.COMMIT)
    check_path_keys_are_new(applied.tree, path)


def check_merged_path(merged: RatchetTree, path: UpdatePath, extensions: Sequence[Extension]) -> None:
    """§7.3: the tree with the committer's new leaf in it."""
    check_keys_are_unique(merged, [path.leaf_node])
    check_capabilities(merged, extensions)


# --- A joiner's group (§12.4.3) ------------------------------------------------------------------


def check_group_is_new(group_id: bytes, other_groups: Container[bytes]) -> None:
    """Prevents two groups of one name at one client, whose messages could not be told apart."""
    if group_id in other_groups:
        raise RemoteError("this client already is in a group of that id", rule="RFC 9420 §12.4.3")


def check_welcome_suite(package: KeyPackage, cipher_suite: int) -> None:
    """Prevents a Welcome from using a KeyPackage's keys with other algorithms than they are for."""
    if package.cipher_suite != cipher_suite:
        raise RemoteError("the Welcome is of another cipher suite", rule="RFC 9420 §12.4.3.1")


def check_group_info_suite(package: KeyPackage, context: GroupContext) -> None:
    """Prevents a group of another suite than its Welcome is sealed with."""
    if context.cipher_suite != package.cipher_suite:
        raise RemoteError("the GroupInfo is of another cipher suite", rule="RFC 9420 §12.4.3.1")


def check_own_leaf(tree: RatchetTree, package: KeyPackage, signer: int) -> int:
    """Prevents a joiner from being in a group that its own leaf is not in; gives the leaf's index."""
    rule, encoded = "RFC 9420 §12.4.3.1", package.leaf_node.encode()
    for index, leaf in tree.leaves():
        if leaf.signature_key == package.leaf_node.signature_key and leaf.encode() == encoded:
            if index == signer:
                raise RemoteError("this client signed the GroupInfo itself", rule=rule)
            return index
    raise RemoteError("this client's leaf is not in the tree", rule=rule)


def check_continues(lineage: Lineage, context: GroupContext) -> None:
    """§11.2, §11.3: prevents a new group from being another one than its old group asks for."""
    if lineage.reinit is None:
        if context.cipher_suite != lineage.suite:
            raise RemoteError("a subgroup with another cipher suite", rule="RFC 9420 §11.3")
        check_group_is_new(context.group_id, (lineage.group_id,))
        return
    asked = lineage.reinit
    given = (context.group_id, PROTOCOL_VERSION, context.cipher_suite, context.extensions)
    if given != (asked.group_id, asked.version, asked.cipher_suite, asked.extensions):
        raise RemoteError("the group is not what the ReInit asks for", rule="RFC 9420 §11.2")


def check_ties(psks: Sequence[PreSharedKeyID], lineage: Lineage | None, context: GroupContext) -> None:
    """Prevents a Welcome from claiming a descent that is not there, or hiding one."""
    rule, ties = "RFC 9420 §12.4.3.1", [psk for psk in psks if is_tie(psk)]
    if not ties and lineage is None:
        return
    if len(ties) != 1 or lineage is None:
        raise RemoteError("the Welcome and this client do not agree on an old group", rule=rule)
    tie = ties[0]
    if (tie.usage, tie.group_id, tie.epoch) != (lineage.usage, lineage.group_id, lineage.epoch):
        raise RemoteError("the Welcome continues another group or epoch", rule=rule)
    if context.epoch != 1:
        raise RemoteError("a group that continues another one is joined in epoch 1", rule=rule)
    check_continues(lineage, context)


def check_unmerged_leaves(tree: RatchetTree) -> None:
    """Prevents a tree in which a member is left out of a key without anybody knowing.

    Each node asks the next one that is not blank below it, which in turn asks the next: all between.
    """
    unmerged: dict[int, frozenset[int]] = {}
    for subtree in tree.root.nodes():
        if isinstance(subtree.node, ParentNode):
            unmerged[subtree.index] = frozenset(subtree.node.unmerged_leaves)
    for subtree in tree.root.nodes():
        for leaf in unmerged.get(subtree.index, ()):
            check_in_tree(tree, leaf, "RFC 9420 §12.4.3.1")
            below = subtree
            while below.level:
                left, right = below.children
                below = left if leaf < right.first else right
                if below.index in unmerged:
                    if leaf not in unmerged[below.index]:
                        raise RemoteError("an unmerged leaf is not listed below", rule="RFC 9420 §12.4.3.1")
                    break


def check_joined_tree(
    judge: Judge, tree: RatchetTree, expected_hash: bytes, extensions: Sequence[Extension]
) -> None:
    """§12.4.3.1: the integrity of the tree that a Welcome brings, every leaf's signature included."""
    leaves = list(tree.leaves())
    jobs = [partial(leaf.verify, judge.crypto, judge.group_id, index) for index, leaf in leaves]
    with WorkingAhead(judge.worker, jobs):
        if tree_hash(judge.crypto, tree.root) != expected_hash:
            raise RemoteError("the tree does not match its hash", rule="RFC 9420 §12.4.3.1")
        check_unmerged_leaves(tree)
        check_parent_hashes(judge.crypto, tree)
        if any(count != 1 for count in tree.encryption_keys.values()):
            raise RemoteError("an encryption key occurs twice", rule="RFC 9420 §12.4.3.1")
        if any(count != 1 for count in tree.signature_keys.values()):
            raise RemoteError("a signature key occurs twice", rule="RFC 9420 §7.3")
        check_capabilities(tree, extensions)
        for index, leaf in leaves:
            # A leaf may have expired since it came in, so that only the length is judged.
            check_lifetime_is_bounded(judge, leaf)
            check_leaf(judge, leaf, index)
            check_new_credential(judge, leaf)
