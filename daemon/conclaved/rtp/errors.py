"""Errors of RTP, RTCP and SRTP: *local*, *remote* and *gone*. Nothing here waits.

No message carries a key or a payload.
"""


class RtpError(Exception):
    """Root of all RTP errors."""


class RtpUsageError(RtpError):
    """Our caller broke a rule (local)."""


class RtpRemoteError(RtpError):
    """What arrived broke a rule (remote)."""


class MalformedPacketError(RtpRemoteError):
    """Not an RTP or RTCP packet, or not one that the profile allows."""


class SrtpAuthenticationError(RtpRemoteError):
    """The packet's tag does not match: forged, damaged, or of another key."""


class SrtpReplayError(RtpRemoteError):
    """The packet was seen before, or is too old to tell."""


class SrtpGoneError(RtpError):
    """The session was closed and its keys are dropped (gone)."""
