"""Parent hashes (RFC 9420 §7.9): proof that members of the group chose the tree's keys."""

from bisect import bisect_left

from conclaved.mls.codec import opaque
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import RemoteError
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.ratchet_tree import ParentNode, RatchetTree, Subtree
from conclaved.mls.tree_hash import tree_hash, tree_hash_without

_RULE = "RFC 9420 §7.9.2"


def parent_hash(crypto: Crypto, encryption_key: bytes, above: bytes, sibling_hash: bytes) -> bytes:
    """Hash of ParentHashInput; `above` is the parent hash of the next node up, empty at the root."""
    return crypto.hash(opaque(encryption_key) + opaque(above) + opaque(sibling_hash))


def path_parents(
    crypto: Crypto, path: list[tuple[int, Subtree, bytes]]
) -> tuple[dict[int, ParentNode], bytes]:
    """The parent nodes of a new path and the parent hash for its leaf (§7.5, §7.9).

    `path` is the filtered direct path from the bottom: level, copath child and new public key of each.
    """
    parents: dict[int, ParentNode] = {}
    above = b""
    for level, copath, encryption_key in reversed(path):
        parents[level] = ParentNode(encryption_key, above, ())
        above = parent_hash(crypto, encryption_key, above, tree_hash(crypto, copath))
    return parents, above


def _claimed(node: LeafNode | ParentNode | None) -> bytes | None:
    """The parent hash that a node claims; leaves that no commit set claim none."""
    return None if node is None else node.parent_hash


def _is_valid_through(crypto: Crypto, parent: Subtree, child: Subtree, sibling: Subtree) -> int:
    """How many nodes under `child` the parent is parent-hash valid with respect to."""
    node = parent.node
    if not isinstance(node, ParentNode):
        return 0
    unmerged = node.unmerged_leaves
    end = child.first + (1 << child.level)
    unmerged_below = frozenset(unmerged[bisect_left(unmerged, child.first) : bisect_left(unmerged, end)])
    resolution = child.resolution
    # All of the resolution but one node must be unmerged at the parent.
    if len(resolution) != len(unmerged_below) + 1:
        return 0
    candidates = [each for each in resolution if each.level or each.first not in unmerged_below]
    if len(candidates) != 1:
        return 0
    original = tree_hash_without(crypto, sibling, unmerged)
    expected = parent_hash(crypto, node.encryption_key, node.parent_hash, original)
    return int(_claimed(candidates[0].node) == expected)


def check_parent_hashes(crypto: Crypto, tree: RatchetTree) -> None:
    """RemoteError unless every parent node is parent-hash valid through exactly one node below it."""
    for subtree in tree.root.nodes():
        if not isinstance(subtree.node, ParentNode):
            continue
        left, right = subtree.children
        valid = _is_valid_through(crypto, subtree, left, right)
        valid += _is_valid_through(crypto, subtree, right, left)
        if valid != 1:
            raise RemoteError(f"node {subtree.index} is not parent-hash valid", rule=_RULE)
