"""Where a session is, for all of its parts to see."""

from conclaved.meeting.outbox import Outbox
from conclaved.meeting.view import State


class Course:
    """The present state; each change of it is a change of the view."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self.state = State.CONNECTING

    def __repr__(self) -> str:
        return f"Course({self.state.value})"

    def set(self, state: State) -> None:
        """Go on to another state: which ones follow which, `session` says."""
        self.state = state
        self._out.changed()
