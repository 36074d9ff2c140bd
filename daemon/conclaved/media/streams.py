"""The streams that a member has, and what follows from a stream's number.

Codec, payload type and sink follow from the context in the *authenticated* KID. What an RTP
header says about them is for routing only.
"""

from enum import IntEnum

from conclave_hal.media import Codec


class StreamContext(IntEnum):
    """SFrame contexts (DESIGN §4, Media)."""

    MICROPHONE = 0
    CAMERA = 1
    PRESENTATION = 2

    @property
    def codec(self) -> Codec:
        """What the stream carries."""
        return Codec.OPUS if self is StreamContext.MICROPHONE else Codec.H264

    @property
    def payload_type(self) -> int:
        """RTP payload type of the stream."""
        return PAYLOAD_TYPES[self.codec]


PAYLOAD_TYPES = {Codec.OPUS: 111, Codec.H264: 96}
"""Dynamic RTP payload types (RFC 3551 §6), fixed because nothing negotiates them."""


def stream_name(leaf_index: int, context: StreamContext) -> str:
    """How sinks know a participant's stream: leaf and context, from the authenticated KID."""
    return f"{leaf_index}/{context.value}"


def metadata_of(timestamp: int) -> bytes:
    """What SFrame authenticates beside the frame: the RTP timestamp, 4 bytes, big endian.

    The timestamp decides when a frame is shown and how voice and picture go together, so the
    service must not be able to change it unseen; and our relay has no reason to: it mixes and
    switches nothing. The other RTP fields are left out. SSRC, sequence number and marker are the
    service's to choose (it may rewrite them, RFC 9605 §6.1.1) and decide nothing: origin, order
    and codec come from KID and CTR, which SFrame authenticates anyway.
    """
    return (timestamp & 0xFFFF_FFFF).to_bytes(4, "big")


def timestamp_of(metadata: bytes) -> int:
    """The RTP timestamp in authenticated metadata."""
    return int.from_bytes(metadata, "big")
