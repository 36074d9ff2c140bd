"""`make simulate`: see the room's docstring.

make simulate                        a minute by the clock, with fresh seeds
make simulate ARGS='--hours 4'       longer
make simulate ARGS='--seed 4711'     that schedule again, with its trace
"""

import argparse
import os
import random
import sys
import time

from tests.simulation.report import report
from tests.simulation.runner import TOO_LATE, Tally, run_for, run_seed

FRESH_BITS = 44
LATE_SHARE = 0.02
"""So many of the schedules may end without all having found together in time. It should be none: after some
mixtures of faults rooms need longer than the judge waits, or a hand. What is unsafe is never let pass."""
TRACED = 120
"""So many lines of a failed schedule's trace are printed; its seed gives them all."""


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when something is broken."""
    parser = argparse.ArgumentParser(prog="make simulate ARGS=", description="simulate meetings")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--seed", type=int, help="run this schedule only, and print its trace")
    parser.add_argument("--base", type=int, help="the first seed, instead of a fresh one")
    parser.add_argument("--keep-going", action="store_true", help="count what is broken, do not stop")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return replay(options.seed)
    base = options.base
    if base is None:
        base = random.SystemRandom().getrandbits(FRESH_BITS)
    seconds = options.hours * 3600 or options.seconds
    print(f"base seed {base}, for {seconds:.0f} s", flush=True)
    began, last = time.monotonic(), [time.monotonic()]

    def told(tally: Tally) -> None:
        if time.monotonic() - last[0] > max(10.0, seconds / 60):
            last[0] = time.monotonic()
            print(f"  {tally.schedules} schedules, {tally.commits} commits", flush=True)

    tally = run_for(seconds, base, told, keeps_going=options.keep_going)
    print(report(tally, time.monotonic() - began))
    for seed, invariant, what in tally.failures:
        word = "TOO LATE" if invariant in TOO_LATE else "BROKEN"
        print(f"\n{word}: {invariant}\n  {what}\n  again: make simulate ARGS='--seed {seed}'")
    late = len(tally.failures) - len(tally.broken)
    is_too_often = late > max(3, LATE_SHARE * tally.schedules)
    if late:
        print(f"\n{late} of {tally.schedules} schedules took too long; up to {LATE_SHARE:.0%} are let pass")
    if not tally.broken and not is_too_often:
        return 0
    first = (tally.broken or tally.failures)[0][0]
    trace = run_seed(first, is_traced=True).trace
    print(f"\nthe end of the trace of seed {first}:\n" + "\n".join(trace[-TRACED:]))
    return 1


def replay(seed: int) -> int:
    """Run one schedule and print what happened."""
    outcome = run_seed(seed, is_traced=True)
    print("\n".join(outcome.trace))
    print(
        f"\nseed {seed}: {outcome.level}, {outcome.members} devices, {outcome.commits} commits, "
        f"{'fast' if outcome.is_fast else 'real'} cryptography, {outcome.simulated_s:.0f} s simulated"
    )
    print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items())))
    if outcome.violation is None:
        return 0
    print(f"BROKEN: {outcome.violation}")
    return 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # What iterates over a set does so in the same order each time: a seed gives the same schedule.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    sys.exit(main(sys.argv[1:]))
