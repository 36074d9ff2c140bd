"""RTP (RFC 3550), RTCP feedback (RFC 4585), SRTP (RFC 3711) and the SFrame payload format.

Sans-IO: packets in, packets out. `MediaOffer` is what the conference service hands to a client.
"""

from conclaved.rtp.errors import (
    MalformedPacketError,
    RtpError,
    RtpRemoteError,
    RtpUsageError,
    SrtpAuthenticationError,
    SrtpGoneError,
    SrtpReplayError,
)
from conclaved.rtp.offer import MediaOffer

__all__ = [
    "MalformedPacketError",
    "MediaOffer",
    "RtpError",
    "RtpRemoteError",
    "RtpUsageError",
    "SrtpAuthenticationError",
    "SrtpGoneError",
    "SrtpReplayError",
]
