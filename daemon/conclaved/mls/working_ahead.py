"""A worker that the caller hands in: it does from the back what this thread does from the front.

Verifying a signature lets go of the interpreter, so that two threads on two cores take little more than half
of the time. This room starts no thread: whoever has one to spare hands it in, and decides how long it lives.

No check depends on it. A job is the very call that this thread makes for the same object, and remembers on
that object that it has passed; one that has failed is left alone, to fail again here, in its turn.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from conclaved.mls.errors import MlsError

FEWEST_JOBS = 64
"""Fewer are done before another thread has begun."""

Job = Callable[[], object]


class Task(Protocol):
    """Work that has been handed over."""

    def result(self) -> Any:
        """Wait for its end."""
        ...


class Worker(Protocol):
    """Whatever runs a call in another thread: a `concurrent.futures.ThreadPoolExecutor` is one."""

    def submit(self, call: Callable[[], object], /) -> Task:
        """Begin soon, and give something to wait by."""
        ...


class WorkingAhead:
    """Use with `with`: the worker is done with the jobs when the block ends, whatever ends it.

    One that has not begun by then never will, and is not waited for: it may be this very thread, or busy.
    """

    __slots__ = ("_has_begun", "_jobs", "_must_stop", "_task", "_worker")

    def __init__(self, worker: Worker | None, jobs: Sequence[Job]) -> None:
        """Each job raises nothing but MlsError, and may be done twice, even at once."""
        self._worker = worker
        self._jobs = jobs
        self._has_begun = False
        self._must_stop = False
        self._task: Task | None = None

    def __enter__(self) -> None:
        if self._worker is not None and len(self._jobs) >= FEWEST_JOBS:
            self._task = self._worker.submit(self._work)

    def _work(self) -> None:
        self._has_begun = True
        for job in reversed(self._jobs):
            if self._must_stop:
                return
            try:
                job()
            except MlsError:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In this order: who begins after it has been looked at sees that it must stop.
        self._must_stop = True
        if self._task is not None and self._has_begun:
            self._task.result()
