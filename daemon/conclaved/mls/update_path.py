"""UpdatePath as it travels in a Commit (RFC 9420 §7.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from conclaved.mls.codec import Reader, decode_whole, opaque, vector
from conclaved.mls.crypto import HpkeCiphertext
from conclaved.mls.leaf_node import LeafNode


class SealedSecrets(Sequence[HpkeCiphertext]):
    """Ciphertexts that are well-formed and still encoded: of thousands, a receiver opens a single one."""

    __slots__ = ("_starts", "encoded")

    def __init__(self, encoded: bytes, starts: Sequence[int]) -> None:
        """`starts` tells where in `encoded` each begins, and last where they end."""
        self.encoded = encoded
        self._starts = starts

    @classmethod
    def read(cls, reader: Reader) -> "SealedSecrets":
        encoded = reader.opaque()
        return cls(encoded, _starts_if_even(encoded) or _starts(encoded))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> HpkeCiphertext: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[HpkeCiphertext, ...]: ...

    def __getitem__(self, index: int | slice) -> HpkeCiphertext | tuple[HpkeCiphertext, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(len(self))[index])
        at = range(len(self))[index]
        return decode_whole(self.encoded[self._starts[at] : self._starts[at + 1]], HpkeCiphertext.read)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SealedSecrets):
            return self.encoded == other.encoded
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"SealedSecrets({len(self)})"


def _starts(encoded: bytes) -> Sequence[int]:
    """Where each HPKECiphertext begins, and where the last ends."""
    starts, reader = [0], Reader(encoded)
    while reader.remaining:
        reader.opaque()
        reader.opaque()
        starts.append(reader.position)
    return starts


def _starts_if_even(encoded: bytes) -> Sequence[int] | None:
    """The same where all have the lengths of the first; None where they have not.

    A cipher suite makes them all alike, so that each byte of their headers can be compared in all at once.
    """
    if not encoded:
        return None
    reader = Reader(encoded)
    first = HpkeCiphertext.read(reader)
    size = reader.position
    count, rest = divmod(len(encoded), size)
    if rest:
        return None
    second = size - len(opaque(first.ciphertext))
    headers = (*range(second - len(first.kem_output)), *range(second, size - len(first.ciphertext)))
    if any(encoded[at::size] != encoded[at : at + 1] * count for at in headers):
        return None
    return range(0, len(encoded) + 1, size)


@dataclass(frozen=True, slots=True)
class UpdatePathNode:
    """A new public key of the path, and the path secret for each node of the copath's resolution."""

    encryption_key: bytes
    encrypted_path_secret: Sequence[HpkeCiphertext]

    def encode(self) -> bytes:
        sealed = self.encrypted_path_secret
        if isinstance(sealed, SealedSecrets):
            return opaque(self.encryption_key) + opaque(sealed.encoded)
        return opaque(self.encryption_key) + vector(each.encode() for each in sealed)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePathNode":
        return cls(reader.opaque(), SealedSecrets.read(reader))


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
