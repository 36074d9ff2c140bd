"""A lock that is given in the order in which it was asked for.

A TPM takes one command at a time, and each may last 600 ms. With an ordinary lock whoever has just signed
gets it again before those who wait have woken up: a commit with three signatures would keep a beacon waiting
for all three, and another commit after it.
"""

import threading
from types import TracebackType


class Turns:
    """Used as a context manager, by any number of threads. Not by one that has it already."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = 0
        self._now = 0

    def __enter__(self) -> None:
        with self._changed:
            mine = self._given
            self._given += 1
            self._changed.wait_for(lambda: self._now == mine)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._now += 1
            self._changed.notify_all()
