"""LeafNode: a client's appearance in the group, signed by it (RFC 9420 §7.2)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from conclaved.mls.codec import Reader, decode_whole, opaque, uint8, uint16, uint32, uint64, vector
from conclaved.mls.credential import Credential, CredentialType, check_key_binding, read_credential
from conclaved.mls.crypto import Crypto, Signer, supported_suites
from conclaved.mls.errors import DecodeError
from conclaved.mls.extension import DEFAULT_EXTENSION_TYPES, Extension, encode_extensions, read_extensions
from conclaved.mls.kem import HpkePublicKey

PROTOCOL_VERSION = 1
MAX_LIFETIME_S = 366 * 24 * 3600
"""The longest lifetime of a leaf that is accepted, which RFC 9420 §7.2 wants said: a leap year."""
LONGEST_KEPT = 1024
"""Bytes of capabilities that are remembered beyond the message that brought them, whoever sent it."""
# RFC 9420 §13.5: values that only test whether a peer ignores what it does not know.
_GREASE = tuple(0x0A0A + 0x1010 * step for step in range(15))


class LeafNodeSource(IntEnum):
    """How a leaf came into the tree."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a client supports, beyond what RFC 9420 has everybody support."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    proposals: tuple[int, ...]
    credentials: tuple[int, ...]
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            fields = (self.versions, self.cipher_suites, self.extensions, self.proposals, self.credentials)
            encoded = b"".join(vector(uint16(value) for value in each) for each in fields)
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def read(cls, reader: Reader) -> "Capabilities":
        read, start = reader.opaque, reader.position
        fields = read(), read(), read(), read(), read()
        if reader.position - start > LONGEST_KEPT:
            return _read_capabilities(*fields)
        return _shared_capabilities(*fields)

    @classmethod
    def of_this_library(
        cls, crypto: Crypto, extension_types: Iterable[int], credential_types: Iterable[int] = ()
    ) -> "Capabilities":
        """What this library supports, the application's types, and a grain of GREASE (RFC 9420 §13.5)."""
        grease = _GREASE[crypto.random(1)[0] % len(_GREASE)]
        extensions = sorted(set(extension_types) - DEFAULT_EXTENSION_TYPES)
        suites = [each for each in supported_suites() if not each.is_private_use or each is crypto.suite]
        return cls(
            versions=(PROTOCOL_VERSION,),
            cipher_suites=(*suites, grease),
            extensions=(*extensions, grease),
            proposals=(grease,),
            credentials=(*sorted({*CredentialType, *credential_types}), grease),
        )

    def with_extensions(self, extension_types: Iterable[int]) -> "Capabilities":
        """The same with more extension types."""
        more = sorted(set(extension_types) - DEFAULT_EXTENSION_TYPES - set(self.extensions))
        return Capabilities(
            self.versions, self.cipher_suites, (*self.extensions, *more), self.proposals, self.credentials
        )


def _read_capabilities(*fields: bytes) -> Capabilities:
    """Capabilities from the content of their vectors."""
    return Capabilities(*(decode_whole(opaque(content), _read_numbers) for content in fields))


_shared_capabilities = lru_cache(maxsize=256)(_read_capabilities)
"""The same, shared, since most clients send the same."""


def _read_numbers(reader: Reader) -> tuple[int, ...]:
    return reader.vector(Reader.uint16)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a KeyPackage's leaf is valid, seconds since 1970, both ends included."""

    not_before: int
    not_after: int

    def includes(self, now: int) -> bool:
        """Whether that is a time within it."""
        return self.not_before <= now <= self.not_after

    @property
    def is_acceptable(self) -> bool:
        """Whether it is no longer than `MAX_LIFETIME_S`."""
        return self.not_after - self.not_before <= MAX_LIFETIME_S


@dataclass(frozen=True, slots=True)
class LeafNode:
    """A leaf of the ratchet tree. `lifetime` or `parent_hash` is there as the source asks."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    leaf_node_source: LeafNodeSource
    lifetime: Lifetime | None
    parent_hash: bytes | None
    extensions: tuple[Extension, ...]
    signature: bytes = b""
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _hpke_key: HpkePublicKey | None = field(default=None, init=False, repr=False, compare=False)
    _verified_as: tuple[object, ...] | None = field(default=None, init=False, repr=False, compare=False)

    def _unsigned(self) -> bytes:
        parts = [
            opaque(self.encryption_key),
            opaque(self.signature_key),
            self.credential.encode(),
            self.capabilities.encode(),
            uint8(self.leaf_node_source),
        ]
        if self.lifetime is not None:
            parts += [uint64(self.lifetime.not_before), uint64(self.lifetime.not_after)]
        elif self.parent_hash is not None:
            parts.append(opaque(self.parent_hash))
        parts.append(encode_extensions(self.extensions))
        return b"".join(parts)

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            encoded = self._unsigned() + opaque(self.signature)
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> "LeafNode":
        """A LeafNode that fills `data`; DecodeError if it does not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "LeafNode":
        start = reader.position
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential, capabilities = read_credential(reader), Capabilities.read(reader)
        try:
            source = LeafNodeSource(reader.uint8())
        except ValueError:
            raise DecodeError("unknown leaf node source", rule="RFC 9420 §7.2") from None
        is_key_package = source is LeafNodeSource.KEY_PACKAGE
        lifetime = Lifetime(reader.uint64(), reader.uint64()) if is_key_package else None
        parent_hash = reader.opaque() if source is LeafNodeSource.COMMIT else None
        leaf = cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            source,
            lifetime,
            parent_hash,
            read_extensions(reader),
            reader.opaque(),
        )
        object.__setattr__(leaf, "_encoded", reader.since(start))
        return leaf

    def _signed_content(self, group_id: bytes, leaf_index: int) -> bytes:
        # The signature ends the encoding: what is before it need not be encoded again.
        encoded = self._encoded
        content = self._unsigned() if encoded is None else encoded[: -len(opaque(self.signature))]
        if self.leaf_node_source is not LeafNodeSource.KEY_PACKAGE:
            content += opaque(group_id) + uint32(leaf_index)
        return content

    def sign(self, crypto: Crypto, signer: Signer, group_id: bytes = b"", leaf_index: int = 0) -> "LeafNode":
        """The same leaf with its signature; the group matters for the sources update and commit."""
        content = self._signed_content(group_id, leaf_index)
        signature = crypto.sign_with_label(signer, "LeafNodeTBS", content)
        return LeafNode(
            self.encryption_key,
            self.signature_key,
            self.credential,
            self.capabilities,
            self.leaf_node_source,
            self.lifetime,
            self.parent_hash,
            self.extensions,
            signature,
        )

    def verify(self, crypto: Crypto, group_id: bytes = b"", leaf_index: int = 0) -> None:
        """Check signature, keys and their binding to the credential (RFC 9420 §7.3, §5.3).

        A leaf that has passed is not checked again for the same place. Raises RemoteError.
        """
        place: tuple[object, ...] = (crypto.suite,)
        if self.leaf_node_source is not LeafNodeSource.KEY_PACKAGE:
            place = (crypto.suite, group_id, leaf_index)
        if self._verified_as == place:
            return
        content = self._signed_content(group_id, leaf_index)
        crypto.verify_with_label(self.signature_key, "LeafNodeTBS", content, self.signature)
        self.hpke_key(crypto)
        check_key_binding(crypto, self.credential, self.signature_key)
        object.__setattr__(self, "_verified_as", place)

    def hpke_key(self, crypto: Crypto) -> HpkePublicKey:
        """The encryption key, parsed once; RemoteError if it is none."""
        key = self._hpke_key
        if key is None:
            key = crypto.hpke_public_key(self.encryption_key)
            object.__setattr__(self, "_hpke_key", key)
        return key


@dataclass(frozen=True, slots=True)
class LeafChange:
    """What else changes when a member replaces its own leaf; None keeps what is there."""

    signer: Signer | None = None
    credential: Credential | None = None
    extensions: tuple[Extension, ...] | None = None

    def apply(
        self,
        old: LeafNode,
        source: LeafNodeSource,
        encryption_key: bytes,
        parent_hash: bytes | None,
    ) -> LeafNode:
        """The unsigned successor of a leaf."""
        extensions = old.extensions if self.extensions is None else tuple(self.extensions)
        return LeafNode(
            encryption_key,
            old.signature_key if self.signer is None else self.signer.public_key,
            old.credential if self.credential is None else self.credential,
            old.capabilities.with_extensions(each.extension_type for each in extensions),
            source,
            None,
            parent_hash,
            extensions,
        )
