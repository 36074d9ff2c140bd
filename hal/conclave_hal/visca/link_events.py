"""What goes into a link and what comes out of it."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from conclave_hal.visca.packet import Packet
from conclave_hal.visca.replies import ErrorCode


class Kind(Enum):
    """What a packet in flight is, which says what may answer it."""

    ADDRESS = "Address Set"
    RESET = "sequence reset"
    """Address Set's place in a network: no address there, but numbers to begin anew."""
    CLEAR = "IF_Clear"
    COMMAND = "command"
    INQUIRY = "inquiry"
    CANCEL = "Cancel"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A packet to be sent now."""

    kind: Kind
    packet: Packet | None
    """None for RESET, which has no packet."""
    number: int
    """Counts what is sent: the sequence number in a network. 0 for RESET."""


class Outcome(Enum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    """Nobody knows whether it was done."""
    INTERRUPTED = "interrupted"
    """The link was cleared while it executed, or died."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A request has ended; said once for each."""

    request: int
    """What `submit` returned."""
    outcome: Outcome
    data: bytes = b""
    """What an inquiry that was DONE brought."""
    code: ErrorCode | None = None
    """Why it was REFUSED."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The link works: at the start, and again after each clearing."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A camera came or went: what was set in the camera may be lost."""


@dataclass(frozen=True, slots=True)
class Died:
    """The camera does not answer, or is not on this wire. The link is of no more use."""

    reason: str
    is_silence: bool
    """Nobody answered at all."""


Event: TypeAlias = Ended | Ready | Changed | Died
