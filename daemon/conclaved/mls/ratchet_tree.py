"""The ratchet tree (RFC 9420 §4.1, §7): an immutable, link-based full binary tree.

A `Subtree` is a node with all that is below it. A change makes new subtrees on the path from the changed
leaf to the root and shares all others, so that the tree hash and the summary cached on a subtree stay
right for ever, and one commit costs O(log N) of either. `TreeEditor` strings several changes together.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint8, uint32, vector
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import DecodeError, LocalError, RemoteError
from conclaved.mls.kem import HpkePublicKey
from conclaved.mls.key_counts import KeyCounts
from conclaved.mls.leaf_node import LONGEST_KEPT, Capabilities, LeafNode
from conclaved.mls.tree_math import subtree_node

MAX_LEAVES = 1 << 16
"""Of a tree that is read, unless the caller says something else."""


@dataclass(frozen=True, slots=True)
class ParentNode:
    """A parent's public key (RFC 9420 §7.1). `unmerged_leaves` are leaf indices, increasing."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged_leaves: tuple[int, ...]
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _hpke_key: HpkePublicKey | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            unmerged = vector(uint32(leaf) for leaf in self.unmerged_leaves)
            encoded = opaque(self.encryption_key) + opaque(self.parent_hash) + unmerged
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def read(cls, reader: Reader) -> "ParentNode":
        node = cls(reader.opaque(), reader.opaque(), reader.vector(Reader.uint32))
        pairs = zip(node.unmerged_leaves, node.unmerged_leaves[1:], strict=False)
        if any(before >= after for before, after in pairs):
            raise DecodeError("unmerged leaves are not in increasing order", rule="RFC 9420 §7.1")
        return node

    def hpke_key(self, crypto: Crypto) -> HpkePublicKey:
        """The encryption key, parsed once; RemoteError if it is none."""
        key = self._hpke_key
        if key is None:
            key = crypto.hpke_public_key(self.encryption_key)
            object.__setattr__(self, "_hpke_key", key)
        return key

    def with_unmerged(self, leaf: int) -> "ParentNode":
        """The same with one more unmerged leaf."""
        before = self.unmerged_leaves
        at = bisect_left(before, leaf)
        if before[at : at + 1] == (leaf,):
            return self
        # Not sorted anew: one Commit may add thousands.
        changed = ParentNode(self.encryption_key, self.parent_hash, (*before[:at], leaf, *before[at:]))
        object.__setattr__(changed, "_hpke_key", self._hpke_key)
        return changed


Node = LeafNode | ParentNode


@dataclass(frozen=True, slots=True)
class Summary:
    """What all leaves below a node have in common, so that capabilities are checked once a tree."""

    credentials_in_use: frozenset[int]
    credentials: frozenset[int]
    extensions: frozenset[int]
    proposals: frozenset[int]

    @classmethod
    def of_leaf(cls, leaf: LeafNode) -> "Summary":
        encoded = leaf.capabilities.encode()
        summary_of = _shared_summary_of if len(encoded) <= LONGEST_KEPT else _summary_of
        return summary_of(leaf.credential.credential_type, encoded)

    def joined(self, other: "Summary") -> "Summary":
        """In use by either, supported by both."""
        if self is other or self == other:
            return self
        return Summary(
            self.credentials_in_use | other.credentials_in_use,
            self.credentials & other.credentials,
            self.extensions & other.extensions,
            self.proposals & other.proposals,
        )


def _summary_of(credential_type: int, encoded: bytes) -> Summary:
    """Of a leaf with that credential and those capabilities."""
    capabilities = decode_whole(encoded, Capabilities.read)
    return Summary(
        frozenset((credential_type,)),
        frozenset(capabilities.credentials),
        frozenset(capabilities.extensions),
        frozenset(capabilities.proposals),
    )


_shared_summary_of = lru_cache(maxsize=256)(_summary_of)
"""The same, shared, since most clients have the same."""


class Subtree:
    """A node and everything below it. `node` is None where it is blank. Never changed once made."""

    __slots__ = (
        "_resolution",
        "_summary",
        "first",
        "is_blank",
        "left",
        "level",
        "n_members",
        "n_resolution",
        "node",
        "right",
        "tree_hash",
    )

    def __init__(
        self,
        first: int,
        level: int,
        node: Node | None,
        left: "Subtree | None" = None,
        right: "Subtree | None" = None,
    ) -> None:
        self.first = first
        """Index of its leftmost leaf."""
        self.level = level
        self.node = node
        self.left = left
        self.right = right
        self.n_members: int
        """How many of its leaves are not blank."""
        self.n_resolution: int
        """Length of `resolution`."""
        if left is None or right is None:
            self.n_members = self.n_resolution = 0 if node is None else 1
        else:
            self.n_members = left.n_members + right.n_members
            if isinstance(node, ParentNode):
                self.n_resolution = 1 + len(node.unmerged_leaves)
            else:
                self.n_resolution = left.n_resolution + right.n_resolution
        self.is_blank = not self.n_resolution
        """Whether there is nothing in it at all."""
        self.tree_hash: bytes | None = None
        """Cache of `tree_hash.tree_hash`."""
        self._summary: Summary | None = None
        self._resolution: tuple[Subtree, ...] | None = None

    @classmethod
    def blank(cls, first: int, level: int) -> "Subtree":
        """A subtree of `2**level` blank leaves."""
        if level == 0:
            return cls(first, 0, None)
        half = 1 << (level - 1)
        return cls(first, level, None, cls.blank(first, level - 1), cls.blank(first + half, level - 1))

    @property
    def index(self) -> int:
        """Its node index."""
        return subtree_node(self.first, self.level)

    @property
    def children(self) -> tuple["Subtree", "Subtree"]:
        """Left and right; LocalError for a leaf."""
        if self.left is None or self.right is None:
            raise LocalError("a leaf has no children")
        return self.left, self.right

    @property
    def summary(self) -> Summary | None:
        """What its members have in common, cached; None where there are none."""
        if self._summary is None and self.n_members:
            if isinstance(self.node, LeafNode):
                self._summary = Summary.of_leaf(self.node)
            else:
                left, right = (child.summary for child in self.children)
                self._summary = left.joined(right) if left and right else left or right
        return self._summary

    def leaf(self, index: int) -> "Subtree":
        """The subtree of one leaf below."""
        subtree = self
        while subtree.level:
            left, right = subtree.children
            subtree = left if index < right.first else right
        return subtree

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """Its members with their leaf indices, from the left."""
        stack = [self]
        while stack:
            subtree = stack.pop()
            if not subtree.n_members:
                continue
            if isinstance(subtree.node, LeafNode):
                yield subtree.first, subtree.node
            else:
                stack += reversed(subtree.children)

    def nodes(self) -> Iterator["Subtree"]:
        """All its subtrees that hold something, each before those below it."""
        stack = [self]
        while stack:
            subtree = stack.pop()
            if subtree.is_blank:
                continue
            yield subtree
            if subtree.level:
                stack += reversed(subtree.children)

    @property
    def resolution(self) -> "tuple[Subtree, ...]":
        """The nodes that together reach all members below (RFC 9420 §4.1.1), cached."""
        if self._resolution is None:
            node, left, right = self.node, self.left, self.right
            if isinstance(node, ParentNode):
                self._resolution = (self, *(self.leaf(leaf) for leaf in node.unmerged_leaves))
            elif left is None or right is None or self.is_blank:
                self._resolution = () if node is None else (self,)
            elif left.is_blank or right.is_blank:
                self._resolution = left.resolution or right.resolution
            else:
                self._resolution = left.resolution + right.resolution
        return self._resolution

    def __repr__(self) -> str:
        return f"Subtree(node {self.index}, {self.n_members} members)"


@dataclass(frozen=True, slots=True)
class PathStep:
    """One node of a leaf's direct path, and its child that is not on the path."""

    parent: Subtree
    copath: Subtree


def _rebuilt(
    subtree: Subtree,
    leaf_index: int,
    leaf: LeafNode | None,
    parents: Callable[[int, ParentNode | None], ParentNode | None],
) -> Subtree:
    """The subtree with another leaf, and `parents(level, old)` in place of each node above it."""
    if subtree.level == 0:
        return Subtree(subtree.first, 0, leaf)
    left, right = subtree.children
    if leaf_index < right.first:
        left = _rebuilt(left, leaf_index, leaf, parents)
    else:
        right = _rebuilt(right, leaf_index, leaf, parents)
    old = subtree.node
    node = parents(subtree.level, old if isinstance(old, ParentNode) else None)
    return Subtree(subtree.first, subtree.level, node, left, right)


class RatchetTree:
    """A whole tree, and how often each key occurs in it."""

    __slots__ = ("encryption_keys", "root", "signature_keys")

    def __init__(
        self,
        root: Subtree,
        encryption_keys: KeyCounts | None = None,
        signature_keys: KeyCounts | None = None,
    ) -> None:
        self.root = root
        if encryption_keys is None or signature_keys is None:
            nodes = [subtree.node for subtree in root.nodes() if subtree.node is not None]
            encryption_keys = KeyCounts.of(node.encryption_key for node in nodes)
            leaves = (node for node in nodes if isinstance(node, LeafNode))
            signature_keys = KeyCounts.of(leaf.signature_key for leaf in leaves)
        self.encryption_keys = encryption_keys
        """Of all nodes."""
        self.signature_keys = signature_keys
        """Of all leaves."""

    @classmethod
    def of_one(cls, leaf: LeafNode) -> "RatchetTree":
        """The tree of a new group's only member."""
        return cls(Subtree(0, 0, leaf))

    @property
    def n_leaves(self) -> int:
        """Number of leaves, blank ones included: a power of two."""
        return 1 << self.root.level

    @property
    def n_members(self) -> int:
        return self.root.n_members

    def leaf(self, index: int) -> LeafNode | None:
        """The leaf at a leaf index; None where it is blank or outside the tree."""
        if not 0 <= index < self.n_leaves:
            return None
        node = self.root.leaf(index).node
        return node if isinstance(node, LeafNode) else None

    def node(self, index: int) -> Subtree:
        """The subtree at a node index, which must be in the tree."""
        subtree = self.root
        if not 0 <= index < 2 * self.n_leaves - 1:
            raise LocalError(f"no node {index} in the tree")
        while subtree.index != index:
            subtree = subtree.children[index > subtree.index]
        return subtree

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """The members with their leaf indices, from the left."""
        return self.root.leaves()

    def direct_path(self, leaf_index: int) -> list[PathStep]:
        """Steps from the leaf's parent to the root."""
        path, subtree = [], self.root
        while subtree.level:
            left, right = subtree.children
            below, beside = (left, right) if leaf_index < right.first else (right, left)
            path.append(PathStep(subtree, beside))
            subtree = below
        return path[::-1]

    def filtered_direct_path(self, leaf_index: int) -> list[PathStep]:
        """The direct path without nodes whose copath child has nobody to send to (§4.1.2)."""
        return [step for step in self.direct_path(leaf_index) if not step.copath.is_blank]

    def edit(self) -> "TreeEditor":
        """Begin to make the next tree."""
        return TreeEditor(self)

    def encode(self) -> bytes:
        """`optional<Node> ratchet_tree<V>` up to the last node that is not blank (§12.4.3.3)."""
        nodes: list[bytes] = []

        def visit(subtree: Subtree) -> None:
            if subtree.left is not None and subtree.right is not None:
                visit(subtree.left)
            if subtree.node is None:
                nodes.append(b"\x00")
            else:
                kind = uint8(1 if subtree.level == 0 else 2)
                nodes.append(optional(kind + subtree.node.encode()))
            if subtree.left is not None and subtree.right is not None:
                visit(subtree.right)

        visit(self.root)
        while nodes and nodes[-1] == b"\x00":
            nodes.pop()
        return vector(nodes)

    @classmethod
    def decode(cls, data: bytes, *, max_leaves: int = MAX_LEAVES) -> "RatchetTree":
        """A tree from a ratchet_tree extension's data; DecodeError if it is none.

        One that is wider than `max_leaves`, blank ones included, is refused before it takes memory: a
        blank node is a single byte on the wire.
        """
        most, count = 2 * max_leaves - 1, 0

        def read_node(reader: Reader) -> Node | None:
            nonlocal count
            count += 1
            if count > most:
                raise DecodeError(f"a tree of more than {max_leaves} leaves", rule="RFC 9420 §12.4.3.3")
            return reader.optional(_read_node)

        nodes = decode_whole(data, lambda reader: reader.vector(read_node))
        if not nodes or nodes[-1] is None:
            raise DecodeError("the tree does not end with a node", rule="RFC 9420 §12.4.3.3")
        for index, node in enumerate(nodes):
            if node is not None and isinstance(node, LeafNode) == bool(index & 1):
                raise DecodeError("a leaf in a parent's place, or the reverse", rule="RFC 9420 §12.4.3.3")
        level = 0
        while (1 << (level + 1)) - 1 < len(nodes):
            level += 1

        def build(first: int, height: int) -> Subtree:
            if 2 * first >= len(nodes):
                return Subtree.blank(first, height)
            index = subtree_node(first, height)
            node = nodes[index] if index < len(nodes) else None
            if height == 0:
                return Subtree(first, 0, node)
            half = 1 << (height - 1)
            return Subtree(first, height, node, build(first, height - 1), build(first + half, height - 1))

        root = build(0, level)
        for subtree in root.nodes():
            if isinstance(subtree.node, ParentNode):
                below = range(subtree.first, subtree.first + (1 << subtree.level))
                if any(leaf not in below for leaf in subtree.node.unmerged_leaves):
                    raise DecodeError("an unmerged leaf is not below its parent", rule="RFC 9420 §12.4.3.1")
        return cls(root)

    def __repr__(self) -> str:
        return f"RatchetTree({self.n_members} members, {self.n_leaves} leaves)"


def _read_node(reader: Reader) -> Node:
    kind = reader.uint8()
    if kind == 1:
        return LeafNode.read(reader)
    if kind == 2:
        return ParentNode.read(reader)
    raise DecodeError("unknown node type", rule="RFC 9420 §7.8")


class TreeEditor:
    """Changes strung together; `freeze` gives the next tree. The tree that it began with stays."""

    __slots__ = ("_encryption_keys", "_signature_keys", "_tree", "root")

    def __init__(self, tree: RatchetTree) -> None:
        self.root = tree.root
        self._tree = tree
        self._encryption_keys: dict[bytes, int] = {}
        """By how much each key's count changes."""
        self._signature_keys: dict[bytes, int] = {}

    def _count(self, node: Node | None, change: int) -> None:
        if node is not None:
            keys = self._encryption_keys
            keys[node.encryption_key] = keys.get(node.encryption_key, 0) + change
            if isinstance(node, LeafNode):
                keys = self._signature_keys
                keys[node.signature_key] = keys.get(node.signature_key, 0) + change

    def _replace(
        self,
        index: int,
        leaf: LeafNode | None,
        parents: Callable[[int, ParentNode | None], ParentNode | None],
    ) -> None:
        def counted(level: int, old: ParentNode | None) -> ParentNode | None:
            new = parents(level, old)
            if new is not old and (new is None or old is None or new.encryption_key != old.encryption_key):
                self._count(old, -1)
                self._count(new, 1)
            return new

        self._count(self.root.leaf(index).node, -1)
        self._count(leaf, 1)
        self.root = _rebuilt(self.root, index, leaf, counted)

    def leftmost_blank(self) -> int:
        """Leaf index of the leftmost blank place; extends the tree where there is none (§7.7)."""
        if self.root.n_members == 1 << self.root.level:
            level = self.root.level
            self.root = Subtree(0, level + 1, None, self.root, Subtree.blank(1 << level, level))
        subtree = self.root
        while subtree.level:
            left, right = subtree.children
            subtree = left if left.n_members < 1 << left.level else right
        return subtree.first

    def add(self, leaf: LeafNode) -> int:
        """Put a leaf in the leftmost blank place and return its leaf index (§12.1.1)."""
        index = self.leftmost_blank()
        self._replace(index, leaf, lambda _, old: None if old is None else old.with_unmerged(index))
        return index

    def update(self, index: int, leaf: LeafNode) -> None:
        """Replace a leaf and blank its direct path (§12.1.2)."""
        self._replace(index, leaf, lambda _level, _old: None)

    def remove(self, indices: Iterable[int]) -> None:
        """Blank leaves and their direct paths, then truncate the tree (§12.1.3)."""
        for index in indices:
            self._replace(index, None, lambda _level, _old: None)
        while self.root.level:
            left, right = self.root.children
            if right.n_members:
                break
            self._count(self.root.node, -1)
            for subtree in right.nodes():
                self._count(subtree.node, -1)
            self.root = left

    def set_path(self, index: int, leaf: LeafNode, parents: dict[int, ParentNode]) -> None:
        """Replace a leaf and its direct path; `parents` by level, the others blank (§7.5)."""
        self._replace(index, leaf, lambda level, _old: parents.get(level))

    def freeze(self) -> RatchetTree:
        """The tree as it is now. The editor is not to be used afterwards."""
        before = self._tree
        return RatchetTree(
            self.root,
            before.encryption_keys.changed(self._encryption_keys),
            before.signature_keys.changed(self._signature_keys),
        )


def check_in_tree(tree: RatchetTree, index: int, rule: str) -> LeafNode:
    """The leaf at an index that a peer named; RemoteError where it is blank."""
    leaf = tree.leaf(index)
    if leaf is None:
        raise RemoteError(f"leaf {index} is blank", rule=rule)
    return leaf
