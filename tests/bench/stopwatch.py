"""Measuring: medians over rounds, without the garbage collector in between.

The clock is this thread's processor time: other work on the machine still costs caches, but what it
takes for itself is not counted.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect now, and not again before the end: a pause would land on whoever is being measured.

    Not for single calls: a collection sweeps the processor's caches as well. Within another one it does
    nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time that one call took, and what it gave."""
    begun = time.thread_time()
    result = call()
    return time.thread_time() - begun, result


def side_by_side(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, sample_s: float
) -> dict[str, float]:
    """Median seconds of one call of each. All take their turn in every round: they share the weather.

    `sample_s` is about how long each call's turn lasts.
    """
    turns = {}
    for name, call in calls.items():
        call()
        once = min(timed(call)[0] for _ in range(3))
        turns[name] = max(1, round(sample_s / max(once, 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    with no_collection():
        for _ in range(rounds):
            for name, call in calls.items():
                repeat = range(turns[name])
                begun = time.thread_time()
                for _ in repeat:
                    call()
                samples[name].append((time.thread_time() - begun) / turns[name])
    return {name: statistics.median(each) for name, each in samples.items()}


class Progress:
    """A line on standard error that says what is going on.

    On a terminal it overwrites itself; in a log there is one every few seconds.
    """

    EVERY_S = 5.0

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._said_at = -self.EVERY_S

    def __call__(self, what: str) -> None:
        if self._is_terminal:
            print(f"\r\x1b[K  {what} ...", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said_at >= self.EVERY_S:
            self._said_at = time.monotonic()
            print(f"  {what} ...", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Clear the line."""
        if self._is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def silent(_: str) -> None:
    """Progress that nobody watches."""
