"""Proposals, and the Commit that applies them (RFC 9420 §12.1, §12.4)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from conclaved.mls.codec import Reader, opaque, optional, uint8, uint16, uint32, vector
from conclaved.mls.errors import DecodeError, RemoteError
from conclaved.mls.extension import Extension, encode_extensions, read_extensions
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.psk import PreSharedKeyID
from conclaved.mls.update_path import UpdatePath


class ProposalType(IntEnum):
    """RFC 9420 §17.4."""

    ADD = 1
    UPDATE = 2
    REMOVE = 3
    PSK = 4
    REINIT = 5
    EXTERNAL_INIT = 6
    GROUP_CONTEXT_EXTENSIONS = 7


@dataclass(frozen=True, slots=True)
class Add:
    """Add the client of a KeyPackage (§12.1.1)."""

    proposal_type: ClassVar[int] = ProposalType.ADD
    key_package: KeyPackage

    def encode_body(self) -> bytes:
        return self.key_package.encode()


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the sender's leaf (§12.1.2)."""

    proposal_type: ClassVar[int] = ProposalType.UPDATE
    leaf_node: LeafNode

    def encode_body(self) -> bytes:
        return self.leaf_node.encode()


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the member at a leaf index (§12.1.3)."""

    proposal_type: ClassVar[int] = ProposalType.REMOVE
    removed: int

    def encode_body(self) -> bytes:
        return uint32(self.removed)


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """Inject a pre-shared key (§12.1.4)."""

    proposal_type: ClassVar[int] = ProposalType.PSK
    psk: PreSharedKeyID

    def encode_body(self) -> bytes:
        return self.psk.encode()


@dataclass(frozen=True, slots=True)
class ReInit:
    """Start the group anew with other parameters (§12.1.5)."""

    proposal_type: ClassVar[int] = ProposalType.REINIT
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: tuple[Extension, ...]

    def encode_body(self) -> bytes:
        head = opaque(self.group_id) + uint16(self.version) + uint16(self.cipher_suite)
        return head + encode_extensions(self.extensions)


@dataclass(frozen=True, slots=True)
class ExternalInit:
    """The init secret of an external Commit (§12.1.6)."""

    proposal_type: ClassVar[int] = ProposalType.EXTERNAL_INIT
    kem_output: bytes

    def encode_body(self) -> bytes:
        return opaque(self.kem_output)


@dataclass(frozen=True, slots=True)
class GroupContextExtensions:
    """Replace all extensions of the GroupContext (§12.1.7)."""

    proposal_type: ClassVar[int] = ProposalType.GROUP_CONTEXT_EXTENSIONS
    extensions: tuple[Extension, ...]

    def encode_body(self) -> bytes:
        return encode_extensions(self.extensions)


@dataclass(frozen=True, slots=True)
class UnknownProposal:
    """A proposal of another type. Its extent on the wire cannot be known, so it is never read."""

    proposal_type: int
    data: bytes

    def encode_body(self) -> bytes:
        return self.data


Proposal = (
    Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions | UnknownProposal
)

_READERS: dict[int, Callable[[Reader], Proposal]] = {
    ProposalType.ADD: lambda reader: Add(KeyPackage.read(reader)),
    ProposalType.UPDATE: lambda reader: Update(LeafNode.read(reader)),
    ProposalType.REMOVE: lambda reader: Remove(reader.uint32()),
    ProposalType.PSK: lambda reader: PreSharedKey(PreSharedKeyID.read(reader)),
    ProposalType.REINIT: lambda reader: ReInit(
        reader.opaque(), reader.uint16(), reader.uint16(), read_extensions(reader)
    ),
    ProposalType.EXTERNAL_INIT: lambda reader: ExternalInit(reader.opaque()),
    ProposalType.GROUP_CONTEXT_EXTENSIONS: lambda reader: GroupContextExtensions(read_extensions(reader)),
}


def read_proposal_body(reader: Reader, proposal_type: int) -> Proposal:
    """A proposal of a known type, without its type in front."""
    if proposal_type not in _READERS:
        raise RemoteError(f"proposal type {proposal_type} is not supported", rule="RFC 9420 §12.2")
    return _READERS[proposal_type](reader)


def encode_proposal(proposal: Proposal) -> bytes:
    """`Proposal`: type and body."""
    return uint16(proposal.proposal_type) + proposal.encode_body()


def read_proposal(reader: Reader) -> Proposal:
    """`Proposal`; RemoteError for a type that is not known."""
    return read_proposal_body(reader, reader.uint16())


# A proposal in a Commit: itself, or the reference of the message that brought it.
ProposalOrRef = Proposal | bytes


def _encode_proposal_or_ref(item: ProposalOrRef) -> bytes:
    return uint8(2) + opaque(item) if isinstance(item, bytes) else uint8(1) + encode_proposal(item)


def _read_proposal_or_ref(reader: Reader) -> ProposalOrRef:
    kind = reader.uint8()
    if kind == 1:
        return read_proposal(reader)
    if kind == 2:
        return reader.opaque()
    raise DecodeError("neither proposal nor reference", rule="RFC 9420 §12.4")


@dataclass(frozen=True, slots=True)
class Commit:
    """Proposals to apply, by value or reference, and the committer's path."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    def encode(self) -> bytes:
        path = None if self.path is None else self.path.encode()
        return vector(_encode_proposal_or_ref(item) for item in self.proposals) + optional(path)

    @classmethod
    def read(cls, reader: Reader) -> "Commit":
        return cls(reader.vector(_read_proposal_or_ref), reader.optional(UpdatePath.read))
