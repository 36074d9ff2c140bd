"""Tree hashes (RFC 9420 §7.8), cached on the immutable subtrees that they summarise."""

from bisect import bisect_left
from collections.abc import Sequence

from conclaved.mls.codec import opaque, optional, uint8, uint32
from conclaved.mls.crypto import Crypto
from conclaved.mls.ratchet_tree import Node, ParentNode, Subtree


def _leaf_hash(crypto: Crypto, index: int, node: Node | None) -> bytes:
    encoded = None if node is None else node.encode()
    return crypto.hash(uint8(1) + uint32(index) + optional(encoded))


def _parent_hash_input(node: Node | None, left: bytes, right: bytes) -> bytes:
    encoded = None if node is None else node.encode()
    return uint8(2) + optional(encoded) + opaque(left) + opaque(right)


def tree_hash(crypto: Crypto, subtree: Subtree) -> bytes:
    """The tree hash of a subtree, `hash_size` bytes. Only what is new since the last call is hashed."""
    if subtree.tree_hash is None:
        if subtree.left is None or subtree.right is None:
            subtree.tree_hash = _leaf_hash(crypto, subtree.first, subtree.node)
        else:
            left, right = tree_hash(crypto, subtree.left), tree_hash(crypto, subtree.right)
            subtree.tree_hash = crypto.hash(_parent_hash_input(subtree.node, left, right))
    return subtree.tree_hash


def tree_hash_without(crypto: Crypto, subtree: Subtree, leaves: Sequence[int]) -> bytes:
    """The tree hash with some leaves blanked and taken out of every `unmerged_leaves` (§7.9).

    `leaves` are in increasing order: each half of the tree is asked about its own alone, so that a tree in
    which thousands are unmerged takes no time that grows with their square.
    """
    end = subtree.first + (1 << subtree.level)
    leaves = leaves[bisect_left(leaves, subtree.first) : bisect_left(leaves, end)]
    if not leaves:
        return tree_hash(crypto, subtree)
    if subtree.level == 0:
        return _leaf_hash(crypto, subtree.first, None)
    left, right = (tree_hash_without(crypto, child, leaves) for child in subtree.children)
    node = subtree.node
    if isinstance(node, ParentNode):
        gone = frozenset(leaves)
        remaining = tuple(leaf for leaf in node.unmerged_leaves if leaf not in gone)
        node = ParentNode(node.encryption_key, node.parent_hash, remaining)
    return crypto.hash(_parent_hash_input(node, left, right))
