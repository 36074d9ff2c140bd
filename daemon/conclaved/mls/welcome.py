"""Welcome: the new epoch's secrets, sealed to each new member (RFC 9420 §12.4.3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint16, vector
from conclaved.mls.crypto import Crypto, HpkeCiphertext
from conclaved.mls.errors import RemoteError
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.kem import HpkePrivateKey, Secret
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.psk import PreSharedKeyID
from conclaved.mls.single_owner import NotCopied

_LABEL = "Welcome"


@dataclass(frozen=True, slots=True)
class GroupSecrets(NotCopied):
    """What one joiner gets: `path_secret` is None where the Commit had no path."""

    joiner_secret: bytes = field(repr=False)
    path_secret: bytes | None = field(repr=False)
    psks: tuple[PreSharedKeyID, ...]

    def encode(self) -> bytes:
        path = None if self.path_secret is None else opaque(self.path_secret)
        return opaque(self.joiner_secret) + optional(path) + vector(psk.encode() for psk in self.psks)

    @classmethod
    def decode(cls, data: bytes) -> "GroupSecrets":
        """GroupSecrets that fill `data`; DecodeError if they do not."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "GroupSecrets":
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(PreSharedKeyID.read))


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets:
    """GroupSecrets sealed to the init key of the KeyPackage with that reference."""

    new_member: bytes
    encrypted_group_secrets: HpkeCiphertext

    def encode(self) -> bytes:
        return opaque(self.new_member) + self.encrypted_group_secrets.encode()

    @classmethod
    def read(cls, reader: Reader) -> "EncryptedGroupSecrets":
        return cls(reader.opaque(), HpkeCiphertext.read(reader))


@dataclass(frozen=True, slots=True)
class Welcome:
    """One message for any number of joiners. `cipher_suite` may be one that is not supported."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes = field(repr=False)

    def encode(self) -> bytes:
        secrets = vector(each.encode() for each in self.secrets)
        return uint16(self.cipher_suite) + secrets + opaque(self.encrypted_group_info)

    @classmethod
    def read(cls, reader: Reader) -> "Welcome":
        return cls(reader.uint16(), reader.vector(EncryptedGroupSecrets.read), reader.opaque())

    def open_secrets(self, crypto: Crypto, reference: bytes, init_key: HpkePrivateKey) -> GroupSecrets:
        """The secrets for the KeyPackage of that reference; RemoteError if there are none or they fail."""
        for each in self.secrets:
            if each.new_member == reference:
                context = crypto.label_context(_LABEL, self.encrypted_group_info)
                return GroupSecrets.decode(context.open(init_key, each.encrypted_group_secrets))
        raise RemoteError("the Welcome is not for this KeyPackage", rule="RFC 9420 §12.4.3.1")

    def open_group_info(self, crypto: Crypto, welcome_secret: Secret) -> GroupInfo:
        """The GroupInfo; DecryptionFailed or DecodeError where that fails. Its signature is unchecked."""
        key, nonce = _key_and_nonce(crypto, welcome_secret)
        return GroupInfo.decode(crypto.aead_open(key, nonce, self.encrypted_group_info, b""))


def _key_and_nonce(crypto: Crypto, welcome_secret: Secret) -> tuple[bytes, bytes]:
    key = crypto.expand_with_label(welcome_secret, "key", b"", crypto.key_size)
    return key, crypto.expand_with_label(welcome_secret, "nonce", b"", crypto.nonce_size)


def seal_welcome(
    crypto: Crypto,
    group_info: GroupInfo,
    welcome_secret: Secret,
    joiners: Iterable[tuple[KeyPackage, GroupSecrets]],
) -> Welcome:
    """Seal a signed GroupInfo once, and the secrets to each joiner; linear in the number of joiners."""
    key, nonce = _key_and_nonce(crypto, welcome_secret)
    sealed_info = crypto.aead_seal(key, nonce, group_info.encode(), b"")
    context = crypto.label_context(_LABEL, sealed_info)
    secrets = tuple(
        EncryptedGroupSecrets(
            package.reference(crypto.suite),
            context.seal(package.hpke_init_key(crypto), group_secrets.encode()),
        )
        for package, group_secrets in joiners
    )
    return Welcome(crypto.suite, secrets, sealed_info)
