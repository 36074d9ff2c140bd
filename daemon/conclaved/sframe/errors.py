"""Errors of SFrame.

One root and three kinds: *local* (our caller broke a rule), *remote* (what arrived is not a
frame of a member) and *gone* (the key was erased). Nothing here waits, so nothing times out.
No message carries a key or media.
"""

from enum import Enum


class Refusal(Enum):
    """Why an SFrame ciphertext was not opened."""

    MALFORMED = "malformed"
    """No SFrame header, a header that is not minimal, or shorter than a tag."""
    UNKNOWN_EPOCH = "unknown_epoch"
    """No key of that epoch, and too many frames of unknown epochs wait already."""
    EPOCH_GONE = "epoch_gone"
    """The key of that epoch was erased."""
    UNKNOWN_SENDER = "unknown_sender"
    """The KID names a leaf that is no member in that epoch."""
    REMOVED_SENDER = "removed_sender"
    """The KID names a member that a later epoch removed."""
    OWN = "own"
    """Our own stream came back: its key is for sending only."""
    UNKNOWN_STREAM = "unknown_stream"
    """A context value that no stream has."""
    STREAM_MOVED = "stream_moved"
    """The sender uses a newer epoch for this stream, and the time for stragglers is over."""
    REPLAYED = "replayed"
    """That counter was seen, or is older than the replay window."""
    FORGED = "forged"
    """The tag does not match."""


class SframeError(Exception):
    """Root of all SFrame errors."""


class SframeUsageError(SframeError):
    """Our caller broke a rule (local)."""


class CounterExhaustedError(SframeUsageError):
    """A key has encrypted as much as it may; a new epoch is needed (local)."""


class SframeRemoteError(SframeError):
    """What arrived was refused (remote); `refusal` says which rule it broke."""

    refusal = Refusal.MALFORMED

    def __init__(self, message: str, refusal: Refusal | None = None) -> None:
        super().__init__(message)
        if refusal is not None:
            self.refusal = refusal


class MalformedError(SframeRemoteError):
    """Not an SFrame ciphertext."""


class AuthenticationError(SframeRemoteError):
    """The tag does not match: forged, damaged, or of another key."""

    refusal = Refusal.FORGED


class ReplayError(SframeRemoteError):
    """The counter was seen before, or is too old to tell."""

    refusal = Refusal.REPLAYED


class UnknownKeyError(SframeRemoteError):
    """There is no key for this KID; `refusal` says why not."""

    def __init__(self, kid: int, refusal: Refusal) -> None:
        super().__init__(f"no key for KID {kid:#x}: {refusal.value}", refusal)
        self.kid = kid


class KeyGoneError(SframeError):
    """The context or keyring was closed and its keys are erased (gone)."""
