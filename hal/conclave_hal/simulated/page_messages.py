"""What the panel's page and its server say to each other: JSON objects over one WebSocket.

server -> page   {"type": "navigate", "button": "down"}
                 {"type": "view", "sequence": 7, "view": {...} | null, "phone": {...} | null,
                  "switches": {...}, "buttons": [...],
                  "lamps": {...} | null}
page -> server   {"type": "drawn", "sequence": 7}       that view is on the glass
                 {"type": "hidden"}                     nobody sees this page now
                 {"type": "press", "kind": "admit", "request_id": "..."}
                 {"type": "press", "kind": "kick", "leaf": 3}
                 {"type": "press", "kind": "join", "invitation_id": "..."}
                 {"type": "selected", "invitation_id": "..."}    it has the focus; empty: none has
                 {"type": "button", "button": "microphone"}
                 {"type": "switch", "switch": "shutter", "position": "blocking"}
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from conclave_hal.buttons import Button
from conclave_hal.errors import DeviceError
from conclave_hal.panel import (
    CONCERNS_A_MEMBER,
    CONCERNS_A_REQUEST,
    CONCERNS_AN_INVITATION,
    ActionKind,
    PanelAction,
)
from conclave_hal.switches import SwitchPosition

E = TypeVar("E", bound=Enum)

MAX_MESSAGE_BYTES = 4096
SWITCHES = ("shutter", "mute_switch", "tamper")
"""Names of what hands move around the panel; those of `PanelView`."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The page has painted the view of this sequence number."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """The page is in the background or minimised: it is no glass."""


@dataclass(frozen=True, slots=True)
class SwitchMoved:
    """A hand moved one of the switches around the panel."""

    switch: str
    position: SwitchPosition


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """A hand pressed one of the buttons around the panel."""

    button: Button


@dataclass(frozen=True, slots=True)
class Selected:
    """An invitation has the focus, or none has."""

    invitation_id: str


PageMessage = Drawn | Hidden | SwitchMoved | ButtonPressed | Selected | PanelAction


def parse_message(data: str | bytes) -> PageMessage:
    """Read one message of the page. Raises DeviceError if it is none of those above."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DeviceError("the page sent something that is not JSON") from error
    match message:
        case {"type": "drawn", "sequence": int(sequence)}:
            return Drawn(sequence)
        case {"type": "hidden"}:
            return Hidden()
        case {"type": "switch", "switch": str(switch), "position": str(position)} if switch in SWITCHES:
            return SwitchMoved(switch, _member(SwitchPosition, position))
        case {"type": "selected", "invitation_id": str(invitation_id)}:
            return Selected(invitation_id)
        case {"type": "button", "button": str(button)}:
            return ButtonPressed(_member(Button, button))
        case {"type": "press", "kind": str(kind), "invitation_id": str(invitation_id)}:
            action = PanelAction(_member(ActionKind, kind), invitation_id=invitation_id)
        case {"type": "press", "kind": str(kind), "request_id": str(request_id)}:
            action = PanelAction(_member(ActionKind, kind), request_id)
        case {"type": "press", "kind": str(kind), "leaf": int(leaf)} if not isinstance(leaf, bool):
            action = PanelAction(_member(ActionKind, kind), leaf=leaf)
        case {"type": "press", "kind": str(kind)}:
            action = PanelAction(_member(ActionKind, kind))
        case _:
            raise DeviceError("the page sent a message of no known shape")
    if (action.kind in CONCERNS_A_REQUEST) != bool(action.request_id):
        raise DeviceError("the page sent a press that concerns no request, or one that it cannot concern")
    if (action.kind in CONCERNS_A_MEMBER) != (action.leaf >= 0):
        raise DeviceError("the page sent a press that concerns no member, or one that it cannot concern")
    if (action.kind in CONCERNS_AN_INVITATION) != bool(action.invitation_id):
        raise DeviceError("the page sent a press that concerns no invitation, or one that it cannot concern")
    return action


def _member(enum: type[E], value: str) -> E:
    try:
        return enum(value)
    except ValueError as error:
        raise DeviceError(f"the page sent an unknown {enum.__name__}") from error
