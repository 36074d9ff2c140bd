"""GroupContext: the summary of the group that its members agree on (RFC 9420 §8.1)."""

from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque, uint16, uint64
from conclaved.mls.errors import RemoteError
from conclaved.mls.extension import Extension, encode_extensions, read_extensions
from conclaved.mls.leaf_node import PROTOCOL_VERSION

MAX_EPOCH = 2**64 - 1
"""The last one that can be written."""


@dataclass(frozen=True, slots=True)
class GroupContext:
    """One epoch's summary. `cipher_suite` is a number: it may be one that is not supported."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: tuple[Extension, ...]
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            encoded = (
                uint16(PROTOCOL_VERSION)
                + uint16(self.cipher_suite)
                + opaque(self.group_id)
                + uint64(self.epoch)
                + opaque(self.tree_hash)
                + opaque(self.confirmed_transcript_hash)
                + encode_extensions(self.extensions)
            )
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> "GroupContext":
        """A GroupContext that fills `data`; DecodeError if it does not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "GroupContext":
        if (version := reader.uint16()) != PROTOCOL_VERSION:
            raise RemoteError(f"protocol version {version} is not supported", rule="RFC 9420 §8.1")
        return cls(
            reader.uint16(),
            reader.opaque(),
            reader.uint64(),
            reader.opaque(),
            reader.opaque(),
            read_extensions(reader),
        )

    def provisional(self, tree_hash: bytes, extensions: tuple[Extension, ...]) -> "GroupContext":
        """The next epoch's context with the old transcript hash (RFC 9420 §12.4.1).

        RemoteError where epochs end: who founds a group in the last one leaves no next one to commit to.
        """
        if self.epoch >= MAX_EPOCH:
            raise RemoteError("the group has no epoch left", rule="RFC 9420 §8.1")
        confirmed = self.confirmed_transcript_hash
        return GroupContext(
            self.cipher_suite, self.group_id, self.epoch + 1, tree_hash, confirmed, extensions
        )

    def confirmed(self, confirmed_transcript_hash: bytes) -> "GroupContext":
        """The same with its transcript hash."""
        return GroupContext(
            self.cipher_suite,
            self.group_id,
            self.epoch,
            self.tree_hash,
            confirmed_transcript_hash,
            self.extensions,
        )
