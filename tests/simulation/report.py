"""What a run prints."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from tests.simulation.faults import FAULTS
from tests.simulation.invariants_group import ADMITTED, AGREE, INVITED, KICKED, ONE_CODE, ONE_COMMIT
from tests.simulation.invariants_keys import GONE, NO_KEY
from tests.simulation.invariants_lock import FORGED, MUTED, STOPS
from tests.simulation.invariants_people import ENDS, LOCKED, TOLD, VERIFIED
from tests.simulation.liveness import ENDED, LIVENESS
from tests.simulation.runner import Tally

NONCES = "no (key, nonce) twice"
INVARIANTS = (
    AGREE,
    ONE_CODE,
    ONE_COMMIT,
    NO_KEY,
    FORGED,
    STOPS,
    MUTED,
    NONCES,
    GONE,
    VERIFIED,
    LOCKED,
    ADMITTED,
    INVITED,
    KICKED,
    TOLD,
    ENDS,
    LIVENESS,
    ENDED,
)


def report(tally: Tally, seconds: float) -> str:
    """The whole of it: distribution, faults, invariants."""
    rate = tally.schedules / seconds * 60 if seconds else 0.0
    lines = [
        f"{tally.schedules} schedules ({tally.real} of them with the real cryptography), "
        f"{rate:.0f} a minute, {tally.commits} commits, {tally.simulated_s / 3600:.1f} h simulated",
        f"{tally.cpu_s / max(1, tally.schedules) * 1000:.0f} ms of processor time a schedule; "
        f"{tally.bad_inputs} messages were refused",
        f"members    {_spread(tally.members)}",
        f"commits    {_spread(tally.commits_by, lambda n: f'{n * 10}-{n * 10 + 9}')}",
        f"faults     {_spread(tally.faults_by)}",
        f"levels     {_spread(tally.levels, str)}",
        f"all in after the last fault within  {_spread(tally.settled, lambda n: f'{n * 10 + 10} s')}; "
        f"longest {tally.worst_settled_s:.0f} s (seed {tally.worst_settled_seed})",
        "",
        "fault                begun   took effect",
        *(f"  {f.name:18} {tally.faults[f.name]:6} {tally.bites[f.name]:9}" for f in FAULTS),
        "",
        "people               " + ", ".join(f"{name} {count}" for name, count in sorted(tally.acts.items())),
        "",
        "invariant (how often it had something to look at)",
        *(f"  {tally.checks[name]:9}  {name}" for name in INVARIANTS),
    ]
    return "\n".join(lines)


K = TypeVar("K", int, str)


def _spread(counted: Counter[K], name: Callable[[K], str] = str) -> str:
    return ", ".join(f"{name(key)}: {counted[key]}" for key in sorted(counted))
