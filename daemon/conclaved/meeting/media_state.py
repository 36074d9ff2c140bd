"""Whether a member's camera and microphone are live, as the member itself says inside the group.

It is told in signed MLS application messages, so the service neither reads nor forges it; it is of a
beacon's size whatever it says. *When* one is sent may tell that something changed, no more than the media
that begins or stops at that moment.

A statement is believed while it is fresh. The service may keep back the one that says "live": then nobody
is shown as muted for longer than `stale_after_s`, but as unknown, which nobody takes for safe. It may also
have kept those that said "muted", and deliver them one by one: so a statement says, as a beacon does, how
long its sender's session has lasted, and is as old as it comes later than that session's fastest message. For
the same reason an older one never takes the place of a newer one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from conclaved.meeting.alive import DRIFT, SESSION_BYTES
from conclaved.meeting.errors import RemoteError
from conclaved.mls.codec import Reader, decode_whole, uint8
from conclaved.mls.errors import DecodeError

ELAPSED_BYTES = 6
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
    """8 random bytes: the clock starts anew with each session of the sender's. The same as in its beacons."""
    elapsed_ms: int
    """How long the sender's session has lasted; 48 bits."""
    state: MediaState

    def encode(self) -> bytes:
        """17 bytes, as a beacon has: kind, session, elapsed, microphone, camera."""
        codes = bytes((_MICROPHONES.index(self.state.microphone), _CAMERAS.index(self.state.camera)))
        return uint8(KIND) + self.session + self.elapsed_ms.to_bytes(ELAPSED_BYTES) + codes

    @classmethod
    def decode(cls, data: bytes) -> "Statement | None":
        """Parse an application message; None if it is of another kind.

        Raises RemoteError for one of this kind that no device of this version sends.
        """
        if not data or data[0] != KIND:
            return None

        def read(reader: Reader) -> "Statement":
            reader.uint8()
            session, elapsed_ms = reader.fixed(SESSION_BYTES), int.from_bytes(reader.fixed(ELAPSED_BYTES))
            microphone, camera = reader.fixed(2)
            if microphone >= len(_MICROPHONES) or camera >= len(_CAMERAS):
                raise DecodeError("no such state")
            return cls(session, elapsed_ms, MediaState(_MICROPHONES[microphone], _CAMERAS[camera]))

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


@dataclass(slots=True)
class _Clock:
    """A sender's clock, as its messages show it."""

    session: bytes
    least: float
    """The least difference of our clock to its elapsed time: the way that messages take at best."""
    least_at: float

    def hear(self, session: bytes, elapsed_s: float, now: float) -> float:
        """When a message that says this was sent at best, by our clock."""
        difference = now - elapsed_s
        if session != self.session:
            self.session, self.least = session, difference
        else:
            self.least = min(difference, self.least + (now - self.least_at) * DRIFT)
        self.least_at = now
        return elapsed_s + self.least


@dataclass(frozen=True, slots=True)
class _Heard:
    """The newest statement of a member."""

    statement: Statement
    at: float
    """When it was made, at best."""


class ToldStates:
    """What the members of the present group have said, by leaf. Times are monotonic seconds, handed in."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `states` is another."""
        self._changed = changed
        self._heard: dict[int, _Heard] = {}
        self._clocks: dict[int, _Clock] = {}
        self.states: Mapping[int, MediaState] = {}
        """Of those whose word is fresh; everybody else's is not known."""
        self.has_newcomers = False
        """Whether somebody came in who has heard nothing yet. Whoever tells them sets it back."""

    def __repr__(self) -> str:
        return f"ToldStates({len(self._heard)})"

    def alive(self, leaf: int, session: bytes, elapsed_ms: int, now: float) -> float:
        """A beacon, or a statement, was opened and its signature held. Returns when it was sent, at best."""
        clock = self._clocks.setdefault(leaf, _Clock(session, now - elapsed_ms / 1000, now))
        return clock.hear(session, elapsed_ms / 1000, now)

    def heard(self, leaf: int, statement: Statement, now: float, *, is_present_epoch: bool) -> None:
        """A statement was opened and its signature held.

        One of an epoch before counts only where it goes on in the session that is known: whose another
        session it is, only the present epoch tells.
        """
        before = self._heard.get(leaf)
        is_same = before is not None and before.statement.session == statement.session
        if not is_same and not is_present_epoch:
            return
        if before is not None and is_same and statement.elapsed_ms <= before.statement.elapsed_ms:
            return
        at = self.alive(leaf, statement.session, statement.elapsed_ms, now)
        self._heard[leaf] = _Heard(statement, at)
        self._show()

    def entered(self, leaves: frozenset[int], came: frozenset[int], *, is_first: bool) -> None:
        """A new epoch: `leaves` are in, at those of `came` sits somebody else than before.

        `is_first` where this device itself has just come in.
        """
        self._heard = {
            leaf: heard for leaf, heard in self._heard.items() if leaf in leaves and leaf not in came
        }
        self._clocks = {leaf: clock for leaf, clock in self._clocks.items() if leaf in leaves - came}
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
        self._heard, self._clocks = {}, {}
        self.states = {}
        self.has_newcomers = False

    def _show(self) -> None:
        states = {leaf: heard.statement.state for leaf, heard in self._heard.items()}
        if states != self.states:
            self.states = states
            self._changed()
