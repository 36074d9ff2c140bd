"""What somebody did that no honest one does, as people are told of it, and until when.

An alarm that stayed for ever would let one member break the lock for the rest of a meeting. So each ends:
with the next code, which shows to whom it holds what the alarm warned of; with its author, whom a host has
thrown out; or by time. It is news then for a while, and the record keeps it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from conclaved.meeting.audit import Event
from conclaved.meeting.limits import Buckets
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.recorder import Recorder

MAX_ALARMS = 8
ALARM_S = 60.0
"""How long an alarm lasts that nothing else ends."""
CHANGES_A_MINUTE = 3
"""Changes of one member's certificate or key: an honest one has a few in a year. Each changes the code."""


@dataclass(frozen=True, slots=True)
class _Alarm:
    text: str
    by: bytes
    """The signature key of the one who did it."""
    ends_with_code: bool
    until: float


class Alarms:
    """Times are monotonic seconds."""

    def __init__(self, out: Outbox, recorder: Recorder) -> None:
        self._out = out
        self._recorder = recorder
        self._alarms: tuple[_Alarm, ...] = ()
        self._changes: Buckets[bytes] = Buckets(CHANGES_A_MINUTE / 60, CHANGES_A_MINUTE)

    def __repr__(self) -> str:
        return f"Alarms({len(self._alarms)})"

    @property
    def words(self) -> tuple[str, ...]:
        """Those of now, the latest last."""
        return tuple(alarm.text for alarm in self._alarms)

    def second_commit(self, epoch: int, by: bytes, name: str, now: float, *, is_gone: bool) -> None:
        """The log has a second commit for an epoch, verified to be by one with this key and name.

        It may be an honest one's that the log refused, and that the service has put there: its signer is
        named, and not blamed. One who `is_gone` cannot be thrown out for it: that alarm ends by time.
        """
        text = (
            f"a second commit for epoch {epoch} is in the log, signed by {name}: {name}, or the service, "
            "is playing two sides; compare the security code"
        )
        until = now + ALARM_S if is_gone else math.inf
        self._raise(_Alarm(text, by, ends_with_code=True, until=until), epoch)

    def changed_code(self, first: bytes, by: bytes, name: str, epoch: int, now: float) -> bool:
        """A member has changed its certificate or key; True if it does so again and again.

        `first` is the first key of its line, `by` the one that it has now. No rule forbids it, since members
        have no common clock.
        """
        if self._changes.take(first, now):
            return False
        text = f"{name} changes its certificate again and again, and with it the code; a host can remove it"
        self._raise(_Alarm(text, by, ends_with_code=False, until=now + ALARM_S), epoch)
        return True

    def new_code(self) -> None:
        """There is another code: on the other side, if there is one, it is another than here."""
        self._end(alarm for alarm in self._alarms if alarm.ends_with_code)

    def thrown_out(self, line: frozenset[bytes]) -> None:
        """A host has thrown out the one who had these keys."""
        self._end(alarm for alarm in self._alarms if alarm.by in line)

    def expire(self, now: float) -> None:
        """End those whose time is over."""
        self._end(alarm for alarm in self._alarms if now >= alarm.until)

    def _raise(self, alarm: _Alarm, epoch: int) -> None:
        others = tuple(each for each in self._alarms if each.text != alarm.text)
        if len(others) == len(self._alarms):
            self._recorder.note(Event.ALARM, alarm.text, epoch=epoch)
            self._out.changed()
        self._alarms = (*others, alarm)[-MAX_ALARMS:]

    def _end(self, ended: Iterable[_Alarm]) -> None:
        for alarm in tuple(ended):
            self._alarms = tuple(each for each in self._alarms if each is not alarm)
            self._out.tell(f"until now: {alarm.text}")
