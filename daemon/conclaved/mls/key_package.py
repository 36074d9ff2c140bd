"""KeyPackage: what lets others add a client to a group, and the private half of it (RFC 9420 §10)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque, uint16
from conclaved.mls.credential import Credential
from conclaved.mls.crypto import CipherSuite, Crypto, Signer, crypto_for
from conclaved.mls.errors import GoneError, LocalError
from conclaved.mls.extension import LAST_RESORT, Extension, encode_extensions, find_extension, read_extensions
from conclaved.mls.kem import HpkePrivateKey, HpkePublicKey
from conclaved.mls.leaf_node import (
    PROTOCOL_VERSION,
    Capabilities,
    LeafNode,
    LeafNodeSource,
    Lifetime,
)
from conclaved.mls.single_owner import SingleOwner


@dataclass(frozen=True, slots=True)
class KeyPackage:
    """A signed offer to be added. `cipher_suite` is a number: it may be one that is not supported."""

    version: int
    cipher_suite: int
    init_key: bytes
    leaf_node: LeafNode
    extensions: tuple[Extension, ...]
    signature: bytes = b""
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _hpke_key: HpkePublicKey | None = field(default=None, init=False, repr=False, compare=False)
    _is_verified: bool = field(default=False, init=False, repr=False, compare=False)

    def _unsigned(self) -> bytes:
        return (
            uint16(self.version)
            + uint16(self.cipher_suite)
            + opaque(self.init_key)
            + self.leaf_node.encode()
            + encode_extensions(self.extensions)
        )

    def encode(self) -> bytes:
        """The TLS encoding, cached."""
        encoded = self._encoded
        if encoded is None:
            encoded = self._unsigned() + opaque(self.signature)
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> "KeyPackage":
        """A KeyPackage that fills `data`; DecodeError if it does not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "KeyPackage":
        start = reader.position
        package = cls(
            reader.uint16(),
            reader.uint16(),
            reader.opaque(),
            LeafNode.read(reader),
            read_extensions(reader),
            reader.opaque(),
        )
        object.__setattr__(package, "_encoded", reader.since(start))
        return package

    @property
    def is_last_resort(self) -> bool:
        """Whether it is for those who find no fresh one, and outlives its use (RFC 9420 §16.8)."""
        return find_extension(self.extensions, LAST_RESORT) is not None

    def reference(self, suite: CipherSuite) -> bytes:
        """KeyPackageRef (RFC 9420 §5.2)."""
        return crypto_for(suite).ref_hash("MLS 1.0 KeyPackage Reference", self.encode())

    def sign(self, crypto: Crypto, signer: Signer) -> "KeyPackage":
        """The same with its signature."""
        signature = crypto.sign_with_label(signer, "KeyPackageTBS", self._unsigned())
        return KeyPackage(
            self.version, self.cipher_suite, self.init_key, self.leaf_node, self.extensions, signature
        )

    def verify_signature(self, crypto: Crypto) -> None:
        """Check the package's own signature and its init key; RemoteError where they fail."""
        if self._is_verified:
            return
        content = self.encode()[: -len(opaque(self.signature))]
        crypto.verify_with_label(self.leaf_node.signature_key, "KeyPackageTBS", content, self.signature)
        self.hpke_init_key(crypto)
        object.__setattr__(self, "_is_verified", True)

    def hpke_init_key(self, crypto: Crypto) -> HpkePublicKey:
        """The init key, parsed once; RemoteError if it is none."""
        key = self._hpke_key
        if key is None:
            key = crypto.hpke_public_key(self.init_key)
            object.__setattr__(self, "_hpke_key", key)
        return key


class KeyPackageBundle(SingleOwner):
    """A KeyPackage with its private keys, of which it is the single owner.

    A join consumes it, unless it is a last resort: that one is for the caller to `close` and replace.
    """

    __slots__ = ("_init_key", "_leaf_key", "key_package")

    def __init__(self, key_package: KeyPackage, init_key: HpkePrivateKey, leaf_key: HpkePrivateKey) -> None:
        super().__init__()
        self.key_package = key_package
        self._init_key: HpkePrivateKey | None = init_key
        self._leaf_key: HpkePrivateKey | None = leaf_key

    @classmethod
    def generate(
        cls,
        suite: CipherSuite,
        signer: Signer,
        credential: Credential,
        *,
        lifetime: Lifetime,
        extension_types: Iterable[int] = (),
        leaf_extensions: Iterable[Extension] = (),
        extensions: Iterable[Extension] = (),
        credential_types: Iterable[int] = (),
        is_last_resort: bool = False,
    ) -> "KeyPackageBundle":
        """A fresh KeyPackage, signed twice by `signer` (leaf and package).

        `extension_types` are the private-use types that this client supports, for the GroupContext as for
        leaves; those of the extensions given here are added by themselves. `credential_types` are those
        that it supports beside basic and x509. A last resort can be joined with again and again. LocalError
        for a signer of another suite, and for a lifetime that ends before it begins.
        """
        crypto, extensions = crypto_for(suite), tuple(extensions)
        if is_last_resort:
            extensions = (*extensions, Extension(LAST_RESORT, b""))
        init_key, leaf_key = crypto.generate_key_pair(), crypto.generate_key_pair()
        leaf_node = new_leaf_node(
            crypto,
            signer,
            credential,
            leaf_key,
            lifetime,
            extension_types,
            leaf_extensions,
            extensions,
            credential_types,
        )
        package = KeyPackage(PROTOCOL_VERSION, suite, init_key.public_key, leaf_node, extensions).sign(
            crypto, signer
        )
        return cls(package, init_key, leaf_key)

    @property
    def init_key(self) -> HpkePrivateKey:
        """Opens a Welcome; GoneError once consumed, and in a forked process."""
        self.check_own_process()
        if self._init_key is None:
            raise GoneError("the KeyPackage has been used or closed")
        return self._init_key

    @property
    def leaf_key(self) -> HpkePrivateKey:
        """The leaf's HPKE key; GoneError once consumed."""
        if self._leaf_key is None:
            raise GoneError("the KeyPackage has been used or closed")
        return self._leaf_key

    def close(self) -> None:
        """Drop the private keys; idempotent."""
        self._init_key = self._leaf_key = None

    def __repr__(self) -> str:
        return f"KeyPackageBundle({'closed' if self._init_key is None else 'open'})"


def new_leaf_node(
    crypto: Crypto,
    signer: Signer,
    credential: Credential,
    leaf_key: HpkePrivateKey,
    lifetime: Lifetime,
    extension_types: Iterable[int] = (),
    leaf_extensions: Iterable[Extension] = (),
    extensions: Iterable[Extension] = (),
    credential_types: Iterable[int] = (),
) -> LeafNode:
    """A leaf with source key_package, signed.

    LocalError for a signer of another suite, and for a lifetime that ends before it begins.
    """
    crypto.check_signer(signer)
    if lifetime.not_before > lifetime.not_after:
        raise LocalError("the lifetime ends before it begins")
    leaf_extensions = tuple(leaf_extensions)
    types = [*extension_types, *(each.extension_type for each in (*leaf_extensions, *extensions))]
    return LeafNode(
        leaf_key.public_key,
        signer.public_key,
        credential,
        Capabilities.of_this_library(crypto, types, (credential.credential_type, *credential_types)),
        LeafNodeSource.KEY_PACKAGE,
        lifetime,
        None,
        leaf_extensions,
    ).sign(crypto, signer)
