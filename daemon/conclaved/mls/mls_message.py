"""MLSMessage: everything that MLS puts on the wire (RFC 9420 §6)."""

from dataclasses import dataclass

from conclaved.mls.codec import Reader, decode_whole, uint16
from conclaved.mls.errors import RemoteError
from conclaved.mls.framing import PrivateMessage, PublicMessage, WireFormat, read_wire_format
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.leaf_node import PROTOCOL_VERSION
from conclaved.mls.welcome import Welcome

Content = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage


def _wire_format_of(content: Content) -> WireFormat:
    match content:
        case PublicMessage():
            return WireFormat.PUBLIC_MESSAGE
        case PrivateMessage():
            return WireFormat.PRIVATE_MESSAGE
        case Welcome():
            return WireFormat.WELCOME
        case GroupInfo():
            return WireFormat.GROUP_INFO
        case KeyPackage():
            return WireFormat.KEY_PACKAGE


def _read_content(reader: Reader, wire_format: WireFormat) -> Content:
    match wire_format:
        case WireFormat.PUBLIC_MESSAGE:
            return PublicMessage.read(reader)
        case WireFormat.PRIVATE_MESSAGE:
            return PrivateMessage.read(reader)
        case WireFormat.WELCOME:
            return Welcome.read(reader)
        case WireFormat.GROUP_INFO:
            return GroupInfo.read(reader)
        case WireFormat.KEY_PACKAGE:
            return KeyPackage.read(reader)


@dataclass(frozen=True, slots=True)
class MlsMessage:
    """One message with its version and wire format."""

    content: Content

    @property
    def wire_format(self) -> WireFormat:
        return _wire_format_of(self.content)

    def encode(self) -> bytes:
        return uint16(PROTOCOL_VERSION) + uint16(self.wire_format) + self.content.encode()

    @classmethod
    def decode(cls, data: bytes) -> "MlsMessage":
        """A message that fills `data`; RemoteError for another version, DecodeError if malformed."""
        return decode_whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> "MlsMessage":
        if (version := reader.uint16()) != PROTOCOL_VERSION:
            raise RemoteError(f"protocol version {version} is not supported", rule="RFC 9420 §6")
        content = _read_content(reader, read_wire_format(reader))
        if isinstance(content, KeyPackage) and content.version != version:
            raise RemoteError("the KeyPackage is of another version", rule="RFC 9420 §10")
        return cls(content)
