"""A second thread for many signatures: it does from the back what this thread does from the front.

Verifying a signature lets go of the interpreter, so that two threads on two cores take little more than half
of the time. The thread lives for one call, and only where there are jobs enough to pay for it: there is no
pool to be closed, or to be found broken after a fork.

No check depends on it. A job is the very call that this thread makes for the same object, and remembers on
that object that it has passed; one that has failed is left alone, to fail again here, in its turn.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from types import TracebackType

from conclaved.mls.errors import MlsError

FEWEST_JOBS = 64
"""Fewer are done before a thread has begun."""

Job = Callable[[], object]


class WorkingAhead:
    """Use with `with`: the second thread has ended when the block has, whatever ended it."""

    __slots__ = ("_jobs", "_must_stop", "_thread")

    def __init__(self, jobs: Sequence[Job]) -> None:
        """Each job raises nothing but MlsError, and may be done twice, even at once."""
        self._jobs = jobs
        self._must_stop = False
        self._thread: Thread | None = None

    def __enter__(self) -> None:
        if len(self._jobs) >= FEWEST_JOBS and (os.cpu_count() or 1) > 1:
            thread = Thread(target=self._work, name="mls-ahead", daemon=True)
            # Where the system gives no more threads, this one does it alone.
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def _work(self) -> None:
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
        self._must_stop = True
        if self._thread is not None:
            self._thread.join()
