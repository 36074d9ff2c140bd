"""The meeting's log as a member reads it: every entry once, in order, whatever the service does.

A service that has lost a log begins another one, and the others may have filled that as far as ours
before we are back: the numbers alone do not tell the two apart. So the newest entry behind us is
remembered by its hash, and asked for again after each new connection, and whenever something is wrong
that another log would explain.
"""

import hashlib

from conclaved.meeting.limits import DEFAULT_LIMITS, Bucket, Limits

MAX_WAITING_ENTRIES = 4096
MAX_KNOWN = 1024
FIRST_LOOK = 32
"""How many entries a deep doubt looks back at first. Each further one goes back twice as far, and waits twice
as long: what makes a member doubt can be a stranger's doing, and a replay is work for the service."""
LOOK_AGAIN_S = 5.0
STARTS_ANEW_S = 60.0
"""So long after a deep doubt was last due, the next one begins with the first look."""
MAX_WAITING_BYTES = 16 * 1024 * 1024
ASK_AGAIN_S = 1.0
ASK_FOR_MORE_S = 5.0
"""How often to ask for what comes next though nothing is seen to be missing: the last entry may have
been lost, and nothing that comes after it shows that."""
GONE_S = 15.0
"""How long the newest entry is asked for, again and again, before it is taken to be there no more."""
GIVE_UP_S = 10.0
"""How long entries wait for one that is missing. They are dropped then, and come again if they are real:
a replay begins with the missing one."""
DOUBT_S = 3.0
"""How long the gap counts after that: if it is still there, it shows again by then."""

PAUSE_S = 0.1
"""How long reading waits when the limits of its pace are reached."""


class Log:
    """Entries come in any order, repeated or not; `take` hands each out once, in sequence."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._pace = Bucket(limits.entries_per_s)
        self.paced_until: float | None = None
        """When to read on, after more than the limits let through; None where nothing waits for that."""
        self._waiting: dict[int, bytes] = {}
        self._waiting_bytes = 0
        self.next_sequence = 0
        self.gap_since: float | None = None
        """Since when (monotonic seconds) an entry is missing before one that has come."""
        self._gave_up_at: float | None = None
        self._asked: float | None = None
        self._known: dict[int, bytes] = {}
        """SHA-256 of the last entries by sequence number; of the one before the next too once it was seen."""
        self._in_question: int | None = None
        """Which entry was the newest when the log came into doubt, until it is seen again."""
        self._from = 0
        """The first entry that is in doubt too."""
        self._doubted_at = 0.0
        self._look = FIRST_LOOK
        self._deep_at = 0.0
        """When the next deep doubt is due."""

    def __repr__(self) -> str:
        return f"Log(next={self.next_sequence}, {len(self._waiting)} waiting)"

    @property
    def is_drained(self) -> bool:
        """Whether every entry that has come was taken."""
        return not self._waiting

    def start(self, sequence: int) -> None:
        """Read from here; what waits from before is forgotten."""
        self.next_sequence = sequence
        self._known.clear()
        self._in_question = None
        self._forget()
        self.gap_since = self._gave_up_at = None

    def skip_to(self, sequence: int) -> None:
        """Entries before `sequence` are behind us; what has come of later ones is to be asked for again.

        The service may have lost entries and given their numbers to others since: whoever went by the
        lost ones would be past those that count.
        """
        self.next_sequence = sequence
        before = self._waiting.get(sequence - 1)
        self._known.clear()
        self._in_question = None
        if before is not None:
            self._keep(sequence - 1, before)
        self._forget()
        self.gap_since = self._gave_up_at = None

    @property
    def ask_from(self) -> int:
        """From where to ask for a replay, so that it also tells what is in doubt or not known yet."""
        if self._in_question is not None:
            return self._from
        return self.next_sequence if self._has_newest else max(0, self.next_sequence - 1)

    @property
    def _has_newest(self) -> bool:
        return self.next_sequence - 1 in self._known

    def reconnected(self, now: float) -> None:
        """There is a new connection: the log may be another one now, until the newest entry is seen again."""
        self.doubt(now)
        self._doubted_at = now

    def doubt(self, now: float, *, is_deep: bool = False) -> None:
        """The log may be another one than ours, or shorter, until the newest entry is seen again.

        Of two logs that were one for a while, and are again, the newest entry is the same: a deep doubt
        looks at those before it too. Who came in by a Welcome may never have seen the newest: that there is
        one is in question then.
        """
        if self._in_question is not None or not self.next_sequence:
            return
        self._from = self._in_question = self.next_sequence - 1
        self._doubted_at = now
        if is_deep and now >= self._deep_at:
            if now - self._deep_at > STARTS_ANEW_S:
                self._look = FIRST_LOOK
            oldest = min(self._known, default=self._in_question)
            self._from = max(oldest, self.next_sequence - self._look)
            self._deep_at = now + LOOK_AGAIN_S * self._look / FIRST_LOOK
            self._look = min(2 * self._look, MAX_KNOWN)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the newest entry has to be seen again first."""
        return self._in_question is not None

    def is_gone(self, now: float) -> bool:
        """Whether the newest entry was asked for in vain for so long that the service has it no more."""
        return self._in_question is not None and now - self._doubted_at >= GONE_S

    def is_another(self, sequence: int, data: bytes) -> bool:
        """Whether an entry shows that the service has another log now than before it came into doubt."""
        if sequence == self.next_sequence - 1 and not self._has_newest:
            self._keep(sequence, data)
        if self._in_question is None or not self._from <= sequence <= self._in_question:
            return False
        if sequence == self._in_question:
            self._in_question = None
        return sequence in self._known and self._known[sequence] != _digest(data)

    def _keep(self, sequence: int, data: bytes) -> None:
        self._known[sequence] = _digest(data)
        while len(self._known) > MAX_KNOWN and next(iter(self._known)) != self._in_question:
            del self._known[next(iter(self._known))]

    def has(self, sequence: int) -> bool:
        """Whether an entry has come already."""
        return sequence < self.next_sequence or sequence in self._waiting

    def is_no_news(self, sequence: int) -> bool:
        """Whether an entry of that number, come once more, can tell nothing."""
        is_to_learn = sequence == self.next_sequence - 1 and not self._has_newest
        return self.has(sequence) and not self.is_in_doubt and not is_to_learn

    def arrive(self, sequence: int, data: bytes, now: float) -> bool:
        """Take an entry in. True when an earlier one is missing and should be asked for again.

        What was there first for a sequence number stays: a service that says another thing later
        does not get a second try. What is too far ahead is left for a later replay.
        """
        if not self.next_sequence <= sequence < self.next_sequence + MAX_WAITING_ENTRIES:
            return False
        if self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
            return False
        is_first_gap = not self._waiting and sequence > self.next_sequence
        if sequence not in self._waiting:
            self._waiting[sequence] = data
            self._waiting_bytes += len(data)
        if is_first_gap:
            self._asked = now
            if self.gap_since is None:
                self.gap_since = now
        return is_first_gap

    def asks_again(self, now: float) -> bool:
        """Whether to ask once more for the next entry."""
        is_missing = bool(self._waiting) and self.next_sequence not in self._waiting
        if is_missing:
            self._give_up_if_due(now)
        elif self._gave_up_at is None or now - self._gave_up_at >= DOUBT_S:
            self.gap_since = self._gave_up_at = None
        if self._asked is None:
            self._asked = now
        is_urgent = is_missing or self._in_question is not None
        if now - self._asked < (ASK_AGAIN_S if is_urgent else ASK_FOR_MORE_S):
            return False
        self._asked = now
        return True

    def _give_up_if_due(self, now: float) -> None:
        if self.gap_since is None:
            self.gap_since = now
        since = self.gap_since if self._gave_up_at is None else self._gave_up_at
        if now - since >= GIVE_UP_S:
            self._forget()
            self._gave_up_at = now

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def take_paced(self, now: float) -> bytes | None:
        """The next entry if it has come, and as fast as the limits let it: the others wait, none is lost."""
        self.paced_until = None
        if self.next_sequence not in self._waiting:
            return None
        if not self._pace.take(now):
            self.paced_until = now + PAUSE_S
            return None
        return self.take()

    def take_all(self) -> None:
        """Leave behind whatever has come and lacks nothing before it."""
        while self.take() is not None:
            pass

    def take(self) -> bytes | None:
        """The next entry, or None while it has not come."""
        data = self._waiting.pop(self.next_sequence, None)
        if data is not None:
            self._waiting_bytes -= len(data)
            self._keep(self.next_sequence, data)
            self.next_sequence += 1
        return data


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
