"""From AuthenticatedContent to PublicMessage or PrivateMessage and back (RFC 9420 §6.1 to §6.3).

Functions of what they are given: the group decides which keys and which sender are right.
"""

from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque, uint32
from conclaved.mls.crypto import Crypto, Signer
from conclaved.mls.errors import DecodeError, LocalError, RemoteError
from conclaved.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    encode_body,
    read_auth,
    read_body,
    sender_data_aad,
)
from conclaved.mls.kem import Secret
from conclaved.mls.secret_tree import MessageKey, Ratchet, SecretTree
from conclaved.mls.single_owner import NotCopied

_GUARD_SIZE = 4


def check_wire_format(wire_format: WireFormat) -> None:
    """LocalError unless content can be signed for it (§6)."""
    if wire_format not in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
        raise LocalError("content is sent as PUBLIC_MESSAGE or PRIVATE_MESSAGE only")


def sign_content(
    crypto: Crypto, signer: Signer, wire_format: WireFormat, content: FramedContent, group_context: bytes
) -> bytes:
    """The signature over FramedContentTBS; `group_context` is the encoded GroupContext."""
    return crypto.sign_with_label(
        signer, "FramedContentTBS", content.signed_content(wire_format, group_context)
    )


def verify_content(
    crypto: Crypto, public_key: bytes, message: AuthenticatedContent, group_context: bytes
) -> None:
    """InvalidSignature unless the message is signed by `public_key` in that group context."""
    signed = message.content.signed_content(message.wire_format, group_context)
    crypto.verify_with_label(public_key, "FramedContentTBS", signed, message.signature)


def _membership_tag(
    crypto: Crypto, membership_key: Secret, message: AuthenticatedContent, group_context: bytes
) -> bytes:
    signed = message.content.signed_content(message.wire_format, group_context)
    return crypto.mac(membership_key, signed + message.encode_auth())


def protect_public(
    crypto: Crypto, membership_key: Secret, message: AuthenticatedContent, group_context: bytes
) -> PublicMessage:
    """Wrap handshake content of a member; LocalError for application data (§6)."""
    if message.content_type is ContentType.APPLICATION:
        raise LocalError("application data is never sent as a PublicMessage")
    if message.wire_format is not WireFormat.PUBLIC_MESSAGE:
        raise LocalError("the content was signed for another wire format")
    return PublicMessage(message, _membership_tag(crypto, membership_key, message, group_context))


def check_membership(
    crypto: Crypto, membership_key: Secret, message: PublicMessage, group_context: bytes
) -> None:
    """RemoteError unless a member's message carries the epoch's membership tag (§6.2)."""
    expected = _membership_tag(crypto, membership_key, message.authenticated, group_context)
    if message.membership_tag is None or not crypto.mac_equal(expected, message.membership_tag):
        raise RemoteError("wrong membership tag", rule="RFC 9420 §6.2")


@dataclass(frozen=True, slots=True)
class SenderData:
    """Who sent a PrivateMessage, and with which key (§6.3.2)."""

    leaf_index: int
    generation: int
    reuse_guard: bytes = field(repr=False)

    def encode(self) -> bytes:
        return uint32(self.leaf_index) + uint32(self.generation) + self.reuse_guard

    @classmethod
    def read(cls, reader: Reader) -> "SenderData":
        return cls(reader.uint32(), reader.uint32(), reader.fixed(_GUARD_SIZE))


def sender_data_key(crypto: Crypto, sender_data_secret: Secret, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Key and nonce from a sample of the ciphertext (§6.3.2)."""
    sample = ciphertext[: crypto.hash_size]
    key = crypto.expand_with_label(sender_data_secret, "key", sample, crypto.key_size)
    return key, crypto.expand_with_label(sender_data_secret, "nonce", sample, crypto.nonce_size)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    guarded = int.from_bytes(nonce[:_GUARD_SIZE], "big") ^ int.from_bytes(guard, "big")
    return guarded.to_bytes(_GUARD_SIZE, "big") + nonce[_GUARD_SIZE:]


def protect_private(
    crypto: Crypto,
    sender_data_secret: Secret,
    message_key: MessageKey,
    message: AuthenticatedContent,
    padding: int,
) -> PrivateMessage:
    """Encrypt a member's message with a key that nothing else is sent with; `padding` zero bytes."""
    if message.wire_format is not WireFormat.PRIVATE_MESSAGE:
        raise LocalError("the content was signed for another wire format")
    if message.sender_type is not SenderType.MEMBER:
        raise LocalError("only members send PrivateMessages")
    content, guard = message.content, crypto.random(_GUARD_SIZE)
    kind = content.content_type
    head = sender_data_aad(content.group_id, content.epoch, kind)
    plaintext = encode_body(content.body) + message.encode_auth() + bytes(padding)
    nonce = _guarded(message_key.nonce, guard)
    content_aad = head + opaque(content.authenticated_data)
    ciphertext = crypto.aead_seal(message_key.key, nonce, plaintext, content_aad)
    sender_data = SenderData(content.sender.index, message_key.generation, guard)
    key, nonce = sender_data_key(crypto, sender_data_secret, ciphertext)
    sealed = crypto.aead_seal(key, nonce, sender_data.encode(), head)
    return PrivateMessage(
        content.group_id, content.epoch, kind, content.authenticated_data, sealed, ciphertext
    )


def open_sender_data(crypto: Crypto, sender_data_secret: Secret, message: PrivateMessage) -> SenderData:
    """Decrypt who sent it; DecryptionFailed or DecodeError where that fails."""
    key, nonce = sender_data_key(crypto, sender_data_secret, message.ciphertext)
    opened = crypto.aead_open(key, nonce, message.encrypted_sender_data, message.sender_data_aad())
    return decode_whole(opened, SenderData.read)


@dataclass(frozen=True, slots=True)
class Opened(NotCopied):
    """A decrypted message whose key is not used up yet: verify the signature, then `accept`."""

    message: AuthenticatedContent
    _ratchet: Ratchet = field(repr=False)
    _key: MessageKey = field(repr=False)

    def accept(self) -> None:
        """Use the key up; GoneError if it has been."""
        self._ratchet.accept(self._key)


def open_private(
    crypto: Crypto, secret_tree: SecretTree, sender_data: SenderData, message: PrivateMessage
) -> Opened:
    """Decrypt the content; the ratchet does not move before `accept`.

    GoneError for a generation already used; RemoteError for one too far ahead, for content that does not
    decrypt or parse, and for padding that is not zero.
    """
    is_handshake = message.content_type is not ContentType.APPLICATION
    ratchet = secret_tree.ratchet(sender_data.leaf_index, is_handshake=is_handshake)
    key = ratchet.peek(sender_data.generation)
    nonce = _guarded(key.nonce, sender_data.reuse_guard)
    plaintext = crypto.aead_open(key.key, nonce, message.ciphertext, message.content_aad())
    reader = Reader(plaintext)
    body = read_body(reader, message.content_type)
    encoded_body = reader.since(0)
    signature, tag = read_auth(reader, message.content_type)
    if any(reader.fixed(reader.remaining)):
        raise DecodeError("padding is not all zero", rule="RFC 9420 §6.3.1")
    sender = Sender(SenderType.MEMBER, sender_data.leaf_index)
    content = FramedContent.of_encoded_body(
        message.group_id, message.epoch, sender, message.authenticated_data, body, encoded_body
    )
    opened = AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, signature, tag)
    return Opened(opened, ratchet, key)
