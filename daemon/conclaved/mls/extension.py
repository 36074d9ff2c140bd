"""Extensions, and those whose content RFC 9420 itself defines (§13.4, §11.1, §12.1.8.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from conclaved.mls.codec import Reader, decode_whole, opaque, uint16, vector
from conclaved.mls.credential import Credential, read_credential
from conclaved.mls.errors import DecodeError, LocalError


class ExtensionType(IntEnum):
    """RFC 9420 §17.3."""

    APPLICATION_ID = 1
    RATCHET_TREE = 2
    REQUIRED_CAPABILITIES = 3
    EXTERNAL_PUB = 4
    EXTERNAL_SENDERS = 5


LAST_RESORT = 0x000A
"""`last_resort_key_package` (draft-ietf-mls-extensions): the KeyPackage may be used more than once."""

DEFAULT_EXTENSION_TYPES = frozenset(int(member) for member in ExtensionType)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension; `extension_type` is a number so that private-use types pass."""

    extension_type: int
    data: bytes

    def encode(self) -> bytes:
        return uint16(self.extension_type) + opaque(self.data)

    @classmethod
    def read(cls, reader: Reader) -> "Extension":
        return cls(reader.uint16(), reader.opaque())


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """`Extension extensions<V>`; LocalError for a type twice, which no peer would read (RFC 9420 §13.4)."""
    extensions = tuple(extensions)
    if len({extension.extension_type for extension in extensions}) != len(extensions):
        raise LocalError("an extension type occurs twice")
    return vector(extension.encode() for extension in extensions)


def read_extensions(reader: Reader) -> tuple[Extension, ...]:
    """`Extension extensions<V>`; no type twice (RFC 9420 §13.4)."""
    extensions = reader.vector(Extension.read)
    if len({extension.extension_type for extension in extensions}) != len(extensions):
        raise DecodeError("an extension type occurs twice", rule="RFC 9420 §13.4")
    return extensions


def find_extension(extensions: Iterable[Extension], extension_type: int) -> bytes | None:
    """The data of the extension of that type, or None."""
    for extension in extensions:
        if extension.extension_type == extension_type:
            return extension.data
    return None


def extension_types(extensions: Iterable[Extension]) -> frozenset[int]:
    """The non-default types among `extensions`: those that capabilities must list."""
    return frozenset(extension.extension_type for extension in extensions) - DEFAULT_EXTENSION_TYPES


@dataclass(frozen=True, slots=True)
class RequiredCapabilities:
    """What every member must support (RFC 9420 §11.1)."""

    extension_types: tuple[int, ...] = ()
    proposal_types: tuple[int, ...] = ()
    credential_types: tuple[int, ...] = ()

    def encode(self) -> bytes:
        fields = (self.extension_types, self.proposal_types, self.credential_types)
        return b"".join(vector(uint16(value) for value in field) for field in fields)

    @classmethod
    def read(cls, reader: Reader) -> "RequiredCapabilities":
        return cls(*(reader.vector(Reader.uint16) for _ in range(3)))

    def to_extension(self) -> Extension:
        return Extension(ExtensionType.REQUIRED_CAPABILITIES, self.encode())


def required_capabilities(extensions: Sequence[Extension]) -> RequiredCapabilities:
    """The group's required capabilities; empty where there is no such extension."""
    data = find_extension(extensions, ExtensionType.REQUIRED_CAPABILITIES)
    return RequiredCapabilities() if data is None else decode_whole(data, RequiredCapabilities.read)


@dataclass(frozen=True, slots=True)
class ExternalSender:
    """A sender outside the group that may propose (RFC 9420 §12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> "ExternalSender":
        return cls(reader.opaque(), read_credential(reader))


def external_senders_extension(senders: Iterable[ExternalSender]) -> Extension:
    """The GroupContext extension that lets these propose (RFC 9420 §12.1.8.1)."""
    return Extension(ExtensionType.EXTERNAL_SENDERS, vector(sender.encode() for sender in senders))


def external_senders(extensions: Sequence[Extension]) -> tuple[ExternalSender, ...]:
    """The group's external senders; none where there is no such extension."""
    data = find_extension(extensions, ExtensionType.EXTERNAL_SENDERS)
    return () if data is None else decode_whole(data, lambda reader: reader.vector(ExternalSender.read))
