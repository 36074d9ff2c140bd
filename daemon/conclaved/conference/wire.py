"""Messages between a device and the hub, each one binary WebSocket message.

    struct {
        uint8 type;
        ... the fields below, in TLS presentation language (RFC 8446 §3, vectors as RFC 9420 §2.1.2)
    }

The hub reads types, addresses, sequence numbers and sizes. Everything in a `data` field is
sealed under the link or protected by MLS.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from conclaved.conference.errors import ProtocolError
from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint8, uint32, uint64
from conclaved.mls.errors import DecodeError

VERSION = 1
ADDRESS_BYTES = 32
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_BLOB_BYTES = 128 * 1024
LOBBY_DATA = 3
LIVE_DATA = 4
LOG_ENTRY = 65
"""What these messages begin with: enough to count them by, before any is read."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a device that comes to a meeting's address."""

    version: int
    address: bytes


@dataclass(frozen=True, slots=True)
class PublishEntry:
    """Append to the log, if it has the expected length where one is given."""

    token: int
    expected: int | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LobbyData:
    """To and from everybody at the address."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiveData:
    """To and from everybody at the address; never kept."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReplayFrom:
    """Send the log again from this sequence number."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AnnounceMember:
    """Whether this device is in the group; the hub forgets a log when nobody is."""

    is_member: bool


@dataclass(frozen=True, slots=True)
class PutBlob:
    """Keep a sealed invitation."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetBlob:
    """Give back a sealed invitation."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Ask for a place in the media relay."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Answer to Hello, and again when the log was forgotten."""

    head: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the log."""

    sequence: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishAnswer:
    """Whether a PublishEntry came into the log."""

    token: int
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class LeaderIs:
    """Whether the receiver is the one to commit first."""

    is_you: bool


@dataclass(frozen=True, slots=True)
class Blob:
    """Answer to GetBlob and PutBlob: the digest, and the data where it was asked for and is there."""

    digest: bytes
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """Answer to OpenMedia: an encoded `rtp.offer.MediaOffer`; it holds SRTP keys."""

    offer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoMediaPlace:
    """Answer to OpenMedia when there is none to give; the connection stays."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The hub closes the connection, and says why."""

    reason: str


ToHub = (
    Hello | PublishEntry | LobbyData | LiveData | ReplayFrom | AnnounceMember | PutBlob | GetBlob | OpenMedia
)
ToDevice = (
    Ready
    | LogEntry
    | LobbyData
    | LiveData
    | PublishAnswer
    | LeaderIs
    | Blob
    | MediaPlace
    | NoMediaPlace
    | Refused
)
Message = ToHub | ToDevice


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    match message:
        case Hello(version, address):
            return uint8(1) + uint8(version) + opaque(address)
        case PublishEntry(token, expected, data):
            position = optional(None if expected is None else uint64(expected))
            return uint8(2) + uint32(token) + position + opaque(data)
        case LobbyData(data):
            return uint8(LOBBY_DATA) + opaque(data)
        case LiveData(data):
            return uint8(LIVE_DATA) + opaque(data)
        case ReplayFrom(sequence):
            return uint8(5) + uint64(sequence)
        case AnnounceMember(is_member):
            return uint8(6) + uint8(is_member)
        case PutBlob(data):
            return uint8(7) + opaque(data)
        case GetBlob(digest):
            return uint8(8) + opaque(digest)
        case OpenMedia():
            return uint8(9)
        case Ready(head):
            return uint8(64) + uint64(head)
        case LogEntry(sequence, data):
            return uint8(LOG_ENTRY) + uint64(sequence) + opaque(data)
        case PublishAnswer(token, is_accepted):
            return uint8(66) + uint32(token) + uint8(is_accepted)
        case LeaderIs(is_you):
            return uint8(67) + uint8(is_you)
        case Blob(digest, blob):
            return uint8(68) + opaque(digest) + optional(None if blob is None else opaque(blob))
        case MediaPlace(offer):
            return uint8(69) + opaque(offer)
        case Refused(reason):
            return uint8(70) + opaque(reason.encode())
        case NoMediaPlace(reason):
            return uint8(71) + opaque(reason.encode())


def decode(data: bytes | str) -> Message:
    """Parse a message. Raises ProtocolError."""
    if isinstance(data, str):
        raise ProtocolError("a text message, where all are binary")
    try:
        return decode_whole(data, _read)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError("a malformed message") from error


def _read(reader: Reader) -> Message:
    kind = reader.uint8()
    read = _READERS.get(kind)
    if read is None:
        raise DecodeError(f"unknown message type {kind}")
    return read(reader)


def _flag(reader: Reader) -> bool:
    value = reader.uint8()
    if value > 1:
        raise DecodeError("a flag is neither 0 nor 1")
    return value == 1


_READERS: dict[int, Callable[[Reader], Message]] = {
    1: lambda r: Hello(r.uint8(), r.opaque()),
    2: lambda r: PublishEntry(r.uint32(), r.optional(Reader.uint64), r.opaque()),
    LOBBY_DATA: lambda r: LobbyData(r.opaque()),
    LIVE_DATA: lambda r: LiveData(r.opaque()),
    5: lambda r: ReplayFrom(r.uint64()),
    6: lambda r: AnnounceMember(_flag(r)),
    7: lambda r: PutBlob(r.opaque()),
    8: lambda r: GetBlob(r.opaque()),
    9: lambda r: OpenMedia(),
    64: lambda r: Ready(r.uint64()),
    LOG_ENTRY: lambda r: LogEntry(r.uint64(), r.opaque()),
    66: lambda r: PublishAnswer(r.uint32(), _flag(r)),
    67: lambda r: LeaderIs(_flag(r)),
    68: lambda r: Blob(r.opaque(), r.optional(Reader.opaque)),
    69: lambda r: MediaPlace(r.opaque()),
    70: lambda r: Refused(r.opaque().decode()),
    71: lambda r: NoMediaPlace(r.opaque().decode()),
}
