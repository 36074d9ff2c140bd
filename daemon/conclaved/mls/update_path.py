"""UpdatePath as it travels in a Commit (RFC 9420 §7.6)."""

from dataclasses import dataclass

from conclaved.mls.codec import Reader, opaque, vector
from conclaved.mls.crypto import HpkeCiphertext
from conclaved.mls.leaf_node import LeafNode


@dataclass(frozen=True, slots=True)
class UpdatePathNode:
    """A new public key of the path, and the path secret for each node of the copath's resolution."""

    encryption_key: bytes
    encrypted_path_secret: tuple[HpkeCiphertext, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + vector(each.encode() for each in self.encrypted_path_secret)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePathNode":
        return cls(reader.opaque(), reader.vector(HpkeCiphertext.read))


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """The committer's new leaf and the nodes of its filtered direct path, from the bottom."""

    leaf_node: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        return self.leaf_node.encode() + vector(node.encode() for node in self.nodes)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePath":
        return cls(LeafNode.read(reader), reader.vector(UpdatePathNode.read))
