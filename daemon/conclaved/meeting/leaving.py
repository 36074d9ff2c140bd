"""How a device goes: goodbye, before it the hand-over of a last host, or the end for all.

Whoever goes needs the others for it: nobody commits its own removal (RFC 9420 §12.2). So there is a
time after which it is gone all the same.
"""

from conclaved.meeting.departures import ENDED
from conclaved.meeting.events import Announce, Ended
from conclaved.meeting.hosting import Hosting
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.voice import Voice

LEAVE_WITHIN_S = 5.0
"""How long a leaver waits until the others have removed it; then it is gone all the same."""
HAND_OVER_WITHIN_S = 3.0
"""How much of that a last host waits for the one whom it has appointed."""
TOLD_WITHIN_S = 1.0
"""How long the end of a meeting waits for those in the lobby to be told of it."""
LEFT = Ended("left the meeting")
_NOT_ENDED = Ended(
    "left the meeting; the others may not have heard that it was ended for all",
    is_error=True,
    hint="tell them, or join again and end it",
)


class Leaving:
    """Used only while this device is in the group; `Session` sees to that."""

    def __init__(self, out: Outbox, member: Membership, voice: Voice, hosting: Hosting) -> None:
        self._out = out
        self._member = member
        self._voice = voice
        self._hosting = hosting
        self._by: float | None = None
        self._hand_over_by: float | None = None
        self._end_by: float | None = None
        """Until when the end waits for the answers to those in the lobby."""
        self.farewell = LEFT
        """What it ends with once this device is out."""

    def __repr__(self) -> str:
        return f"Leaving({self.is_going})"

    @property
    def is_going(self) -> bool:
        """Whether this device is on its way out."""
        return self._by is not None

    @property
    def by(self) -> float | None:
        """When it is over at the latest; None while this device stays."""
        return self._by

    def leave(self, farewell: Ended, now: float, *, hands_over: bool) -> None:
        """Propose our own removal. A last host that `hands_over` does so first, where anybody can take it."""
        if self._by is not None:
            return
        self._go(farewell, now)
        self._out.add(Announce(False))
        if hands_over and self._member.is_last_host() and self._hosting.appointing.appoint_anybody():
            self._hand_over_by = now + HAND_OVER_WITHIN_S
        else:
            self._voice.goodbye()

    def end_for_all(self, now: float) -> None:
        """End the meeting: tell those in the lobby, then propose it to the group, if there is another in it.

        Whoever carries it out, it is over for everybody.
        """
        self._hand_over_by = None
        self._hosting.tell_lobby_of_end()
        self._go(_NOT_ENDED, now)
        self._end_by = now + TOLD_WITHIN_S

    def new_epoch(self) -> None:
        """Proposals die with their epoch: say goodbye anew, if that was said already."""
        is_ending = self._end_by is not None or self._hosting.removing.is_ending
        if self._by is not None and self._hand_over_by is None and not is_ending:
            self._voice.goodbye()

    def is_over(self, now: float) -> bool:
        """Whether the time is up. Goes on with what was waited for: a hand-over, or the lobby's answers."""
        if self._end_by is not None and (now >= self._end_by or not self._hosting.is_answering):
            self._end_by = None
            if self._member.is_alone:
                self.farewell = Ended(ENDED.format(self._member.own_name()))
                return True
            self._hosting.removing.end()
        if self._hand_over_by is not None and (now >= self._hand_over_by or not self._member.is_last_host()):
            self._hand_over_by = None
            self._voice.goodbye()
        return self._by is not None and now >= self._by

    def _go(self, farewell: Ended, now: float) -> None:
        self.farewell = farewell
        self._by = now + LEAVE_WITHIN_S
        self._out.changed()
