"""Whether a member's camera and microphone are live, as the member itself says inside the group.

It is told in signed MLS application messages, so the service neither reads nor forges it; it is of a
beacon's size whatever it says. *When* one is sent may tell that something changed, no more than the media
that begins or stops at that moment.

A statement is believed while it is fresh. The service may keep back the one that says "live": then nobody
is shown as muted for longer than `stale_after_s`, but as unknown, which nobody takes for safe. It may also
deliver late: a session numbers its statements, and an older one never takes the place of a newer one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from conclaved.meeting.alive import SESSION_BYTES
from conclaved.meeting.errors import RemoteError
from conclaved.mls.codec import Reader, decode_whole, uint8, uint32
from conclaved.mls.errors import DecodeError

KIND = 2
"""The first byte; a beacon's is 1."""
REPEAT_S = 10.0
PACE_S = 0.1
"""All members together say theirs once in so many seconds, at most, when nothing changes."""
MISSED = 3
"""So many repetitions may be lost on their way."""


class MicrophoneState(Enum):
    """What leaves of a microphone."""

    UNKNOWN = "unknown"
    LIVE = "live"
    MUTED = "muted"
    """By either mute."""


class CameraState(Enum):
    """What leaves of a camera."""

    UNKNOWN = "unknown"
    LIVE = "live"
    MUTED = "muted"
    CLOSED = "closed"
    """Its shutter is closed, whatever software says."""


_MICROPHONES = (MicrophoneState.UNKNOWN, MicrophoneState.LIVE, MicrophoneState.MUTED)
_CAMERAS = (CameraState.UNKNOWN, CameraState.LIVE, CameraState.MUTED, CameraState.CLOSED)
"""By their numbers in a message."""


@dataclass(frozen=True, slots=True)
class MediaState:
    """Camera and microphone of one member."""

    microphone: MicrophoneState = MicrophoneState.UNKNOWN
    camera: CameraState = CameraState.UNKNOWN


NOTHING_KNOWN = MediaState()


@dataclass(frozen=True, slots=True)
class Statement:
    """The content of an application message that tells a media state."""

    session: bytes
    """8 random bytes: the numbers begin anew with each session of the sender's."""
    number: int
    """Grows with each statement of a session; uint32."""
    state: MediaState

    def encode(self) -> bytes:
        """17 bytes, as a beacon has: kind, session, number, microphone, camera, two of zero."""
        codes = bytes((_MICROPHONES.index(self.state.microphone), _CAMERAS.index(self.state.camera), 0, 0))
        return uint8(KIND) + self.session + uint32(self.number) + codes

    @classmethod
    def decode(cls, data: bytes) -> "Statement | None":
        """Parse an application message; None if it is of another kind.

        Raises RemoteError for one of this kind that no device of this version sends.
        """
        if not data or data[0] != KIND:
            return None

        def read(reader: Reader) -> "Statement":
            reader.uint8()
            session, number = reader.fixed(SESSION_BYTES), reader.uint32()
            microphone, camera, *zero = reader.fixed(4)
            if microphone >= len(_MICROPHONES) or camera >= len(_CAMERAS) or any(zero):
                raise DecodeError("no such state")
            return cls(session, number, MediaState(_MICROPHONES[microphone], _CAMERAS[camera]))

        try:
            return decode_whole(data, read)
        except DecodeError as error:
            raise RemoteError("a malformed word about camera and microphone", rule="DESIGN §4 HAL") from error


def repeat_every_s(members: int) -> float:
    """How long a member waits before it says again what has not changed."""
    return max(REPEAT_S, members * PACE_S)


def stale_after_s(members: int) -> float:
    """After how long what a member said is not believed any more."""
    return MISSED * repeat_every_s(members) + members * PACE_S


@dataclass(frozen=True, slots=True)
class _Heard:
    """The newest statement of a member."""

    statement: Statement
    at: float


class ToldStates:
    """What the members of the present group have said, by leaf. Times are monotonic seconds, handed in."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `states` is another."""
        self._changed = changed
        self._heard: dict[int, _Heard] = {}
        self.states: Mapping[int, MediaState] = {}
        """Of those whose word is fresh; everybody else's is not known."""
        self.has_newcomers = False
        """Whether somebody came in who has heard nothing yet. Whoever tells them sets it back."""

    def __repr__(self) -> str:
        return f"ToldStates({len(self._heard)})"

    def heard(self, leaf: int, statement: Statement, now: float, *, is_present_epoch: bool) -> None:
        """A statement was opened and its signature held.

        One of an epoch before counts only where it goes on in the session that is known: whose another
        session it is, only the present epoch tells.
        """
        before = self._heard.get(leaf)
        is_same = before is not None and before.statement.session == statement.session
        if not is_same and not is_present_epoch:
            return
        if before is not None and is_same and statement.number <= before.statement.number:
            return
        self._heard[leaf] = _Heard(statement, now)
        self._show()

    def entered(self, leaves: frozenset[int], came: frozenset[int], *, is_first: bool) -> None:
        """A new epoch: `leaves` are in, at those of `came` sits somebody else than before.

        `is_first` where this device itself has just come in.
        """
        self._heard = {
            leaf: heard for leaf, heard in self._heard.items() if leaf in leaves and leaf not in came
        }
        self.has_newcomers |= is_first or bool(came)
        self._show()

    def expire(self, now: float, members: int) -> None:
        """Believe no longer what was said too long ago."""
        if not self._heard:
            return
        oldest = now - stale_after_s(members)
        fresh = {leaf: heard for leaf, heard in self._heard.items() if heard.at >= oldest}
        if len(fresh) != len(self._heard):
            self._heard = fresh
            self._show()

    def close(self) -> None:
        """The group is given up."""
        self._heard = {}
        self.states = {}
        self.has_newcomers = False

    def _show(self) -> None:
        states = {leaf: heard.statement.state for leaf, heard in self._heard.items()}
        if states != self.states:
            self.states = states
            self._changed()
