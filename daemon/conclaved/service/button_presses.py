"""What the buttons beside the panel do: the same as presses on the glass, and only what stands there.

Whoever presses one is in the room: buttons unmute as the panel does. A room without a panel has nobody who
reads: there a button means what is true now.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from conclave_hal.buttons import Button, Buttons
from conclave_hal.errors import HalError
from conclave_hal.none import NoPanel
from conclave_hal.panel import ActionKind, Panel, PanelAction, PanelView
from conclave_hal.panel_press import meant

log = logging.getLogger(__name__)

NAVIGATION = frozenset({Button.UP, Button.DOWN, Button.SELECT, Button.BACK})


@dataclass(frozen=True, slots=True)
class Muted:
    """What software mutes now."""

    camera: bool
    microphone: bool


async def listen(
    buttons: Buttons,
    panel: Panel,
    act: Callable[[PanelAction], None],
    muted: Callable[[], Muted],
    present: Callable[[], PanelView],
) -> None:
    """Turn presses into actions until the buttons are closed.

    `present` is the view as it would be drawn now.
    """
    async for button in buttons.presses():
        if button in NAVIGATION:
            try:
                await panel.navigate(button)
            except HalError as error:
                log.warning("the panel does not follow the buttons: %s", error)
            continue
        view = present() if isinstance(panel, NoPanel) else panel.drawn()
        action = meaning(button, view, panel.selected(), muted())
        if action is not None:
            act(action)


def meaning(button: Button, view: PanelView | None, selected: str, muted: Muted) -> PanelAction | None:
    """The action, or None where nothing that the button could mean stands on the glass.

    `selected` is an invitation's id, or empty: then JOIN is for the next one. Whether a button mutes or
    unmutes is what people read when they pressed it: a mute from outside that comes in that moment must not
    make a press unmute. `muted` is for where there is nothing to read.
    """
    seen = muted if view is None else Muted(view.camera_muted, view.microphone_muted)
    match button:
        case Button.MICROPHONE:
            kind = ActionKind.UNMUTE_MICROPHONE if seen.microphone else ActionKind.MUTE_MICROPHONE
            return PanelAction(kind)
        case Button.CAMERA:
            return PanelAction(ActionKind.UNMUTE_CAMERA if seen.camera else ActionKind.MUTE_CAMERA)
        case Button.LEAVE:
            return PanelAction(ActionKind.LEAVE)
        case Button.SPEAK:
            return meant(view, PanelAction(ActionKind.SPEAK_CODE))
        case Button.JOIN if view is not None and view.incoming is not None:
            return meant(view, PanelAction(ActionKind.ACCEPT_JOIN))
        case Button.JOIN if view is not None and view.invitations:
            chosen = selected or view.invitations[0].invitation_id
            return meant(view, PanelAction(ActionKind.JOIN, invitation_id=chosen))
        case _:
            return None
