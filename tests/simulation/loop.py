"""Simulated time: what is to happen, in the order of its time."""

import heapq
from collections.abc import Callable

Call = Callable[[], None]


class Loop:
    """A queue of calls by time; at one time, in the order in which they were put there."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.steps = 0
        self._put = 0
        self._heap: list[tuple[float, int, Call]] = []

    def at(self, when: float, call: Call) -> None:
        """Call then; at once if that is past."""
        self._put += 1
        heapq.heappush(self._heap, (max(when, self.now), self._put, call))

    def after(self, delay: float, call: Call) -> None:
        """Call in `delay` seconds."""
        self.at(self.now + delay, call)

    def step(self) -> None:
        """Do what is next. Raises IndexError when there is nothing."""
        self.now, _, call = heapq.heappop(self._heap)
        self.steps += 1
        call()
