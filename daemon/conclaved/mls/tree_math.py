"""Node indices of a full binary tree in its array representation (RFC 9420 Appendix C).

Leaf `i` is node `2 * i`; a parent lies between its two subtrees. `n_leaves` is a power of two.
"""

from conclaved.mls.errors import LocalError


def is_leaf(node: int) -> bool:
    """Whether a node index is a leaf's."""
    return node & 1 == 0


def level(node: int) -> int:
    """Height of a node above the leaves, which are at level 0."""
    return (~node & (node + 1)).bit_length() - 1


def node_width(n_leaves: int) -> int:
    """How many nodes a tree of `n_leaves` leaves has."""
    return 0 if n_leaves == 0 else 2 * n_leaves - 1


def root(n_leaves: int) -> int:
    """Node index of the root."""
    return (1 << (node_width(n_leaves).bit_length() - 1)) - 1


def left(node: int) -> int:
    """Left child; LocalError for a leaf."""
    height = level(node)
    if height == 0:
        raise LocalError("a leaf has no children")
    return node ^ (1 << (height - 1))


def right(node: int) -> int:
    """Right child; LocalError for a leaf."""
    height = level(node)
    if height == 0:
        raise LocalError("a leaf has no children")
    return node ^ (3 << (height - 1))


def parent(node: int, n_leaves: int) -> int:
    """Parent; LocalError for the root."""
    if node == root(n_leaves):
        raise LocalError("the root has no parent")
    height = level(node)
    bit = (node >> (height + 1)) & 1
    return (node | (1 << height)) ^ (bit << (height + 1))


def sibling(node: int, n_leaves: int) -> int:
    """The other child of the node's parent; LocalError for the root."""
    above = parent(node, n_leaves)
    return right(above) if node < above else left(above)


def direct_path(node: int, n_leaves: int) -> tuple[int, ...]:
    """The node's ancestors, from its parent to the root."""
    path = []
    top = root(n_leaves)
    while node != top:
        node = parent(node, n_leaves)
        path.append(node)
    return tuple(path)


def copath(node: int, n_leaves: int) -> tuple[int, ...]:
    """Siblings of the node and of its ancestors below the root, from the bottom."""
    path = (node, *direct_path(node, n_leaves))
    return tuple(sibling(below, n_leaves) for below in path[:-1])


def subtree_node(first_leaf: int, height: int) -> int:
    """Node index of the root of the subtree of `2**height` leaves that begins at `first_leaf`."""
    return 2 * first_leaf + (1 << height) - 1


def common_ancestor_level(leaf_a: int, leaf_b: int) -> int:
    """Level of the lowest node above both leaves (leaf indices)."""
    return (leaf_a ^ leaf_b).bit_length()
