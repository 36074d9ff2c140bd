"""What a session shows of itself: one immutable value, no key in it."""

from dataclasses import dataclass, field
from enum import Enum

from conclaved.meeting.desk import Waiting
from conclaved.meeting.removing import Removed
from conclaved.meeting.roster import Participant


class State(Enum):
    """Where a session is; the table of its ways is in `session`."""

    CONNECTING = "connecting"
    FOUNDING = "founding"
    ASKING = "asking"
    OFFERING = "offering"
    IN_GROUP = "in_group"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class MeetingView:
    """A snapshot for panel and D-Bus."""

    state: State
    meeting_id: bytes
    title: str
    level: str
    service: str
    epoch: int = 0
    suite: str = ""
    code_epoch: int = 0
    code_time: int = 0
    """When the code epoch came, Unix seconds by this device's clock; 0 without a code."""
    code_reason: str = ""
    security_code: str = field(default="", repr=False)
    """Empty when alone or without a group."""
    participants: tuple[Participant, ...] = ()
    missing: tuple[str, ...] = ()
    """Whom the invitation names and who is not in."""
    lobby: tuple[Waiting, ...] = ()
    removed: tuple[Removed, ...] = ()
    """Who was thrown out and not allowed back, for hosts."""
    is_host: bool = False
    is_leaving: bool = False
    behind: str = ""
    """Why the device takes itself to be behind; empty when it is not."""
    minds: str = ""
    """Which own rule somebody breaks who was in before without breaking it; empty if nobody does."""
    leaving_in_s: int = 0
    """In how many seconds the device leaves for that reason, unless it has passed."""
    is_kept_waiting: bool = False
    """ASKING, and nobody has answered for some seconds: a person has to decide."""
    is_invited: bool = False
    """The invitation names this device: a host that comes lets it in by itself."""
    waits_for: str = ""
    """ASKING or OFFERING, and what for: a host in the group whose way in is open; another host than the one
    that has turned this device away. Empty if it waits for nothing of that kind."""
    news: tuple[str, ...] = ()
    """What has happened in the last minute, the latest last."""
    alarms: tuple[str, ...] = ()
    """What somebody did that no honest one does."""

    @property
    def may_send(self) -> bool:
        """Whether media may leave: in the group, and not behind."""
        return self.state is State.IN_GROUP and not self.behind and not self.is_leaving
