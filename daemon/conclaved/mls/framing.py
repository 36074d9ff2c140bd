"""How content is framed, signed and wrapped on the wire (RFC 9420 §6)."""

from dataclasses import dataclass, field
from enum import IntEnum

from conclaved.mls.codec import Reader, decode_whole, opaque, uint8, uint16, uint32, uint64
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import DecodeError, LocalError
from conclaved.mls.leaf_node import PROTOCOL_VERSION
from conclaved.mls.proposal import Commit, Proposal, encode_proposal, read_proposal

Body = bytes | Proposal | Commit


class ContentType(IntEnum):
    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


class WireFormat(IntEnum):
    """RFC 9420 §17.2."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


def read_content_type(reader: Reader) -> ContentType:
    try:
        return ContentType(reader.uint8())
    except ValueError:
        raise DecodeError("unknown content type", rule="RFC 9420 §6") from None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message. `index` is a leaf's for members, an external sender's, or 0."""

    type: SenderType
    index: int = 0

    def encode(self) -> bytes:
        has_index = self.type in (SenderType.MEMBER, SenderType.EXTERNAL)
        return uint8(self.type) + (uint32(self.index) if has_index else b"")

    @classmethod
    def read(cls, reader: Reader) -> "Sender":
        try:
            kind = SenderType(reader.uint8())
        except ValueError:
            raise DecodeError("unknown sender type", rule="RFC 9420 §6") from None
        return cls(kind, reader.uint32() if kind in (SenderType.MEMBER, SenderType.EXTERNAL) else 0)


def content_type_of(body: Body) -> ContentType:
    """The content type that a body has on the wire."""
    if isinstance(body, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(body, Commit) else ContentType.PROPOSAL


def encode_body(body: Body) -> bytes:
    """The content as it follows its type, in FramedContent and PrivateMessageContent alike."""
    if isinstance(body, bytes):
        return opaque(body)
    return body.encode() if isinstance(body, Commit) else encode_proposal(body)


def read_body(reader: Reader, content_type: ContentType) -> Body:
    """Inverse of `encode_body`."""
    if content_type is ContentType.APPLICATION:
        return reader.opaque()
    return Commit.read(reader) if content_type is ContentType.COMMIT else read_proposal(reader)


@dataclass(frozen=True, slots=True)
class FramedContent:
    """What is signed, apart from where it is sent."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    body: Body = field(repr=False)
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def content_type(self) -> ContentType:
        return content_type_of(self.body)

    def _head(self) -> bytes:
        return (
            opaque(self.group_id)
            + uint64(self.epoch)
            + self.sender.encode()
            + opaque(self.authenticated_data)
            + uint8(self.content_type)
        )

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            encoded = self._head() + encode_body(self.body)
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def of_encoded_body(
        cls, group_id: bytes, epoch: int, sender: Sender, authenticated_data: bytes, body: Body, data: bytes
    ) -> "FramedContent":
        """The content with a body that was read from `data`: the only bytes that it can be encoded as."""
        content = cls(group_id, epoch, sender, authenticated_data, body)
        object.__setattr__(content, "_encoded", content._head() + data)
        return content

    @classmethod
    def read(cls, reader: Reader) -> "FramedContent":
        start = reader.position
        content = cls(
            reader.opaque(),
            reader.uint64(),
            Sender.read(reader),
            reader.opaque(),
            read_body(reader, read_content_type(reader)),
        )
        object.__setattr__(content, "_encoded", reader.since(start))
        return content

    def signed_content(self, wire_format: WireFormat, group_context: bytes) -> bytes:
        """FramedContentTBS (§6.1); `group_context` is the encoded GroupContext."""
        head = uint16(PROTOCOL_VERSION) + uint16(wire_format) + self.encode()
        in_group = self.sender.type in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT)
        return head + group_context if in_group else head


@dataclass(frozen=True, slots=True)
class AuthenticatedContent:
    """A signed message: what `unprotect` gives and `protect` takes."""

    wire_format: WireFormat
    content: FramedContent
    signature: bytes = field(repr=False)
    confirmation_tag: bytes | None = field(repr=False)
    verified_in: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """The encoded GroupContext in which the signature has been verified or made; None before that."""

    def mark_verified(self, group_context: bytes) -> "AuthenticatedContent":
        """The same message, remembered as verified in that group context."""
        object.__setattr__(self, "verified_in", group_context)
        return self

    @property
    def sender(self) -> int:
        """The sender's leaf index; LocalError if no member sent it (see `sender_type`).

        An outsider's number must never be taken for the leaf of a member.
        """
        if self.content.sender.type is not SenderType.MEMBER:
            raise LocalError("the message is not from a member")
        return self.content.sender.index

    @property
    def sender_type(self) -> SenderType:
        return self.content.sender.type

    @property
    def epoch(self) -> int:
        return self.content.epoch

    @property
    def authenticated_data(self) -> bytes:
        return self.content.authenticated_data

    @property
    def body(self) -> Body:
        return self.content.body

    @property
    def content_type(self) -> ContentType:
        return self.content.content_type

    def encode_auth(self) -> bytes:
        """FramedContentAuthData."""
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag

    def encode(self) -> bytes:
        return uint16(self.wire_format) + self.content.encode() + self.encode_auth()

    @classmethod
    def decode(cls, data: bytes) -> "AuthenticatedContent":
        """An AuthenticatedContent that fills `data`; DecodeError if it does not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "AuthenticatedContent":
        wire_format = read_wire_format(reader)
        content = FramedContent.read(reader)
        return cls(wire_format, content, *read_auth(reader, content.content_type))

    def proposal_reference(self, crypto: Crypto) -> bytes:
        """ProposalRef (RFC 9420 §5.2)."""
        return crypto.ref_hash("MLS 1.0 Proposal Reference", self.encode())


def read_auth(reader: Reader, content_type: ContentType) -> tuple[bytes, bytes | None]:
    """Signature and, for a commit, confirmation tag."""
    return reader.opaque(), reader.opaque() if content_type is ContentType.COMMIT else None


def read_wire_format(reader: Reader) -> WireFormat:
    try:
        return WireFormat(reader.uint16())
    except ValueError:
        raise DecodeError("unknown wire format", rule="RFC 9420 §6") from None


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """A message that is signed and not encrypted (§6.2)."""

    authenticated: AuthenticatedContent
    membership_tag: bytes | None = field(repr=False)

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.authenticated.content.encode() + self.authenticated.encode_auth() + tag

    @classmethod
    def read(cls, reader: Reader) -> "PublicMessage":
        content = FramedContent.read(reader)
        auth = read_auth(reader, content.content_type)
        tag = reader.opaque() if content.sender.type is SenderType.MEMBER else None
        return cls(AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, *auth), tag)


def sender_data_aad(group_id: bytes, epoch: int, content_type: ContentType) -> bytes:
    """SenderDataAAD (§6.3.2), with which a PrivateMessage begins."""
    return opaque(group_id) + uint64(epoch) + uint8(content_type)


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """A message that is signed and encrypted (§6.3)."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    def encode(self) -> bytes:
        return self.content_aad() + opaque(self.encrypted_sender_data) + opaque(self.ciphertext)

    def sender_data_aad(self) -> bytes:
        """SenderDataAAD (§6.3.2)."""
        return sender_data_aad(self.group_id, self.epoch, self.content_type)

    def content_aad(self) -> bytes:
        """PrivateContentAAD (§6.3.1)."""
        return self.sender_data_aad() + opaque(self.authenticated_data)

    @classmethod
    def read(cls, reader: Reader) -> "PrivateMessage":
        return cls(
            reader.opaque(),
            reader.uint64(),
            read_content_type(reader),
            reader.opaque(),
            reader.opaque(),
            reader.opaque(),
        )
