"""A room controller on a wire (Crestron and its like): it asks, the room answers and tells.

A controller is *outside* of the room's trust: it may mute and never unmute, ask for a join that people
can refuse, leave, and turn the camera. It never learns the security code.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from conclave_hal.device import Device, DeviceState, Health


class ControlKind(Enum):
    """What a controller may ask for."""

    JOIN = "join"
    """`argument`: an invitation's link."""
    LEAVE = "leave"
    MUTE_MICROPHONE = "mute_microphone"
    MUTE_CAMERA = "mute_camera"
    CAMERA_PRESET = "camera_preset"
    """`argument`: a number."""
    CAMERA_HOME = "camera_home"
    DISPLAY_POWER = "display_power"
    """`argument`: `on` or `standby`."""


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One thing that a controller asks for; it is answered by `answer` with the same id."""

    request_id: int
    kind: ControlKind
    argument: str = field(default="", repr=False)
    """Not in `repr`: a link is a secret."""


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What became of a request."""

    request_id: int
    is_done: bool
    reason: str = ""
    """Why not, in one line; empty if it was done."""


@dataclass(frozen=True, slots=True)
class CodecControlState(DeviceState):
    """State of a control port."""

    is_logged_in: bool = False
    refused_logins: int = 0
    """Since the port was opened."""


class CodecControl(Device[CodecControlState]):
    """A control port. One role a port, one controller a port, login first by default."""

    def _unknown(self) -> CodecControlState:
        return CodecControlState()

    def _lost(self, reason: str) -> CodecControlState:
        return CodecControlState(Health.FAILED, reason, refused_logins=self._state.refused_logins)

    @abstractmethod
    def requests(self) -> AsyncIterator[ControlRequest]:
        """What the controller asks for, in order, until `close`. At most 32 wait; more are refused."""

    @abstractmethod
    async def answer(self, answer: ControlAnswer) -> None:
        """Tell the controller what became of its request. One that has hung up hears nothing."""

    @abstractmethod
    async def tell(self, status: Mapping[str, str]) -> None:
        """The room's state, `path -> value`: kept for queries, and changes told as feedback.

        The text of feedback and of a query's answer is the same.
        """
