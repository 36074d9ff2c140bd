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
from conclaved.rtp.offer import SRTP_KEY_BYTES, MediaOffer
from conclaved.rtp.packet import RtpPacket, is_rtcp, ssrc_of
from conclaved.rtp.rtcp import PictureLossIndication, ReceiverReport
from conclaved.rtp.sframe_payload import Depacketizer, Packetizer, SframeUnit, Unit
from conclaved.rtp.srtp import Direction, SrtpSession

__all__ = [
    "SRTP_KEY_BYTES",
    "Depacketizer",
    "Direction",
    "MalformedPacketError",
    "MediaOffer",
    "Packetizer",
    "PictureLossIndication",
    "ReceiverReport",
    "RtpError",
    "RtpPacket",
    "RtpRemoteError",
    "RtpUsageError",
    "SframeUnit",
    "SrtpAuthenticationError",
    "SrtpGoneError",
    "SrtpReplayError",
    "SrtpSession",
    "Unit",
    "is_rtcp",
    "ssrc_of",
]
