"""TreeKEM: making an UpdatePath, and taking one in (RFC 9420 §7.4 to §7.6)."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from conclaved.mls.crypto import Crypto, HpkeCiphertext, HpkeContext
from conclaved.mls.errors import LocalError, RemoteError
from conclaved.mls.kem import HpkePrivateKey, Secret
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.parent_hash import path_parents
from conclaved.mls.ratchet_tree import Node, ParentNode, PathStep, RatchetTree, Subtree
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.tree_math import common_ancestor_level, subtree_node
from conclaved.mls.update_path import UpdatePath, UpdatePathNode

PrivateKeys = Mapping[int, HpkePrivateKey]
"""A member's HPKE private keys by node index: its leaf's, and those of nodes above that it knows."""

_LABEL = "UpdatePathNode"


def node_key_pair(crypto: Crypto, path_secret: Secret) -> HpkePrivateKey:
    """The key pair of a node with that path secret (§7.4)."""
    return crypto.derive_key_pair(crypto.derive_secret(path_secret, "node"))


def next_path_secret(crypto: Crypto, path_secret: Secret) -> bytes:
    """The path secret of the next node of the filtered direct path, or the commit secret."""
    return crypto.derive_secret(path_secret, "path")


@dataclass(frozen=True, slots=True)
class NewPath(NotCopied):
    """A committer's new path before it is encrypted: the tree with it, and the secrets it is made of."""

    tree: RatchetTree
    leaf_node: LeafNode
    steps: list[PathStep] = field(repr=False)
    path_secrets: list[bytes] = field(repr=False)
    private_keys: dict[int, HpkePrivateKey] = field(repr=False)
    commit_secret: bytes = field(repr=False)

    def path_secret_for(self, sender: int, new_leaf: int) -> bytes:
        """The path secret of the lowest node above both the committer and a new member."""
        level = common_ancestor_level(sender, new_leaf)
        for step, secret in zip(self.steps, self.path_secrets, strict=True):
            if step.parent.level == level:
                return secret
        raise LocalError("no node of the path is above that leaf")


def new_path(
    crypto: Crypto, tree: RatchetTree, sender: int, make_leaf: Callable[[bytes, bytes], LeafNode]
) -> NewPath:
    """Fresh keys for the sender's leaf and filtered direct path (§7.5).

    `make_leaf` gets the new encryption key and the parent hash and gives back the signed leaf.
    """
    steps = tree.filtered_direct_path(sender)
    leaf_key = crypto.generate_key_pair()
    private_keys = {2 * sender: leaf_key}
    path_secrets: list[bytes] = []
    path: list[tuple[int, Subtree, bytes]] = []
    secret = crypto.random(crypto.hash_size)
    for step in steps:
        path_secrets.append(secret)
        key = node_key_pair(crypto, secret)
        private_keys[step.parent.index] = key
        path.append((step.parent.level, step.copath, key.public_key))
        secret = next_path_secret(crypto, secret)
    parents, leaf_parent_hash = path_parents(crypto, path)
    leaf_node = make_leaf(leaf_key.public_key, leaf_parent_hash)
    editor = tree.edit()
    editor.set_path(sender, leaf_node, parents)
    return NewPath(editor.freeze(), leaf_node, steps, path_secrets, private_keys, secret)


def _recipients(copath: Subtree, excluded: frozenset[int]) -> Sequence[Subtree]:
    """The resolution of a copath node without the leaves that the same Commit adds."""
    if not excluded:
        return copath.resolution
    return [each for each in copath.resolution if each.level or each.first not in excluded]


def _sealed(crypto: Crypto, context: HpkeContext, node: Node, index: int, secret: bytes) -> HpkeCiphertext:
    """The secret sealed to a node; where that cannot be, it says to which: without those below, it can."""
    try:
        return context.seal(node.hpke_key(crypto), secret)
    except RemoteError as error:
        raise RemoteError(f"nothing can be sealed to node {index}: {error}", rule=error.rule) from None


def encrypt_path(
    crypto: Crypto, path: NewPath, group_context: bytes, added: Iterable[int] = ()
) -> UpdatePath:
    """Seal each path secret to its copath's resolution; `group_context` is the provisional one."""
    context, excluded = crypto.label_context(_LABEL, group_context), frozenset(added)
    nodes = []
    for step, secret in zip(path.steps, path.path_secrets, strict=True):
        sealed = tuple(
            _sealed(crypto, context, each.node, each.index, secret)
            for each in _recipients(step.copath, excluded)
            if each.node is not None
        )
        nodes.append(UpdatePathNode(path.private_keys[step.parent.index].public_key, sealed))
    return UpdatePath(path.leaf_node, tuple(nodes))


def merge_path(crypto: Crypto, tree: RatchetTree, sender: int, path: UpdatePath) -> RatchetTree:
    """The tree with a peer's path in it; RemoteError if its shape or parent hash is wrong (§7.5)."""
    steps = tree.filtered_direct_path(sender)
    if len(steps) != len(path.nodes):
        raise RemoteError("the path has the wrong length", rule="RFC 9420 §7.5")
    pairs = zip(steps, path.nodes, strict=True)
    nodes = [(step.parent.level, step.copath, node.encryption_key) for step, node in pairs]
    parents, leaf_parent_hash = path_parents(crypto, nodes)
    if path.leaf_node.parent_hash != leaf_parent_hash:
        raise RemoteError("the leaf's parent hash does not match its path", rule="RFC 9420 §7.9.2")
    editor = tree.edit()
    editor.set_path(sender, path.leaf_node, parents)
    return editor.freeze()


def _n_recipients(copath: Subtree, newcomers: Sequence[int]) -> int:
    """Length of `_recipients`, without making it: each newcomer in there is once in the resolution."""
    if not newcomers:
        return copath.n_resolution
    end = copath.first + (1 << copath.level)
    return copath.n_resolution - bisect_left(newcomers, end) + bisect_left(newcomers, copath.first)


def _find_recipient(
    copath: Subtree, own_leaf: int, private_keys: PrivateKeys, newcomers: Sequence[int]
) -> tuple[int, HpkePrivateKey] | None:
    """Where in `_recipients` a node is that we have the private key of, and the key; O(log N)."""
    subtree, place = copath, 0
    while subtree.node is None and subtree.level:
        left, right = subtree.children
        if own_leaf < right.first:
            subtree = left
        else:
            place += _n_recipients(left, newcomers)
            subtree = right
    key = _usable_key(subtree, private_keys)
    if key is not None or not isinstance(subtree.node, ParentNode):
        return None if key is None else (place, key)
    excluded = frozenset(newcomers)
    unmerged = [leaf for leaf in subtree.node.unmerged_leaves if leaf not in excluded]
    key = _usable_key(subtree.leaf(own_leaf), private_keys)
    if key is None or own_leaf not in unmerged:
        return None
    return place + 1 + unmerged.index(own_leaf), key


def _usable_key(subtree: Subtree, private_keys: PrivateKeys) -> HpkePrivateKey | None:
    """Our private key of a node, if it still goes with the node's public key."""
    key = private_keys.get(subtree.index)
    if key is None or subtree.node is None or key.public_key != subtree.node.encryption_key:
        return None
    return key


@dataclass(frozen=True, slots=True)
class DecryptedPath(NotCopied):
    """What a member learns from a peer's path."""

    path_secret: bytes = field(repr=False)
    private_keys: dict[int, HpkePrivateKey] = field(repr=False)
    commit_secret: bytes = field(repr=False)


def decrypt_path(
    crypto: Crypto,
    tree: RatchetTree,
    sender: int,
    own_leaf: int,
    private_keys: PrivateKeys,
    path: UpdatePath,
    group_context: bytes,
    added: Iterable[int] = (),
) -> DecryptedPath:
    """Open the path secret meant for us and derive the keys above it (§7.5).

    `tree` is the one before the path was merged, `group_context` the provisional one. RemoteError if a
    ciphertext is missing, does not open, or gives other keys than the path's public ones.
    """
    steps, newcomers = tree.filtered_direct_path(sender), sorted(added)
    sealed_to_us = None
    at = len(steps)
    for position, (step, node) in enumerate(zip(steps, path.nodes, strict=True)):
        copath, sealed = step.copath, node.encrypted_path_secret
        if len(sealed) != _n_recipients(copath, newcomers):
            raise RemoteError("a path node has the wrong number of ciphertexts", rule="RFC 9420 §7.6")
        if copath.first <= own_leaf < copath.first + (1 << copath.level):
            found = _find_recipient(copath, own_leaf, private_keys, newcomers)
            if found is not None:
                place, key = found
                at, sealed_to_us = position, (key, sealed[place])
    if sealed_to_us is None:
        raise RemoteError("the path holds no secret for this member", rule="RFC 9420 §7.6")
    context: HpkeContext = crypto.label_context(_LABEL, group_context)
    secret = first = context.open(*sealed_to_us)
    keys: dict[int, HpkePrivateKey] = {}
    for step, node in zip(steps[at:], path.nodes[at:], strict=True):
        key = node_key_pair(crypto, secret)
        if key.public_key != node.encryption_key:
            raise RemoteError("a path secret does not match its public key", rule="RFC 9420 §7.5")
        keys[step.parent.index] = key
        secret = next_path_secret(crypto, secret)
    return DecryptedPath(first, keys, secret)


def keys_from_welcome(
    crypto: Crypto, tree: RatchetTree, signer: int, own_leaf: int, path_secret: bytes
) -> dict[int, HpkePrivateKey]:
    """A joiner's keys from the lowest node it shares with the committer to the root (§12.4.3.1)."""
    level = common_ancestor_level(signer, own_leaf)
    keys: dict[int, HpkePrivateKey] = {}
    secret = path_secret
    for step in tree.filtered_direct_path(signer):
        if step.parent.level < level:
            continue
        key = node_key_pair(crypto, secret)
        node = step.parent.node
        if node is None or node.encryption_key != key.public_key:
            raise RemoteError("the path secret does not match the tree", rule="RFC 9420 §12.4.3.1")
        keys[step.parent.index] = key
        secret = next_path_secret(crypto, secret)
    if subtree_node(min(signer, own_leaf) >> level << level, level) not in keys:
        raise RemoteError("the path secret is for no node of the tree", rule="RFC 9420 §12.4.3.1")
    return keys


def check_keys_are_known(tree: RatchetTree, own_leaf: int, private_keys: PrivateKeys) -> None:
    """Prevents a joiner from being in a group whose next Commit it cannot open (§7.1).

    Of a node above us that is not blank we have the key, or are among those who are said not to.
    """
    for step in tree.direct_path(own_leaf):
        node, index = step.parent.node, step.parent.index
        if not isinstance(node, ParentNode) or index in private_keys:
            continue
        if own_leaf not in node.unmerged_leaves:
            raise RemoteError(f"the key of node {index} was not sent along", rule="RFC 9420 §7.1")


def keys_still_valid(
    tree: RatchetTree, own_leaf: int, private_keys: PrivateKeys
) -> dict[int, HpkePrivateKey]:
    """Those private keys whose public halves are still in place above (and at) our leaf."""
    kept: dict[int, HpkePrivateKey] = {}
    for subtree in (tree.root.leaf(own_leaf), *(step.parent for step in tree.direct_path(own_leaf))):
        key = _usable_key(subtree, private_keys)
        if key is not None:
            kept[subtree.index] = key
    return kept
