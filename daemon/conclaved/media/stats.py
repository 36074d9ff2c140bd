"""What the media path did, as values."""

from dataclasses import dataclass

from conclave_hal.media import StreamReport
from conclaved.media.streams import StreamContext
from conclaved.sframe import KeyringCounts


@dataclass(frozen=True, slots=True)
class SentStats:
    """One of our own streams."""

    frames_sent: int = 0
    frames_withheld: int = 0
    """Frames that the source made and that did not leave: muted, not sending, no epoch, no way."""
    packets_sent: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class StreamStats:
    """One stream of one participant. Authenticated frames only."""

    frames_opened: int = 0
    frames_skipped: int = 0
    """Opened, but useless: between a loss and the next keyframe, or too many at once."""
    frames_failed: int = 0
    """Handed to the sink, and not decodable."""
    frames_played: int = 0
    report: StreamReport | None = None
    """What the sink found in the decoded stream, if it has one."""


@dataclass(frozen=True, slots=True)
class ParticipantStats:
    """All streams of one leaf that were ever authenticated."""

    leaf_index: int
    microphone: StreamStats = StreamStats()
    camera: StreamStats = StreamStats()
    presentation: StreamStats = StreamStats()


@dataclass(frozen=True, slots=True)
class ReceivedStats:
    """What arrived, before anybody's key was tried end to end."""

    packets_received: int = 0
    packets_refused: int = 0
    """Forged or malformed: not from the relay."""
    packets_replayed: int = 0
    packets_lost: int = 0
    """Sequence numbers that never came in time."""
    units_assembled: int = 0
    """SFrame ciphertexts put together."""
    units_dropped: int = 0
    """SFrame ciphertexts of which something was lost."""
    keyframes_requested: int = 0
    """Picture loss indications sent."""
    keyframes_wanted: int = 0
    """Picture loss indications received."""


@dataclass(frozen=True, slots=True)
class MediaStats:
    """A snapshot of the whole engine."""

    is_running: bool
    is_sending: bool
    epoch: int | None
    microphone: SentStats
    camera: SentStats
    received: ReceivedStats
    keyring: KeyringCounts
    """Frames opened, held, expired, and refused by reason."""
    participants: tuple[ParticipantStats, ...]
    """By leaf index."""
    faults: tuple[str, ...] = ()
    """What does not work now, a line each."""

    def participant(self, leaf_index: int) -> ParticipantStats:
        """One participant's figures; all zero for one who was never heard."""
        for entry in self.participants:
            if entry.leaf_index == leaf_index:
                return entry
        return ParticipantStats(leaf_index)


STREAM_FIELDS = {
    StreamContext.MICROPHONE: "microphone",
    StreamContext.CAMERA: "camera",
    StreamContext.PRESENTATION: "presentation",
}
"""Which field of ParticipantStats a context fills."""
