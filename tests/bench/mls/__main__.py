"""`make bench-mls`, or `python -m tests.bench.mls [stacks]`."""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import report as host_report
from tests.bench.mls import report, rfc9420
from tests.bench.mls.figure import Figure
from tests.bench.mls.identities import cast
from tests.bench.mls.ours import measure_ours
from tests.bench.mls.peers import NotMeasured, measure_peer
from tests.bench.stopwatch import Progress
from tests.peers.build import NAMES

OURS = "conclave"
STACKS = (OURS, *NAMES, rfc9420.NAME)

EPILOG = """\
what is measured
  Suite 2, PublicMessages, the tree in the Welcome, bytes in and bytes out. Leaf 0 adds N-1 in one commit,
  leaf N/2 and others join (flat); 20 members make an empty commit each (warm). Leaf 0 creates, leaf N/2
  processes. Application messages have 1 kB. Memory is the most that one more member takes while it joins
  (ours, without what OpenSSL keeps), or what it holds afterwards (peers).

how to read it
  Milliseconds, median and in brackets the least. Ours are processor time of one thread, but for bulk
  add and join, which two work at: those are time on the wall, as all of the peers' figures are. The
  floor is the sum of the primitives that ours cannot do without, on one thread, measured right
  afterwards; the ratio is our least over it.

examples
  make bench-mls                                     N = 10, 100, 1000, and X.509 at 100
  make bench-mls ARGS='--n 5000 conclave openmls'    some stacks, another size
  make bench-mls ARGS='--n 1000 --credential x509'   chains of two
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make bench-mls ARGS=...",
        description="Print what MLS costs in Conclave and in other stacks, side by side.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stacks", nargs="*", help=f"any of: {', '.join(STACKS)} (default: all)")
    parser.add_argument("--n", type=int, action="append", metavar="N", help="size of a group, at least 4")
    parser.add_argument("--credential", choices=("basic", "x509"), help="default: basic, x509 at 100")
    parser.add_argument(
        "--limit", type=float, default=40.0, metavar="S", help="seconds for one peer and size (default: 40)"
    )
    arguments = parser.parse_args()
    for name in arguments.stacks:
        if name not in STACKS:
            parser.error(f"there is no stack {name!r}; choose from {', '.join(STACKS)}")
    if any(n < 4 for n in arguments.n or ()):
        parser.error("a group to measure has at least 4 members")
    rounds = [(n, arguments.credential or "basic") for n in arguments.n or (10, 100, 1000)]
    if arguments.n is None and arguments.credential is None:
        rounds.append((100, "x509"))
    begun = time.monotonic()
    print(host_report.host())
    for n, credential in rounds:
        _one_size(n, credential, arguments.stacks or STACKS, arguments.limit)
    print(f"\n{time.monotonic() - begun:.0f} s in all")


def _one_size(n: int, credential: str, stacks: tuple[str, ...], limit_s: float) -> None:
    progress = Progress()
    columns: dict[str, dict[str, Figure]] = {OURS: {}}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress(f"N = {n}, {credential}: keys and credentials")
        clients = cast(n, credential, folder)

        def figures(stack: str) -> Iterator[Figure]:
            if stack == OURS:
                return measure_ours(n, clients)
            if stack == rfc9420.NAME:
                return rfc9420.measure(n, credential, limit_s)
            return measure_peer(stack, n, credential, folder, limit_s)

        for stack in stacks:
            progress(f"N = {n}, {credential}: {stack}")
            try:
                columns[stack] = {figure.operation: figure for figure in figures(stack)}
            except NotMeasured as error:
                missing[stack] = str(error)
    progress.done()
    print("\n" + host_report.heading(f"N = {n}, {credential} credentials"))
    print(report.times(columns, OURS))
    print(report.sizes(columns))
    for stack, reason in missing.items():
        print(f"{stack}: not measured ({reason})")


if __name__ == "__main__":
    main()
