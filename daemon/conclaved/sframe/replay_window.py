"""A sliding window over counters that were seen (in the manner of RFC 3711 §3.3.2).

`check` changes nothing, so that a forged frame cannot move the window; `commit` is called
once the frame's tag has matched.
"""

from conclaved.sframe.errors import SframeUsageError


class ReplayWindow:
    """Remembers the newest counter and which of the `size` counters up to it were seen."""

    __slots__ = ("_mask", "_newest", "_seen", "_size")

    def __init__(self, size: int = 1024) -> None:
        if size < 1:
            raise SframeUsageError("a replay window holds at least one counter")
        self._size = size
        self._mask = (1 << size) - 1
        self._newest = -1
        # Bit n stands for counter `newest - n`.
        self._seen = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was committed yet."""
        return self._newest < 0

    def check(self, ctr: int) -> bool:
        """Whether `ctr` is new: not seen, and not older than the window."""
        age = self._newest - ctr
        if age < 0:
            return True
        return age < self._size and not self._seen >> age & 1

    def commit(self, ctr: int) -> None:
        """Mark `ctr` as seen. Raises SframeUsageError unless `check` allows it."""
        age = self._newest - ctr
        if age < 0:
            # A jump longer than the window leaves nothing of it; never shift by 2^64.
            shift = -age
            self._seen = (self._seen << shift) & self._mask if shift < self._size else 0
            self._newest = ctr
            self._seen |= 1
        elif age < self._size and not self._seen >> age & 1:
            self._seen |= 1 << age
        else:
            raise SframeUsageError("counter was committed before")
