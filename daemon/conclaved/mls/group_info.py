"""GroupInfo: what a joiner needs to know of the group, signed by a member (RFC 9420 §12.4.3)."""

from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque, uint32
from conclaved.mls.crypto import Crypto, Signer
from conclaved.mls.extension import Extension, encode_extensions, read_extensions
from conclaved.mls.group_context import GroupContext


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """`signer` is a leaf index."""

    group_context: GroupContext
    extensions: tuple[Extension, ...] = field(repr=False)
    confirmation_tag: bytes = field(repr=False)
    signer: int
    signature: bytes = field(default=b"", repr=False)

    def _unsigned(self) -> bytes:
        return (
            self.group_context.encode()
            + encode_extensions(self.extensions)
            + opaque(self.confirmation_tag)
            + uint32(self.signer)
        )

    def encode(self) -> bytes:
        return self._unsigned() + opaque(self.signature)

    @classmethod
    def decode(cls, data: bytes) -> "GroupInfo":
        """A GroupInfo that fills `data`; DecodeError if it does not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "GroupInfo":
        return cls(
            GroupContext.read(reader),
            read_extensions(reader),
            reader.opaque(),
            reader.uint32(),
            reader.opaque(),
        )

    def sign(self, crypto: Crypto, signer: Signer) -> "GroupInfo":
        """The same with its signature."""
        signature = crypto.sign_with_label(signer, "GroupInfoTBS", self._unsigned())
        return GroupInfo(self.group_context, self.extensions, self.confirmation_tag, self.signer, signature)

    def verify(self, crypto: Crypto, public_key: bytes) -> None:
        """InvalidSignature unless signed by that key."""
        crypto.verify_with_label(public_key, "GroupInfoTBS", self._unsigned(), self.signature)
