"""What people press on the panel about the meeting they are in: done if it still means what it said.

A press comes with who and which code stood on the glass (`PanelAction`). Where the meeting has moved on
since, nothing is done. Where it may not be done, the panel says why for some seconds.
"""

import asyncio
import logging
from collections.abc import Callable

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus.room import MeetingStatus
from conclaved.meeting import MeetingError
from conclaved.service.meeting_runner import MeetingRunner

log = logging.getLogger(__name__)

NOT_DONE_S = 10.0
"""How long the panel says why a press had no effect."""


class Presses:
    """Owned by the event loop that the panel's presses come in on."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `not_done` is another."""
        self._changed = changed
        self.not_done = ""
        """Why the last press had no effect; empty when it had, or some time ago."""

    def press(self, action: PanelAction, runner: MeetingRunner, meeting: MeetingStatus) -> None:
        """Do what was pressed, in the meeting that `runner` runs and `meeting` shows."""
        if not _still_stands(action, meeting):
            log.info("a press came too late: what it was about has changed")
            return
        try:
            _perform(action, runner)
        except MeetingError as error:
            log.warning("the panel asked in vain: %s", error)
            self.say(f"not done: {error}; {error.hint}" if error.hint else f"not done: {error}")

    def say(self, notice: str) -> None:
        """Have the panel say for some seconds why a press had no effect."""
        self.not_done = notice

        def forget() -> None:
            if self.not_done == notice:
                self.not_done = ""
                self._changed()

        asyncio.get_running_loop().call_later(NOT_DONE_S, forget)
        self._changed()


def _still_stands(action: PanelAction, meeting: MeetingStatus) -> bool:
    """Whether who was pressed, and the code that was compared, are still those of the meeting.

    A name is not enough: whoever has none that is verified says what it likes.
    """
    if action.leaf >= 0:
        there = next((p for p in meeting.participants if p.leaf == action.leaf), None)
        if there is None or there.name != action.name or action.key_id not in ("", there.key_id):
            return False
    return action.code_epoch in (0, meeting.code_epoch)


def _perform(action: PanelAction, runner: MeetingRunner) -> None:
    match action.kind:
        case ActionKind.ADMIT:
            runner.admit(action.request_id)
        case ActionKind.DENY:
            runner.deny(action.request_id)
        case ActionKind.KICK:
            runner.kick(action.leaf)
        case ActionKind.ALLOW_BACK:
            runner.allow_back(action.request_id)
        case ActionKind.HAND_OVER:
            runner.hand_over(action.leaf)
        case ActionKind.END_FOR_ALL:
            runner.end_for_all()
        case ActionKind.COMPARED | ActionKind.NOT_COMPARED:
            runner.compare(action.leaf, is_compared=action.kind is ActionKind.COMPARED)
