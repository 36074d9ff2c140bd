"""Credentials (RFC 9420 §5.3), and the seam to the authentication service that judges them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from conclaved.mls.codec import Reader, opaque, uint16, vector
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import RemoteError


class CredentialType(IntEnum):
    """RFC 9420 §17.5."""

    BASIC = 1
    X509 = 2


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """A bare assertion of an identity."""

    identity: bytes

    @property
    def credential_type(self) -> int:
        return CredentialType.BASIC

    def encode(self) -> bytes:
        return uint16(CredentialType.BASIC) + opaque(self.identity)


@dataclass(frozen=True, slots=True)
class X509Credential:
    """A chain of DER certificates, the end entity's first."""

    certificates: tuple[bytes, ...]

    @property
    def credential_type(self) -> int:
        return CredentialType.X509

    def encode(self) -> bytes:
        return uint16(CredentialType.X509) + vector(opaque(der) for der in self.certificates)

    def __repr__(self) -> str:
        return f"X509Credential({len(self.certificates)} certificates)"


@dataclass(frozen=True, slots=True)
class UnknownCredential:
    """A credential of a type that this library does not know, carried as it is.

    RFC 9420 leaves the content of further types to those who register them, and with it their extent. Both
    types that there are begin with the length of one vector, so that is how an unknown one is read: `data`
    is the content of that vector. It is in a group only where all members say that they support the type.
    """

    credential_type: int
    data: bytes

    def encode(self) -> bytes:
        return uint16(self.credential_type) + opaque(self.data)


Credential = BasicCredential | X509Credential | UnknownCredential


def read_credential(reader: Reader) -> Credential:
    """One Credential, of whatever type."""
    credential_type = reader.uint16()
    if credential_type == CredentialType.BASIC:
        return BasicCredential(reader.opaque())
    if credential_type == CredentialType.X509:
        return X509Credential(reader.vector(Reader.opaque))
    return UnknownCredential(credential_type, reader.opaque())


def check_key_binding(crypto: Crypto, credential: Credential, signature_key: bytes) -> None:
    """Check that a credential can speak for the signature key (RFC 9420 §5.3).

    For X.509 the end entity's public key must be the signature key. What the credential claims beyond
    that is the authentication service's business.
    """
    if isinstance(credential, X509Credential):
        if not credential.certificates:
            raise RemoteError("an X.509 credential without a certificate", rule="RFC 9420 §5.3")
        if crypto.signature_public_key_of_certificate(credential.certificates[0]) != signature_key:
            raise RemoteError("the certificate's key is not the leaf's signature key", rule="RFC 9420 §5.3")


class AuthenticationService(Protocol):
    """Judge of credentials (RFC 9420 §5.3.1). What it raises reaches the caller unchanged."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        """Refuse by raising, best a RemoteError, a credential that is new in the group."""
        ...

    def validate_successor(self, old: Credential, new: Credential) -> None:
        """Refuse by raising that a member replaces `old` by `new`; called after `validate`."""
        ...


class AcceptAny:
    """An authentication service that accepts everything: for tests, and for rules applied elsewhere."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        return

    def validate_successor(self, old: Credential, new: Credential) -> None:
        return
