"""The meeting's log as a member reads it: every entry once, in order, whatever the service does."""

MAX_WAITING_ENTRIES = 4096
ASK_AGAIN_S = 1.0
ASK_FOR_MORE_S = 5.0
"""How often to ask for what comes next though nothing is seen to be missing: the last entry may have
been lost, and nothing that comes after it shows that."""


class Log:
    """Entries come in any order, repeated or not; `take` hands each out once, in sequence."""

    def __init__(self) -> None:
        self._waiting: dict[int, bytes] = {}
        self.next_sequence = 0
        self.gap_since: float | None = None
        """Since when (monotonic seconds) an entry is missing before one that has come."""
        self._asked: float | None = None

    def __repr__(self) -> str:
        return f"Log(next={self.next_sequence}, {len(self._waiting)} waiting)"

    @property
    def is_drained(self) -> bool:
        """Whether every entry that has come was taken."""
        return not self._waiting

    def start(self, sequence: int) -> None:
        """Read from here; what waits from before is forgotten."""
        self.skip_to(sequence)
        self.next_sequence = sequence

    def skip_to(self, sequence: int) -> None:
        """Entries before `sequence` are behind us; later ones that have come already stay."""
        self.next_sequence = sequence
        self._waiting = {s: data for s, data in self._waiting.items() if s >= sequence}

    def arrive(self, sequence: int, data: bytes, now: float) -> bool:
        """Take an entry in. True when an earlier one is missing and should be asked for again.

        What was there first for a sequence number stays: a service that says another thing later
        does not get a second try. Where too many wait, those furthest ahead go: they can be asked for
        again, and what fills the gap must always find room.
        """
        if sequence < self.next_sequence:
            return False
        if len(self._waiting) >= MAX_WAITING_ENTRIES and sequence not in self._waiting:
            furthest = max(self._waiting)
            if sequence > furthest:
                return False
            del self._waiting[furthest]
        is_first_gap = not self._waiting and sequence > self.next_sequence
        self._waiting.setdefault(sequence, data)
        if is_first_gap:
            self.gap_since = self._asked = now
        return is_first_gap

    def asks_again(self, now: float) -> bool:
        """Whether to ask once more for the next entry."""
        is_missing = bool(self._waiting) and self.next_sequence not in self._waiting
        if not is_missing:
            self.gap_since = None
        elif self.gap_since is None:
            self.gap_since = now
        if self._asked is None:
            self._asked = now
        if now - self._asked < (ASK_AGAIN_S if is_missing else ASK_FOR_MORE_S):
            return False
        self._asked = now
        return True

    def take(self) -> bytes | None:
        """The next entry, or None while it has not come."""
        data = self._waiting.pop(self.next_sequence, None)
        if data is not None:
            self.next_sequence += 1
        return data
