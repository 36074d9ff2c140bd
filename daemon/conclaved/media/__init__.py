"""The media path: frames -> SFrame -> RTP -> SRTP -> relay, and back.

`MediaEngine` is the whole of it. Hardware comes from `conclave_hal`, keys from the meeting by
`EpochKeys`, the way to the relay from the conference service by a `MediaOffer`.
"""

from conclaved.media.engine import MediaEngine
from conclaved.media.errors import MediaError, MediaUnavailableError, MediaUsageError
from conclaved.media.stats import (
    MediaStats,
    ParticipantStats,
    ReceivedStats,
    SentStats,
    StreamStats,
)
from conclaved.media.streams import StreamContext

__all__ = [
    "MediaEngine",
    "MediaError",
    "MediaStats",
    "MediaUnavailableError",
    "MediaUsageError",
    "ParticipantStats",
    "ReceivedStats",
    "SentStats",
    "StreamContext",
    "StreamStats",
]
