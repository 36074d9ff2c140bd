"""The tree as a value: what a change shares, counts and encodes; and its hashes."""

import random
import tracemalloc
from itertools import pairwise

import pytest

from conclaved.mls import DecodeError, LeafNode, RemoteError
from conclaved.mls.codec import decode_whole, opaque, vector
from conclaved.mls.crypto import crypto_for
from conclaved.mls.parent_hash import check_parent_hashes
from conclaved.mls.ratchet_tree import ParentNode, RatchetTree, Subtree, _read_node
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.validation import check_unmerged_leaves
from tests.mls.cast import SUITE, Circle, Person

CRYPTO = crypto_for(SUITE)


def a_leaf(name: str = "someone") -> LeafNode:
    return Person(name).bundle().key_package.leaf_node


def tree_of(n: int) -> RatchetTree:
    editor = RatchetTree.of_one(a_leaf()).edit()
    for _ in range(n - 1):
        editor.add(a_leaf())
    return editor.freeze()


def rebuilt(tree: RatchetTree) -> RatchetTree:
    """The same tree with nothing cached."""
    return RatchetTree.decode(tree.encode())


def test_a_change_shares_every_subtree_that_it_does_not_touch() -> None:
    tree = tree_of(8)
    editor = tree.edit()
    editor.update(5, a_leaf())
    changed = editor.freeze()
    assert changed.root.children[0] is tree.root.children[0]
    shared = {id(subtree) for subtree in tree.root.nodes()}
    assert sum(id(subtree) not in shared for subtree in changed.root.nodes()) == 4
    assert tree.leaf(5) is not changed.leaf(5)


def test_random_changes_keep_hash_counts_and_encoding_right() -> None:
    dice, tree = random.Random(7), tree_of(5)
    leaves = [a_leaf() for _ in range(4)]
    for step in range(120):
        editor = tree.edit()
        inside = [index for index, _ in tree.leaves()]
        match dice.choice(["add", "remove", "update", "path"]):
            case "add" if len(inside) < 20:
                editor.add(dice.choice(leaves))
            case "remove" if len(inside) > 2:
                editor.remove(dice.sample(inside, 2))
            case "update":
                editor.update(dice.choice(inside), dice.choice(leaves))
            case "path":
                index = dice.choice(inside)
                steps = tree.filtered_direct_path(index)
                parents = {each.parent.level: ParentNode(b"%d" % step, b"", ()) for each in steps}
                editor.set_path(index, dice.choice(leaves), parents)
        tree_hash(CRYPTO, tree.root)
        tree = editor.freeze()
        fresh = rebuilt(tree)
        assert tree_hash(CRYPTO, tree.root) == tree_hash(CRYPTO, fresh.root)
        assert tree.encryption_keys == fresh.encryption_keys
        assert tree.signature_keys == fresh.signature_keys
        assert tree.n_members == len(list(fresh.leaves()))
        assert tree.root.level == 0 or tree.root.children[1].n_members


def test_a_new_leaf_takes_the_leftmost_blank_place() -> None:
    editor = tree_of(8).edit()
    editor.remove([5, 2])
    assert editor.add(a_leaf()) == 2
    assert editor.add(a_leaf()) == 5
    assert editor.add(a_leaf()) == 8
    assert editor.freeze().n_leaves == 16


def test_the_tree_shrinks_to_its_last_member() -> None:
    editor = tree_of(9).edit()
    editor.remove([8])
    assert 1 << editor.root.level == 8
    editor.remove([4, 5, 6, 7, 2, 3])
    assert 1 << editor.root.level == 2


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8, 9])
def test_a_tree_ends_with_its_last_node(n: int) -> None:
    tree = tree_of(n)
    nodes = decode_whole(tree.encode(), lambda reader: reader.vector(lambda each: each.optional(_read_node)))
    assert nodes[-1] is not None
    assert len(nodes) == 2 * n - 1
    # What is not sent is blank, up to a whole tree.
    again = rebuilt(tree)
    assert again.n_leaves == tree.n_leaves == 1 << (n - 1).bit_length()
    assert tree_hash(CRYPTO, again.root) == tree_hash(CRYPTO, tree.root)


def test_a_leaf_outside_the_tree_is_blank() -> None:
    tree = tree_of(3)
    assert [tree.leaf(index) for index in (-1, 3, 4, 99)] == [None] * 4


@pytest.mark.parametrize("what", ["empty", "blank end", "leaf above", "parent below", "unsorted", "outside"])
def test_a_malformed_tree_is_refused(what: str) -> None:
    leaf = b"\x01\x01" + a_leaf().encode()

    def parent(*unmerged: int) -> bytes:
        node = opaque(b"key") + opaque(b"") + vector(index.to_bytes(4, "big") for index in unmerged)
        return b"\x01\x02" + node

    nodes = {
        "empty": [],
        "blank end": [leaf, b"\x00"],
        "leaf above": [leaf, leaf],
        "parent below": [parent()],
        "unsorted": [leaf, parent(1, 0), leaf],
        "outside": [leaf, parent(2), leaf],
    }[what]
    with pytest.raises(DecodeError):
        RatchetTree.decode(vector(nodes))


def test_a_million_blank_leaves_are_refused_before_they_take_memory() -> None:
    data = vector([b"\x00" * 2_000_000, b"\x01\x01" + a_leaf().encode()])
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError) as caught:
            RatchetTree.decode(data, max_leaves=8192)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "more than 8192 leaves" in str(caught.value)
    assert peak < len(data) + 1_000_000


def test_a_tree_of_exactly_as_many_leaves_as_wanted_is_read() -> None:
    leaf = b"\x01\x01" + a_leaf().encode()
    data = vector([leaf, *[b"\x00"] * 5, leaf])
    assert RatchetTree.decode(data, max_leaves=4).n_leaves == 4
    with pytest.raises(DecodeError):
        RatchetTree.decode(data, max_leaves=3)


def grown() -> RatchetTree:
    """A tree in which several members have committed and one leaf is unmerged."""
    circle = Circle("a", "b", "c", "d", "e", "f")
    for name in ("c", "f", "a"):
        circle.commit(name)
    circle.add("b", "g", force_path=False)
    return RatchetTree.decode(circle["a"].ratchet_tree)


def with_parents(tree: RatchetTree, change: dict[int, ParentNode]) -> RatchetTree:
    def copied(subtree: Subtree) -> Subtree:
        if subtree.left is None or subtree.right is None:
            return subtree
        node = change.get(subtree.index, subtree.node)
        left, right = copied(subtree.left), copied(subtree.right)
        return Subtree(subtree.first, subtree.level, node, left, right)

    return RatchetTree(copied(tree.root))


def test_any_key_that_a_member_did_not_put_there_breaks_the_parent_hashes() -> None:
    tree = grown()
    check_parent_hashes(CRYPTO, tree)
    check_unmerged_leaves(tree)
    parents = [each for each in tree.root.nodes() if isinstance(each.node, ParentNode)]
    assert len(parents) > 3
    for subtree in parents:
        node = subtree.node
        assert isinstance(node, ParentNode)
        key = CRYPTO.generate_key_pair().public_key
        for forged in (
            ParentNode(key, node.parent_hash, node.unmerged_leaves),
            ParentNode(node.encryption_key, b"x" * 32, node.unmerged_leaves),
        ):
            with pytest.raises(RemoteError, match=r"§7\.9\.2"):
                check_parent_hashes(CRYPTO, with_parents(tree, {subtree.index: forged}))


def test_hiding_an_unmerged_leaf_is_found() -> None:
    tree = grown()
    changed = 0
    for subtree in tree.root.nodes():
        node = subtree.node
        if isinstance(node, ParentNode) and node.unmerged_leaves:
            changed += 1
            forged = with_parents(
                tree, {subtree.index: ParentNode(node.encryption_key, node.parent_hash, ())}
            )
            with pytest.raises(RemoteError):
                check_unmerged_leaves(forged)
                check_parent_hashes(CRYPTO, forged)
    assert changed


class Compared(int):
    """A leaf index that counts how often it is looked at."""

    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return int(self) == other

    def __lt__(self, other: int) -> bool:
        Compared.times += 1
        return int(self) < other

    def __ge__(self, other: int) -> bool:
        Compared.times += 1
        return int(self) >= other

    def __hash__(self) -> int:
        return hash(int(self))


def comparisons_in_a_tree_of_unmerged_leaves(level: int) -> int:
    """How many it takes to refuse a tree in which every leaf is unmerged at every node above it."""
    shared = a_leaf()

    def build(first: int, height: int) -> Subtree:
        if height == 0:
            return Subtree(first, 0, shared)
        half, unmerged = 1 << (height - 1), tuple(Compared(first + each) for each in range(1 << height))
        node = ParentNode(b"%d-%d" % (first, height), b"", unmerged)
        return Subtree(first, height, node, build(first, height - 1), build(first + half, height - 1))

    tree = RatchetTree(build(0, level))
    Compared.times = 0
    check_unmerged_leaves(tree)
    with pytest.raises(RemoteError):
        check_parent_hashes(CRYPTO, tree)
    return Compared.times


def test_thousands_of_unmerged_leaves_take_no_time_that_grows_with_their_square() -> None:
    small, large = (comparisons_in_a_tree_of_unmerged_leaves(level) for level in (6, 9))
    assert large < 2 * 8 * small


def test_one_more_unmerged_leaf_finds_its_place_without_a_look_at_all() -> None:
    node = ParentNode(b"key", b"", tuple(Compared(2 * leaf) for leaf in range(1000)))
    for leaf in (-1, 7, 501, 3000):
        assert node.with_unmerged(leaf).unmerged_leaves == tuple(sorted((*node.unmerged_leaves, leaf)))
    assert node.with_unmerged(500).unmerged_leaves == node.unmerged_leaves
    Compared.times = 0
    for leaf in (-1, 7, 500, 3000):
        node.with_unmerged(leaf)
    assert Compared.times < 60


def test_a_direct_path_climbs_one_level_a_step() -> None:
    path = tree_of(7).direct_path(4)
    assert [step.parent.level for step in path] == [1, 2, 3]
    assert all(upper.parent.level == lower.parent.level + 1 for lower, upper in pairwise(path))
