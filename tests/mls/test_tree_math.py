"""Node indices: what holds for every node of every full tree."""

import pytest

from conclaved.mls import LocalError, tree_math

SIZES = [1, 2, 4, 8, 64]


@pytest.mark.parametrize("n", SIZES)
def test_a_child_s_parent_is_the_node_itself(n: int) -> None:
    for node in range(1, tree_math.node_width(n), 2):
        for child in (tree_math.left(node), tree_math.right(node)):
            assert tree_math.parent(child, n) == node
            assert tree_math.level(child) == tree_math.level(node) - 1


@pytest.mark.parametrize("n", SIZES)
def test_a_direct_path_ends_at_the_root_and_the_copath_is_beside_it(n: int) -> None:
    for leaf in range(n):
        path = tree_math.direct_path(2 * leaf, n)
        assert (2 * leaf, *path)[-1] == tree_math.root(n)
        for node, beside in zip((2 * leaf, *path), tree_math.copath(2 * leaf, n), strict=False):
            assert tree_math.sibling(node, n) == beside


@pytest.mark.parametrize("n", SIZES)
def test_the_common_ancestor_is_the_lowest_node_on_both_paths(n: int) -> None:
    for a in range(n):
        for b in range(n):
            if a != b:
                on_both = [
                    node
                    for node in tree_math.direct_path(2 * a, n)
                    if node in tree_math.direct_path(2 * b, n)
                ]
                assert tree_math.level(on_both[0]) == tree_math.common_ancestor_level(a, b)


def test_leaves_have_no_children_and_the_root_no_parent() -> None:
    with pytest.raises(LocalError):
        tree_math.left(0)
    with pytest.raises(LocalError):
        tree_math.right(2)
    with pytest.raises(LocalError):
        tree_math.parent(3, 4)
