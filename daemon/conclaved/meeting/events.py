"""What goes into a session and what comes out: values only, no I/O.

A carrier (`conclaved.conference`) turns the first kind out of what the service says, and does
what the second kind asks. Nothing that the service says is believed: a session checks all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from conclaved.sframe import EpochKeys

# -- from the carrier --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The service was reached."""

    head: int
    """Number of entries in the meeting's log: the next one gets this sequence number."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The service is out of reach; the carrier goes on trying."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log."""

    sequence: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lobby:
    """A sealed lobby message."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Live:
    """An MLS application message: not kept, not ordered."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishResult:
    """Whether a `Publish` came into the log."""

    token: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Leader:
    """Whom the service named to commit first."""

    is_self: bool


CarrierEvent = Connected | Disconnected | Entry | Lobby | Live | PublishResult | Leader

# -- to the carrier ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Append to the log; where `expected` is given, only if the log has exactly that length."""

    token: int
    data: bytes = field(repr=False)
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class SendLobby:
    """Carry to everybody who is at this meeting's address."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendLive:
    """Carry to everybody, without keeping it."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replay:
    """Send the log again from here."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the service whether this client is in the group: it forgets a log that nobody uses."""

    is_member: bool


# -- to the service process --------------------------------------------------------------------


class Lane(Enum):
    """What a job is for. Those of one lane run in order; which lane is next is the service's to say.

    A key store may take 600 ms for a signature: a host that admits twenty at once is to be heard meanwhile,
    and to follow the group.
    """

    GROUP = "group"
    """Others' commits are judged, Welcomes are followed, a group is founded."""
    COMMIT = "commit"
    """This device's own commits are made."""
    VOICE = "voice"
    """What this device says to the group: that it is alive, what it proposes, goodbye."""
    OTHER = "other"
    """The rest: what is said in the lobby, admissions, statements."""
    WORD = "word"
    """What this device says of its mutes and nobody relies on."""


@dataclass(frozen=True, slots=True)
class StartJob:
    """Heavy work: a pure function of immutable state and of secrets that it owns.

    The result goes back through `Session.job_done`, an exception through `Session.job_failed`.
    """

    job_id: int
    run: Callable[[], object] = field(repr=False)
    lane: Lane = Lane.OTHER


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The group has a new epoch: media keys, at once."""

    keys: EpochKeys


@dataclass(frozen=True, slots=True)
class GroupLeft:
    """The group is given up, and another way in is taken: its media keys must go.

    The next `NewEpoch` may be of another group, whose epochs count from the beginning.
    """


@dataclass(frozen=True, slots=True)
class Changed:
    """`Session.view()` is new."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; every key is gone."""

    reason: str
    is_error: bool = False
    hint: str = ""
    is_own_rule: bool = False
    """Whether the device left by its own rules."""


@dataclass(frozen=True, slots=True)
class BadInput:
    """Something that came in broke a rule; nothing has changed. To be logged once and counted."""

    error: Exception


Effect = (
    Publish
    | SendLobby
    | SendLive
    | Replay
    | Announce
    | StartJob
    | NewEpoch
    | GroupLeft
    | Changed
    | BadInput
    | Ended
)
