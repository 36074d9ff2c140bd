"""SFrame (RFC 9605): media frames sealed from end to end, with keys from an MLS group.

Sans-IO: bytes and a `now` in, bytes and values out. `MediaKeyring` is what the media path uses;
the contexts beneath it are the RFC, without policy.
"""

from conclaved.sframe.cipher_suite import CipherSuite
from conclaved.sframe.context import ReceiverContext, SenderContext
from conclaved.sframe.epoch_keys import EpochKeys
from conclaved.sframe.errors import (
    AuthenticationError,
    CounterExhaustedError,
    KeyGoneError,
    MalformedError,
    Refusal,
    ReplayError,
    SframeError,
    SframeRemoteError,
    SframeUsageError,
    UnknownKeyError,
)
from conclaved.sframe.header import Header
from conclaved.sframe.keyring import Held, KeyringCounts, MediaKeyring, Opened
from conclaved.sframe.mls_kid import EXPORTER_LABEL, KidLayout, KidParts

__all__ = [
    "EXPORTER_LABEL",
    "AuthenticationError",
    "CipherSuite",
    "CounterExhaustedError",
    "EpochKeys",
    "Header",
    "Held",
    "KeyGoneError",
    "KeyringCounts",
    "KidLayout",
    "KidParts",
    "MalformedError",
    "MediaKeyring",
    "Opened",
    "ReceiverContext",
    "Refusal",
    "ReplayError",
    "SenderContext",
    "SframeError",
    "SframeRemoteError",
    "SframeUsageError",
    "UnknownKeyError",
]
