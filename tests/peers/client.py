"""What every stack's client can do, whichever library is behind it."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from conclaved.mls import Extension

PRIVATE_EXTENSION = 0xF001
"""A type of extension that every client supports, whatever it may mean."""


@dataclass(frozen=True, slots=True)
class Basic:
    """A client with a basic credential."""

    identity: bytes
    roots: tuple[bytes, ...] = ()
    """DER certificates that other clients' chains may end in."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A client with an X.509 credential: its chain from the end entity up, without the root."""

    certificates: tuple[bytes, ...]
    key: PrivateKeyTypes
    roots: tuple[bytes, ...]


Identity = Basic | Certified


@dataclass(frozen=True, slots=True)
class Add:
    key_package: bytes
    """An encoded MLSMessage."""


@dataclass(frozen=True, slots=True)
class Update:
    pass


@dataclass(frozen=True, slots=True)
class Remove:
    leaf: int


@dataclass(frozen=True, slots=True)
class Psk:
    psk_id: bytes


@dataclass(frozen=True, slots=True)
class Resumption:
    """The resumption PSK of an epoch of the group, usage application."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Extensions:
    """New GroupContext extensions."""

    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class ReInit:
    """The end of the group, for one of that id in the same suite and without extensions."""

    group_id: bytes


Proposal = Add | Update | Remove | Psk | Resumption | Extensions | ReInit


class Lineage(Enum):
    """How a new group goes on from an old one (RFC 9420 §11.2, §11.3)."""

    REINIT = "reinit"
    BRANCH = "branch"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that its maker has pending, as MLSMessages."""

    message: bytes
    welcome: bytes | None


class Kind(Enum):
    """What a received message was."""

    PROPOSAL = "proposal"
    COMMIT = "commit"
    APPLICATION = "application"
    REMOVED = "removed"
    """A commit that removed the receiver."""


@dataclass(frozen=True, slots=True)
class Received:
    kind: Kind
    data: bytes = b""
    """Of an application message."""


@dataclass(frozen=True, slots=True)
class View:
    """What a client sees of its group: equal for all members but `own_leaf`."""

    epoch: int
    epoch_authenticator: bytes
    tree_hash: bytes
    own_leaf: int
    members: tuple[tuple[int, bytes], ...]
    """Leaf index and basic identity or end entity's certificate, by index."""


class Client(Protocol):
    """A client in at most one group. Every message is an encoded MLSMessage."""

    @property
    def stack(self) -> str:
        """The name of the library behind it."""
        ...

    def key_package(self) -> bytes: ...

    def create(self, group_id: bytes) -> None: ...

    def join(self, welcome: bytes) -> None: ...

    def join_externally(self, group_info: bytes, replaces: int | None = None) -> bytes:
        """Join by an external Commit, in the place of one's old leaf if there is one; the Commit."""
        ...

    def propose_self(self, group_info: bytes) -> bytes:
        """Ask from outside to be added (RFC 9420 §12.1.8); `join` takes the Welcome."""
        ...

    def group_info(self) -> bytes:
        """A GroupInfo with the tree that lets an outsider in."""
        ...

    def add_psk(self, psk_id: bytes, psk: bytes) -> None: ...

    def propose(self, proposal: Proposal) -> bytes: ...

    def commit(self, proposals: list[Proposal]) -> Commit:
        """A pending commit of these, and by reference of all that were received or proposed."""
        ...

    def merge(self) -> None: ...

    def discard(self) -> None: ...

    def process(self, message: bytes) -> Received: ...

    def protect(self, data: bytes) -> bytes: ...

    def continue_as(self, lineage: Lineage, group_id: bytes, key_packages: list[bytes]) -> bytes:
        """Leave the group for a new one that continues it; the Welcome for those others."""
        ...

    def join_continuation(self, lineage: Lineage, welcome: bytes) -> None:
        """Leave the group for one that continues it."""
        ...

    def export(self, label: str, context: bytes, length: int) -> bytes: ...

    def view(self) -> View: ...
