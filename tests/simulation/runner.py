"""Many schedules, on two cores, until their time is over or something is broken."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from tests.simulation.liveness import ENDED, LIVENESS
from tests.simulation.violation import Violation
from tests.simulation.world import Outcome, World

WORKERS = 2
TOO_LATE = frozenset({LIVENESS, ENDED})
"""Invariants that say that something comes about in time. The others say what must never be."""
BATCH = 8
"""So many schedules a worker runs between two reports."""


@dataclass
class Tally:
    """What came of many schedules."""

    schedules: int = 0
    real: int = 0
    commits: int = 0
    bad_inputs: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    worst_settled_s: float = 0.0
    worst_settled_seed: int = 0
    settled: Counter[int] = field(default_factory=Counter)
    """Schedules by how many ten seconds they took to find together."""
    members: Counter[int] = field(default_factory=Counter)
    commits_by: Counter[int] = field(default_factory=Counter)
    """Schedules by commits, in tens."""
    faults_by: Counter[int] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    bites: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, invariant, what)"""

    @property
    def broken(self) -> list[tuple[int, str, str]]:
        """The failures in which something was that must never be; not those that only took too long."""
        return [failure for failure in self.failures if failure[1] not in TOO_LATE]

    def add(self, outcome: Outcome) -> None:
        """One more schedule."""
        self.schedules += 1
        self.real += not outcome.is_fast
        self.commits += outcome.commits
        self.bad_inputs += outcome.bad_inputs
        self.simulated_s += outcome.simulated_s
        if outcome.settled_s > self.worst_settled_s:
            self.worst_settled_s, self.worst_settled_seed = outcome.settled_s, outcome.seed
        self.settled[int(outcome.settled_s // 10)] += 1
        self.members[outcome.members] += 1
        self.commits_by[outcome.commits // 10] += 1
        self.faults_by[outcome.faults.total()] += 1
        self.levels[outcome.level] += 1
        for mine, theirs in (
            (self.faults, outcome.faults),
            (self.bites, outcome.bites),
            (self.acts, outcome.acts),
            (self.checks, outcome.checks),
        ):
            mine.update(theirs)
        if outcome.violation is not None:
            self.failures.append((outcome.seed, outcome.violation.invariant, outcome.violation.what))

    def merge(self, other: "Tally") -> None:
        """Those of another worker too."""
        self.schedules += other.schedules
        self.real += other.real
        self.commits += other.commits
        self.bad_inputs += other.bad_inputs
        self.simulated_s += other.simulated_s
        self.cpu_s += other.cpu_s
        if other.worst_settled_s > self.worst_settled_s:
            self.worst_settled_s, self.worst_settled_seed = other.worst_settled_s, other.worst_settled_seed
        for name in (
            "settled",
            "members",
            "commits_by",
            "faults_by",
            "levels",
            "faults",
            "bites",
            "acts",
            "checks",
        ):
            getattr(self, name).update(getattr(other, name))
        self.failures += other.failures


def run_seed(seed: int, *, is_traced: bool = False) -> Outcome:
    """One schedule; the same seed gives the same."""
    return World(seed, is_traced=is_traced).run()


def run_some(seeds: Iterator[int], until: Callable[[int], bool], *, keeps_going: bool) -> Tally:
    """Schedules one after the other until `until(how many)`, or until something is broken."""
    tally, began = Tally(), time.process_time()
    while not until(tally.schedules):
        tally.add(run_seed(next(seeds)))
        if tally.broken and not keeps_going:
            break
    tally.cpu_s = time.process_time() - began
    return tally


def run_for(seconds: float, base: int, told: Callable[[Tally], None], *, keeps_going: bool = False) -> Tally:
    """Run schedules from seed `base` on for so long, on two cores. `told` hears of the sum now and then."""
    context = multiprocessing.get_context("spawn")
    deadline, total = time.monotonic() + seconds, Tally()
    readers: dict[Connection, multiprocessing.process.BaseProcess] = {}
    for number in range(WORKERS):
        reader, writer = context.Pipe(duplex=False)
        worker = context.Process(
            target=_worker, args=(writer, base + number, deadline, keeps_going), daemon=True
        )
        worker.start()
        writer.close()
        readers[reader] = worker
    while readers:
        for ready in wait(list(readers)):
            assert isinstance(ready, Connection)
            try:
                total.merge(ready.recv())
            except EOFError:
                process = readers.pop(ready)
                process.join()
                if process.exitcode:
                    raise Violation(
                        "the simulator itself works", f"a worker ended with {process.exitcode}"
                    ) from None
                continue
            told(total)
            if total.broken and not keeps_going:
                for process in readers.values():
                    process.terminate()
                return total
    return total


def _worker(writer: Connection, first: int, deadline: float, keeps_going: bool) -> None:
    def seeds() -> Iterator[int]:
        seed = first
        while True:
            yield seed
            seed += WORKERS

    each = seeds()
    while time.monotonic() < deadline:
        writer.send(
            run_some(each, lambda n: n >= BATCH or time.monotonic() >= deadline, keeps_going=keeps_going)
        )
    writer.close()
