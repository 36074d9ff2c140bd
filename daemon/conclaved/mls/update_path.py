"""UpdatePath as it travels in a Commit (RFC 9420 §7.6)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from conclaved.mls.codec import Reader, decode_whole, opaque, vector
from conclaved.mls.crypto import HpkeCiphertext
from conclaved.mls.leaf_node import LeafNode


class SealedSecrets(Sequence[HpkeCiphertext]):
    """Ciphertexts that are well-formed and still encoded: of hundreds, a receiver opens a single one."""

    __slots__ = ("encoded",)

    def __init__(self, encoded: Iterable[bytes]) -> None:
        self.encoded = tuple(encoded)

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, index: int) -> HpkeCiphertext: ...

    @overload
    def __getitem__(self, index: slice) -> "SealedSecrets": ...

    def __getitem__(self, index: int | slice) -> "HpkeCiphertext | SealedSecrets":
        if isinstance(index, slice):
            return SealedSecrets(self.encoded[index])
        return decode_whole(self.encoded[index], HpkeCiphertext.read)

    def __iter__(self) -> Iterator[HpkeCiphertext]:
        return (decode_whole(each, HpkeCiphertext.read) for each in self.encoded)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SealedSecrets):
            return self.encoded == other.encoded
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"SealedSecrets({len(self)})"


def _read_sealed(reader: Reader) -> bytes:
    """An HPKECiphertext, left as it is."""
    start = reader.position
    reader.opaque()
    reader.opaque()
    return reader.since(start)


@dataclass(frozen=True, slots=True)
class UpdatePathNode:
    """A new public key of the path, and the path secret for each node of the copath's resolution."""

    encryption_key: bytes
    encrypted_path_secret: Sequence[HpkeCiphertext]

    def encode(self) -> bytes:
        sealed = self.encrypted_path_secret
        encoded = sealed.encoded if isinstance(sealed, SealedSecrets) else (each.encode() for each in sealed)
        return opaque(self.encryption_key) + vector(encoded)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePathNode":
        return cls(reader.opaque(), SealedSecrets(reader.vector(_read_sealed)))


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
